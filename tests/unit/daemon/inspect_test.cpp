#include "daemon/inspect.hpp"

#include <boost/json.hpp>

#include "tests/unit/ledger/fixture.hpp"

namespace headwater {
namespace {

struct InspectTest : ledger::LedgerTest {
  boost::json::value ask(const std::string& verb, const std::string& rest) {
    const auto told = inspect(verb, rest, *ledger);
    EXPECT_TRUE(told);
    return boost::json::parse(told.value_or("{}"));
  }
};

TEST_F(InspectTest, AJournalThatWasTrimmedIsShownFromItsOldestEntryOn) {
  // What is old goes, what Kafka is owed stays.
  options.journal_bytes_max = 100'000;
  open();
  for (int i = 1; i <= 30; ++i) {
    const std::string text(1000, static_cast<char>('a' + i % 26));
    apply({ledger::updated(i, {{"Description", text}})});
  }
  const auto kept = entries()[15].meta.rev;
  clock.us += 2LL * 3600 * 1'000'000;
  ledger->hold_journal("kafka", kept);
  ASSERT_TRUE(ledger->trim());
  ASSERT_GT(ledger->journal().first, Rev{1});

  const auto changes = ask("journal", "emea:Account:" + ledger::kAcme + " 0");
  ASSERT_FALSE(changes.as_object().contains("error")) << changes;
  EXPECT_EQ(changes.at("entries").as_array().size(), ledger->journal().entries);
  const auto events = ask("events", "0");
  ASSERT_FALSE(events.as_object().contains("error")) << events;
  EXPECT_EQ(events.at("read_to").to_number<std::uint64_t>(), ledger->head().value);
}

}  // namespace
}  // namespace headwater
