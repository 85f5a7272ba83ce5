// A cursor that is missing, or of another ledger, may only be late: sinks write it behind their
// data.
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/verify/verifier.hpp"

namespace headwater::verify {
namespace {

constexpr const char* kLedger = "L1";

/// Holds no records; tells its cursors one after the other, the last one again and again.
class Target final : public TargetReader {
 public:
  explicit Target(std::vector<std::optional<Cursor>> cursors) : cursors_(std::move(cursors)) {}
  Result<void> open() override { return {}; }
  Result<std::optional<Cursor>> cursor(const std::string&) override {
    return cursors_[std::min(next_++, cursors_.size() - 1)];
  }
  Result<std::vector<std::optional<Held>>> read(std::span<const RecordName> names) override {
    return std::vector<std::optional<Held>>(names.size());
  }
  Result<void> each_key(const std::string&, const KeyVisitor&) override { return {}; }

 private:
  std::vector<std::optional<Cursor>> cursors_;
  std::size_t next_ = 0;
};

/// An empty ledger whose last rev is 10.
Result<std::string> answer(const std::string& line) {
  if (line == "status") return std::string(R"({"ledger":{"id":"L1","head_rev":10},"streams":[]})");
  if (line.starts_with("records")) return std::string("{\"last\":\"\",\"records\":[\n]}\n");
  return std::string("[]");
}

Outcome verify(std::vector<std::optional<Cursor>> cursors, Millis wait) {
  Places places;
  places.orgs.push_back({"demo", nullptr, {}, {}});
  places.targets.push_back({"redis", std::make_unique<Target>(std::move(cursors))});
  Patience patience;
  patience.wait = wait;
  const SystemClock clock;
  auto outcome = Verifier(LedgerView(answer), std::move(places), patience, clock).run();
  EXPECT_TRUE(outcome.ok()) << outcome.error().message;
  return std::move(outcome).value();
}

Cursor cursor_of(const char* ledger, std::uint64_t rev) { return {"demo", ledger, Rev{rev}, 1}; }

TEST(VerifyCursors, OneThatComesWithinTheWaitIsNoDifference) {
  const auto outcome = verify(
      {std::nullopt, cursor_of("", 0), cursor_of("L0", 7), cursor_of(kLedger, 10)}, Millis(60'000));
  EXPECT_TRUE(outcome.differences.empty()) << outcome.differences.front().what;
}

TEST(VerifyCursors, OneThatNeverComesIsTold) {
  const auto outcome = verify({std::nullopt}, Millis(0));
  ASSERT_EQ(outcome.differences.size(), 1U);
  EXPECT_EQ(outcome.differences.front().what,
            "redis: it has no cursor of org demo: nothing was written yet (still so after 0 ms)");
}

TEST(VerifyCursors, OneThatStaysAnotherLedgersIsTold) {
  const auto outcome = verify({cursor_of("L0", 7)}, Millis(0));
  ASSERT_EQ(outcome.differences.size(), 1U);
  EXPECT_NE(outcome.differences.front().what.find("is of ledger L0"), std::string::npos);
}

TEST(VerifyCursors, OneAheadOfTheLedgerIsToldThoughItCameLate) {
  const auto outcome = verify({std::nullopt, cursor_of(kLedger, 11)}, Millis(60'000));
  ASSERT_EQ(outcome.differences.size(), 1U);
  EXPECT_NE(outcome.differences.front().what.find("stands at rev 11"), std::string::npos);
}

}  // namespace
}  // namespace headwater::verify
