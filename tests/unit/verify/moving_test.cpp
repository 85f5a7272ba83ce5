// A sink that has still to be told is behind, however many records it lacks: that is lag, not
// drift. A repair must leave it alone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "daemon/verify/verifier.hpp"

namespace headwater::verify {
namespace {

constexpr std::size_t kRecords = Verifier::kSuspectsMax + 500;
constexpr std::uint64_t kLedgersRev = 100, kTargetsRev = 50;

std::string key_of(std::size_t n) { return fmt::format("demo:Account:0015f000{:07}AAA", n); }

std::string document_of(const std::string& rkey) {
  return fmt::format(
      R"({{"key":"{}","entity":"account","fields":{{}},"extra":{{}},"raw":{{}},"refs":{{}},)"
      R"("meta":{{"rev":{},"complete":true,"deleted":false}}}})",
      rkey,
      kLedgersRev);
}

/// Has every record as it was at kTargetsRev, and a cursor.
class Target final : public TargetReader {
 public:
  explicit Target(std::uint64_t cursor) : cursor_(cursor) {}
  Result<void> open() override { return {}; }
  Result<std::optional<Cursor>> cursor(const std::string&) override {
    return std::optional(Cursor{"demo", "L1", Rev{cursor_}, 1});
  }
  Result<std::vector<std::optional<Held>>> read(std::span<const RecordName> names) override {
    return std::vector<std::optional<Held>>(
        names.size(), Held{Rev{kTargetsRev}, false, Held::Shape::Document, "{}", 0, false});
  }
  Result<void> each_key(const std::string&, const KeyVisitor&) override { return {}; }

 private:
  const std::uint64_t cursor_;
};

Result<std::string> answer(const std::string& line) {
  namespace json = boost::json;
  if (line == "status") return std::string(R"({"ledger":{"id":"L1","head_rev":100},"streams":[]})");
  if (line == "records") {
    std::string out = "{\"last\":\"\",\"records\":[\n";
    for (std::size_t i = 0; i < kRecords; ++i) out += document_of(key_of(i)) + ",\n";
    return out + "]}\n";
  }
  if (line.starts_with("heads "))
    return fmt::format(R"([{{"rev":{},"deleted":false}}])", kLedgersRev);
  if (line.starts_with("get ")) return document_of(line.substr(4));
  if (line.starts_with("facts ")) return std::string("{}");
  if (line.starts_with("journal ")) return std::string(R"({"entries":[],"done":true,"read_to":0})");
  return std::string("[]");
}

Outcome verify(std::uint64_t cursor) {
  Places places;
  places.orgs.push_back({"demo", nullptr, {}, {}});
  places.targets.push_back({"redis", std::make_unique<Target>(cursor)});
  Patience patience;
  patience.wait = Millis(0);
  const SystemClock clock;
  auto outcome = Verifier(LedgerView(answer), std::move(places), patience, clock).run();
  EXPECT_TRUE(outcome.ok()) << outcome.error().message;
  return std::move(outcome).value();
}

const Check& check_of(const Outcome& outcome) {
  const auto found = std::ranges::find(outcome.checks, "redis = ledger", &Check::name);
  EXPECT_NE(found, outcome.checks.end());
  return *found;
}

TEST(VerifyMoving, WhatASinkHasStillToBeToldIsNoDifferenceAndNotEqualEither) {
  const auto outcome = verify(kLedgersRev - 1);
  EXPECT_EQ(check_of(outcome).moving, kRecords);
  EXPECT_EQ(check_of(outcome).different, 0U);
  EXPECT_TRUE(outcome.wrong.empty()) << "nothing is to be told again";
  EXPECT_FALSE(outcome.could_check());
}

TEST(VerifyMoving, WhatASinkWasToldAndLacksIsADifferenceHoweverManyThereAre) {
  const auto outcome = verify(kLedgersRev);
  EXPECT_EQ(check_of(outcome).moving, 0U);
  EXPECT_EQ(check_of(outcome).different, kRecords);
  EXPECT_EQ(outcome.wrong.size(), kRecords);
}

}  // namespace
}  // namespace headwater::verify
