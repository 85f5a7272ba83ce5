// What every sink promises, whatever it writes to: one suite over all of them, against real
// servers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connectors/claim.hpp"
#include "tests/contract/target.hpp"
#include "tests/support/entry_maker.hpp"

namespace headwater::test {
namespace {

const std::string kAnn = "0035f00000ABCDeAAP";
const std::string kBob = "0035f00000FGHIjAAP";
const Holder kOurs{"01LEDGERA", "machine-1:/var/lib/headwater"};
const Holder kTheirs{"01LEDGERB", "machine-2:/var/lib/headwater"};

EntrySpec named(const std::string& id, std::uint64_t rev, const std::string& name) {
  return {.op = Op::Create, .id = id, .rev = rev, .fields = {{"name", name}}};
}
EntrySpec renamed(const std::string& id, std::uint64_t rev, const std::string& name) {
  return {.op = Op::Update, .id = id, .rev = rev, .fields = {{"name", name}}};
}
EntrySpec gone(const std::string& id, std::uint64_t rev) {
  return {.op = Op::Delete, .id = id, .rev = rev};
}

class SinkContract : public testing::TestWithParam<TargetKind> {
 protected:
  void SetUp() override {
    target_ = GetParam().make();
    if (!target_) GTEST_SKIP() << GetParam().name << ": no server on this machine";
  }

  Result<std::vector<Cursor>> open(Sink& sink) { return sink.open(orgs_); }
  /// A sink that has opened.
  std::unique_ptr<Sink> opened(const Holder& holder = kOurs) {
    auto sink = target_->sink(holder);
    const auto cursors = open(*sink);
    EXPECT_TRUE(cursors.ok()) << cursors.error().message;
    return sink;
  }
  /// One batch; the cursor moves to its last rev.
  static Result<void> write(Sink& sink,
                            const std::vector<EntrySpec>& specs,
                            Mode mode = Mode::Follow) {
    EntryMaker maker;
    for (const auto& spec : specs) maker.add(spec);
    const CursorMove move{"emea", Rev(specs.back().rev), 1'700'000'000'000};
    return sink.write({maker.entries(), {&move, 1}, mode});
  }
  static void must(const Result<void>& done) { ASSERT_TRUE(done.ok()) << done.error().message; }

  std::vector<std::string> orgs_{"emea"};
  std::unique_ptr<Target> target_;
};

TEST_P(SinkContract, AFreshTargetHasNoCursor) {
  const auto cursors = open(*target_->sink(kOurs));
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  ASSERT_EQ(cursors->size(), 1u);
  EXPECT_EQ((*cursors)[0].org, "emea");
  EXPECT_EQ((*cursors)[0].ledger, "");
  EXPECT_EQ((*cursors)[0].rev, Rev(0));
  EXPECT_EQ((*cursors)[0].epoch, 1u);
}

TEST_P(SinkContract, WhatIsWrittenIsThereAndSoIsTheCursorAfterAClose) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 5, "Ann"), named(kBob, 6, "Bob")}));
  must(write(*sink, {renamed(kAnn, 8, "Ann Lee")}));
  EXPECT_EQ(target_->row(kAnn), (Row{8, "Ann Lee", false}));
  EXPECT_EQ(target_->row(kBob), (Row{6, "Bob", false}));
  sink->close();

  const auto cursors = open(*target_->sink(kOurs));
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].ledger, kOurs.ledger);
  EXPECT_EQ((*cursors)[0].rev, Rev(8));
  EXPECT_EQ((*cursors)[0].epoch, 2u);
}

TEST_P(SinkContract, TheHighestRevCountsWhatNoCursorSpeaksOf) {
  must(write(*opened(), {named(kAnn, 5, "Ann"), named(kBob, 6, "Bob")}));  // killed before it knew
  const auto cursors = open(*target_->sink(kOurs));
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].highest, Rev(6));
}

TEST_P(SinkContract, AMaterializationThatBeginsBelowKeepsTheHighestRev) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 9, "Ann")}));
  sink->close();
  sink = target_->sink({"01OTHER", kOurs.holder});
  ASSERT_TRUE(open(*sink).ok());
  must(write(*sink, {named(kBob, 2, "Bob")}, Mode::Materialize));
  sink->close();
  const auto cursors = open(*target_->sink(kOurs));
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].rev, Rev(2));
  EXPECT_EQ((*cursors)[0].highest, Rev(9));
}

TEST_P(SinkContract, ATouchMovesTheCursorWithoutEntries) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 5, "Ann")}));
  const CursorMove move{"emea", Rev(12), 0};
  must(sink->write({{}, {&move, 1}, Mode::Follow}));
  sink->close();
  const auto cursors = open(*target_->sink(kOurs));
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].rev, Rev(12));
}

TEST_P(SinkContract, ARepeatIsHarmless) {
  const std::vector<EntrySpec> batch{
      named(kAnn, 5, "Ann"), named(kBob, 6, "Bob"), renamed(kAnn, 7, "Ann Lee"), gone(kBob, 8)};
  {
    auto sink = opened();
    must(write(*sink, batch));
  }  // gone without close(), as if killed before it knew
  const std::string before = target_->state();
  EXPECT_THAT(before, testing::AllOf(testing::HasSubstr(kAnn), testing::HasSubstr(kBob)));
  auto sink = opened();
  must(write(*sink, batch));
  EXPECT_EQ(target_->state(), before);
}

TEST_P(SinkContract, ARepeatThatIsCutDifferentlyIsHarmless) {
  const EntrySpec a = named(kAnn, 1, "A"), b = renamed(kAnn, 2, "B"), c = renamed(kAnn, 3, "C"),
                  d = renamed(kAnn, 4, "D");
  {
    auto sink = opened();
    must(write(*sink, {a, b, c}));
  }
  auto sink = opened();
  must(write(*sink, {a, b}));
  EXPECT_EQ(target_->row(kAnn), (Row{3, "C", false})) << "not even for a while does it go back";
  must(write(*sink, {c, d}));
  EXPECT_EQ(target_->row(kAnn), (Row{4, "D", false}));
}

TEST_P(SinkContract, APlatformEventIsThereOnceAndInOrderOrNotAtAll) {
  const std::vector<EntrySpec> batch{platform_event(5, "a"),
                                     named(kAnn, 6, "Ann"),
                                     platform_event(7, "b"),
                                     platform_event(8, "d")};
  {
    auto sink = opened();
    must(write(*sink, batch));
  }  // gone without close(), as if killed before it knew
  auto sink = opened();
  must(write(*sink, {batch[0]}));
  must(write(*sink, {batch[1], batch[2], batch[3], platform_event(9, "c")}));
  EXPECT_EQ(target_->row(kAnn), (Row{6, "Ann", false}));
  if (target_->events()) {
    EXPECT_EQ(*target_->events(), "a@5 b@7 d@8 c@9 ");
  }
  sink->close();
  const auto cursors = open(*target_->sink(kOurs));
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].rev, Rev(9)) << "a target without a place for them passes them";
}

TEST_P(SinkContract, AMaterializationBringsItsEventsOnce) {
  {
    auto sink = opened();
    must(write(*sink, {platform_event(5, "a"), platform_event(6, "b")}, Mode::Materialize));
  }
  auto sink = opened();
  must(write(*sink, {platform_event(5, "a"), platform_event(6, "b")}, Mode::Materialize));
  must(write(*sink, {platform_event(7, "c")}));
  if (target_->events()) {
    EXPECT_EQ(*target_->events(), "a@5 b@6 c@7 ");
  }
}

TEST_P(SinkContract, AnOlderVersionNeverWins) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 9, "new")}, Mode::Materialize));
  must(write(*sink, {named(kAnn, 5, "old")}, Mode::Materialize));
  EXPECT_EQ(target_->row(kAnn), (Row{9, "new", false}));
}

TEST_P(SinkContract, OrderIsKeptWithinABatchAndOverBatches) {
  auto sink = opened();
  std::uint64_t rev = 0;
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<EntrySpec> specs;
    for (int i = 0; i < 20; ++i) {
      ++rev;
      specs.push_back(renamed(rev % 2 == 0 ? kAnn : kBob, rev, "N" + std::to_string(rev)));
    }
    must(write(*sink, specs));
    EXPECT_EQ(target_->row(kAnn), (Row{rev, "N" + std::to_string(rev), false}));
    EXPECT_EQ(target_->row(kBob), (Row{rev - 1, "N" + std::to_string(rev - 1), false}));
  }
}

TEST_P(SinkContract, ARecordThatTheCursorPassedIsWrittenAgainAndTheCursorStays) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 5, "Ann")}));
  must(write(*sink, {renamed(kAnn, 9, "Ann Lee")}));
  EntryMaker maker;
  maker.add({.op = Op::Read, .id = kBob, .rev = 7, .fields = {{"name", "Bob"}}});
  const CursorMove stay{"emea", Rev(9), 0}, later{"emea", Rev(11), 0};
  must(sink->write({maker.entries(), {&stay, 1}, Mode::Rewrite, true}));
  EXPECT_EQ(target_->row(kBob), (Row{7, "Bob", false}));
  EXPECT_EQ(target_->row(kAnn), (Row{9, "Ann Lee", false}));
  must(write(*sink, {renamed(kBob, 11, "Bob Ray")}));
  EXPECT_EQ(target_->row(kBob), (Row{11, "Bob Ray", false}));
  must(sink->write({maker.entries(), {&later, 1}, Mode::Rewrite, true}));
  EXPECT_EQ(target_->row(kBob), (Row{11, "Bob Ray", false})) << "a newer image never goes back";
}

TEST_P(SinkContract, ADeletedRecordStaysDeletedWhateverComesLate) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 5, "Ann")}));
  must(write(*sink, {gone(kAnn, 7)}));
  ASSERT_TRUE(target_->row(kAnn).has_value());
  EXPECT_TRUE(target_->row(kAnn)->deleted);
  must(write(*sink, {named(kAnn, 6, "late")}, Mode::Materialize));
  EXPECT_TRUE(target_->row(kAnn)->deleted);
  must(write(*sink, {named(kAnn, 9, "back")}));
  EXPECT_EQ(target_->row(kAnn), (Row{9, "back", false}));
}

TEST_P(SinkContract, ADeadServerIsTransientAndTheSinkGoesOnAfterwards) {
  auto sink = opened();
  must(write(*sink, {named(kAnn, 1, "Ann")}));
  target_->kill();
  const auto failed = write(*sink, {renamed(kAnn, 2, "Ann Lee")});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind, ErrorKind::Transient) << failed.error().message;
  const auto reopened = open(*sink);
  ASSERT_FALSE(reopened.ok());
  EXPECT_EQ(reopened.error().kind, ErrorKind::Transient) << reopened.error().message;

  target_->restart();
  const auto cursors = open(*sink);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_LE((*cursors)[0].rev, Rev(1));
  must(write(*sink, {named(kAnn, 1, "Ann"), renamed(kAnn, 2, "Ann Lee")}));
  EXPECT_EQ(target_->row(kAnn), (Row{2, "Ann Lee", false}));
}

TEST_P(SinkContract, ARivalIsBlockedWhileTheHolderIsAlive) {
  auto ours = opened(kOurs);
  must(write(*ours, {named(kAnn, 1, "Ann")}));
  const auto refused = open(*target_->sink(kTheirs));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_THAT(refused.error().message, testing::HasSubstr(kOurs.holder));
  const Millis free_in = claim_free_in(refused.error()).value_or(Millis{0});
  EXPECT_TRUE(free_in > Millis{0} && free_in <= Millis{30'000}) << refused.error().code;
  must(write(*ours, {renamed(kAnn, 2, "Ann Lee")}));
  EXPECT_EQ(target_->row(kAnn), (Row{2, "Ann Lee", false}));
}

TEST_P(SinkContract, AHolderThatFindsAnotherWhenItReopensStopsForGood) {
  auto ours = opened(kOurs);
  must(write(*ours, {named(kAnn, 1, "Ann")}));
  must(ours->idle());
  target_->let_claim_lapse();
  auto theirs = target_->sink(kTheirs);
  ASSERT_TRUE(open(*theirs).ok());
  for (int i = 0; i < 2; ++i) {
    const auto again = open(*ours);
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().kind, ErrorKind::Fatal) << again.error().message;
    target_->let_claim_lapse();
  }
}

TEST_P(SinkContract, ATakeoverKeepsLedgerAndRevAndFencesTheLoserForGood) {
  auto ours = opened(kOurs);
  must(write(*ours, {named(kAnn, 4, "Ann")}));
  must(ours->idle());
  const CursorMove move{"emea", Rev(4), 0};
  must(ours->write({{}, {&move, 1}, Mode::Follow}));
  target_->let_claim_lapse();

  auto theirs = target_->sink(kTheirs);
  const auto cursors = open(*theirs);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].ledger, kOurs.ledger) << "a claim never changes ledger";
  EXPECT_EQ((*cursors)[0].rev, Rev(4)) << "nor rev";
  EXPECT_EQ((*cursors)[0].epoch, 2u);

  // Told by its first write, which a pipelined target may still have taken; nothing of the second
  // gets through.
  for (const std::uint64_t rev : {5, 6}) {
    const auto fenced = write(*ours, {renamed(kAnn, rev, "zombie")});
    ASSERT_FALSE(fenced.ok());
    EXPECT_EQ(fenced.error().kind, ErrorKind::Fatal) << fenced.error().message;
  }
  EXPECT_LE(target_->row(kAnn)->rev, 5u);
  target_->let_claim_lapse();
  const auto again = open(*ours);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::Fatal) << "it never claims again by itself";
  // Theirs is another ledger: its first batch of a materialization makes the cursor its own.
  // A target that may have taken the loser's records says so first, and then names their rev.
  const auto first = write(*theirs, {named(kAnn, 100, "Ann")}, Mode::Materialize);
  if (!first.ok()) {
    EXPECT_EQ(first.error().kind, ErrorKind::Transient) << first.error().message;
    const auto reopened = open(*theirs);
    ASSERT_TRUE(reopened.ok()) << reopened.error().message;
    EXPECT_GE((*reopened)[0].highest, Rev(5));
    must(write(*theirs, {named(kAnn, 100, "Ann")}, Mode::Materialize));
  }
  theirs->close();
  const auto later = open(*target_->sink(kTheirs));
  ASSERT_TRUE(later.ok()) << later.error().message;
  EXPECT_EQ((*later)[0].ledger, kTheirs.ledger);
  EXPECT_EQ((*later)[0].rev, Rev(100));
  EXPECT_EQ(target_->row(kAnn), (Row{100, "Ann", false}));
}

INSTANTIATE_TEST_SUITE_P(All, SinkContract, testing::ValuesIn(all_targets()), [](const auto& kind) {
  return std::string(kind.param.name);
});

}  // namespace
}  // namespace headwater::test
