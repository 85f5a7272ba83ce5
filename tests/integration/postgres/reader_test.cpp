// What audits and `verify` read of a real schema.

#include "connectors/postgres/reader.hpp"

#include <fmt/format.h>

#include <set>

#include "tests/integration/postgres/sink_fixture.hpp"

namespace headwater::postgres {
namespace {

class Reader : public SinkTest {
 protected:
  static std::string id(std::size_t number) { return fmt::format("0035f{:010}AAP", number); }
  static EntrySpec spec(std::size_t number) {
    EntrySpec out{.id = id(number), .rev = number + 1};
    if (number % 10 == 7) out.op = Op::Delete;
    if (number % 10 == 8) out.object = "Part__c", out.entity = "custom:Part__c";
    if (number % 10 == 9) out.object = "Asset__c", out.entity = "custom:Asset__c";
    return out;
  }
  /// Records in a table of their own, and in that of all other objects; one in ten is deleted.
  void fill(std::size_t records) {
    auto sink = open_sink();
    for (std::size_t next = 0; next < records;) {
      std::vector<EntrySpec> specs;
      while (specs.size() < 500 && next < records) specs.push_back(spec(next++));
      must_write(*sink, std::move(specs));
    }
  }
  std::multiset<std::string> keys() {
    PostgresReader reader(config_, "postgres", plans_);
    EXPECT_TRUE(reader.open().ok());
    std::multiset<std::string> out;
    const auto read =
        reader.each_key("emea", [&](std::span<const std::string> some) -> Result<void> {
          out.insert(some.begin(), some.end());
          return {};
        });
    EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().message);
    return out;
  }
};

TEST_F(Reader, EachLivingKeyIsToldOnceWhateverTheTable) {
  constexpr std::size_t kRecords = 6'000;
  fill(kRecords);
  std::multiset<std::string> want;
  for (std::size_t i = 0; i < kRecords; ++i)
    if (const auto one = spec(i); one.op != Op::Delete)
      want.insert("emea:" + one.object + ":" + one.id);
  EXPECT_EQ(keys(), want);
}

TEST_F(Reader, APageOfKeysIsFoundWithoutReadingTheTable) {
  constexpr std::size_t kRecords = 20'000;
  sql("alter system set autovacuum to off");  // a table without statistics
  sql("select pg_reload_conf()");
  fill(kRecords);
  server_.await_alone();
  sql("select pg_stat_reset()");
  keys();
  server_.await_alone();
  const auto read = std::stoul(
      sql("select sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) from pg_stat_user_tables"));
  EXPECT_GE(read, kRecords * 8 / 10) << "the server has not told yet";
  EXPECT_LE(read, kRecords * 2);
}

}  // namespace
}  // namespace headwater::postgres
