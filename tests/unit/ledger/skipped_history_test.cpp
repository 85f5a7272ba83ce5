#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/closed_rows.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "daemon/ledger/hole_counts.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

class SkippedHistoryTest : public LedgerTest {
 protected:
  void SetUp() override {
    options.journal_bytes_max = 100'000;
    LedgerTest::SetUp();
  }
  /// Changes of one record, and all but the newest of them leave the journal.
  void fill_and_trim() {
    if (number_ == 0) apply({created(++number_, {{"Name", "A"}})});
    for (int i = 0; i < 30; ++i)
      apply({updated(++number_,
                     {{"Description", std::string(1000, static_cast<char>('a' + i % 26))}})});
    clock.us += 2LL * 3600 * 1'000'000;
    ASSERT_TRUE(ledger->trim());
  }
  Rev dropped() const {
    const auto facts = ledger->journal();
    return facts.entries == 0 ? facts.head : Rev{facts.first.value - 1};
  }
  /// As a sink that is owed history opens: up to where it is given states.
  Rev open_sink(const std::string& name, Rev rev, const std::string& sink = "kafka") {
    std::string id;
    do {  // a birth: it opens again
      id = ledger->id();
      EXPECT_EQ(*ledger->found_cursor(sink, "emea", name, rev, rev), CursorVerdict::Materialize);
    } while (ledger->id() != id);
    return *ledger->skip_history(sink, "emea", name, rev, 1'772'300'000'000);
  }
  std::vector<Hole> skipped() const {
    auto holes = ledger->closed_holes();
    std::erase_if(holes, [](const Hole& hole) { return hole.cause != kSinkHistory; });
    return holes;
  }
  std::string details() const {
    std::string out;
    for (const Hole& hole : skipped()) out += hole.detail + "\n";
    return out;
  }
  static std::string up_to(Rev rev) { return "history up to rev " + std::to_string(rev.value); }
  static std::string after(Rev rev) { return " after rev " + std::to_string(rev.value); }

 private:
  std::int64_t number_ = 0;
};

TEST_F(SkippedHistoryTest, WhatTheJournalDroppedBeforeANewTargetCameIsAClosedHole) {
  fill_and_trim();
  EXPECT_EQ(open_sink("", {}), dropped());
  ASSERT_EQ(details(), up_to(dropped()) + "\n");
  const Hole hole = skipped()[0];
  EXPECT_EQ(hole.scope, Hole::Scope::Sink);
  EXPECT_EQ(hole.sink, "kafka");
  EXPECT_EQ(hole.org, "emea");
  EXPECT_EQ(hole.from_ts, 0);
  EXPECT_EQ(hole.closing.how, Closing::How::GivenUp);
  EXPECT_EQ(hole.closing.by, "headwater");
  EXPECT_EQ(hole.closing.evidence,
            "not told, and nothing brings it back: the topics hold images only");
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(SkippedHistoryTest, ItIsCountedOnceAndNeverOpen) {
  fill_and_trim();
  open_sink("", {});
  const auto counts = AuditBook(*ledger).hole_counts();
  const auto count = std::ranges::find(counts, kSinkHistory, &HoleCount::cause);
  ASSERT_NE(count, counts.end());
  EXPECT_EQ(count->opened, 1U);
  EXPECT_EQ(count->open, 0U);
}

TEST_F(SkippedHistoryTest, OfATargetThatFellBehindItIsWhatLiesAfterItsCursor) {
  fill_and_trim();
  const Rev cursor{dropped().value - 3};
  EXPECT_EQ(open_sink(ledger->id(), cursor), dropped());
  EXPECT_EQ(details(), up_to(dropped()) + after(cursor) + "\n");
  EXPECT_EQ(skipped()[0].from_ts, 1'772'300'000'000);
  EXPECT_EQ(skipped()[0].to_ts, ledger->journal().oldest_ts);
}

TEST_F(SkippedHistoryTest, ACrashAndAnotherOpenWriteItDownOnceAndEndWhereTheyWereToEnd) {
  fill_and_trim();
  const Rev head = ledger->head();
  const Rev upto = open_sink("01OTHER", Rev{1000});
  EXPECT_EQ(upto, head);
  apply({created(900, {{"Name", "B"}}, kOther)});
  EXPECT_EQ(open_sink("01OTHER", Rev{1000}), upto);
  crash_and_open();
  EXPECT_EQ(open_sink("01OTHER", Rev{1000}), upto);
  EXPECT_EQ(open_sink(ledger->id(), Rev{dropped().value - 1}), upto) << "half way";
  EXPECT_EQ(skipped().size(), 1U);
}

TEST_F(SkippedHistoryTest, StatesThatACrashCutShortGoOnThoughTheJournalHoldsAll) {
  apply({created(1, {{"Name", "A"}})});
  apply({created(2, {{"Name", "B"}}, kOther)});
  const Rev upto = open_sink("01OTHER", Rev{1000});
  crash_and_open();
  EXPECT_EQ(open_sink(ledger->id(), ledger->journal().first), upto) << "half way";
  EXPECT_EQ(skipped().size(), 1U);
  EXPECT_EQ(*ledger->found_cursor("kafka", "emea", ledger->id(), upto, upto),
            CursorVerdict::Follow);
}

TEST_F(SkippedHistoryTest, WhatIsDroppedWhileNobodyHeldItIsAnotherHole) {
  fill_and_trim();
  const Rev first = open_sink("", {});
  fill_and_trim();
  ASSERT_GT(dropped(), first);
  EXPECT_EQ(open_sink(ledger->id(), first), dropped());
  EXPECT_EQ(details(), up_to(dropped()) + after(first) + "\n" + up_to(first) + "\n");
}

TEST_F(SkippedHistoryTest, TopicsThatAreLostAgainLoseWhatWasToldSince) {
  fill_and_trim();
  open_sink(ledger->id(), Rev{dropped().value - 3});
  EXPECT_EQ(open_sink(ledger->id(), {}), dropped());
  EXPECT_EQ(skipped().size(), 2U) << "what lay before that cursor is lost too";
  EXPECT_EQ(open_sink(ledger->id(), {}), dropped());
  EXPECT_EQ(skipped().size(), 2U);
}

TEST_F(SkippedHistoryTest, OfAnotherLedgersTargetItIsAllThatWasNotedBefore) {
  apply({created(1, {{"Name", "A"}})});
  EXPECT_EQ(open_sink("01OTHER", Rev{1000}), ledger->journal().first) << "but for the hole itself";
  EXPECT_EQ(details(),
            up_to(ledger->journal().first) + "; ledger 01OTHER told up to its rev 1000\n");
  EXPECT_EQ(skipped()[0].from_ts, 1'772'300'000'000);
}

TEST_F(SkippedHistoryTest, ATargetThatAnotherLedgerToldAndLeftNoCursorAtIsNotFollowed) {
  apply({created(1, {{"Name", "A"}})});
  const Rev before = ledger->head();
  const Rev theirs{before.value + 5'000'000};
  for (int again = 0; again < 2; ++again) {  // the first gives a birth above what stands there
    ASSERT_EQ(*ledger->found_cursor("kafka", "emea", "", {}, theirs), CursorVerdict::Materialize);
  }
  EXPECT_GT(ledger->told_before("kafka", "emea")->records, theirs);
  EXPECT_EQ(ledger->told_before("kafka", "emea")->events, Rev{0});
  const Rev head = ledger->head();
  EXPECT_EQ(*ledger->skip_history("kafka", "emea", "", {}, 0), head);
  EXPECT_EQ(details(),
            up_to(head) + "; another ledger, which left no cursor, told the target before\n");
  EXPECT_EQ(*ledger->found_cursor("kafka", "emea", "", {}, ledger->head()),
            CursorVerdict::Materialize)
      << "a crash before the first cursor";
  EXPECT_EQ(*ledger->skip_history("kafka", "emea", "", {}, 0), head);
  EXPECT_EQ(skipped().size(), 1U);
}

TEST_F(SkippedHistoryTest, ALedgerThatBeginsAboveAnothersCursorSaysWhatLiesBetween) {
  const Rev before{static_cast<std::uint64_t>(clock.us) - 1};
  EXPECT_EQ(open_sink("01OTHER", Rev{1000}), Rev{0}) << "nothing of ours is passed over";
  EXPECT_EQ(details(), up_to(before) + "; ledger 01OTHER told up to its rev 1000\n");
}

TEST_F(SkippedHistoryTest, ABirthSkipsOfATargetThatFollowedOnlyWhatTheJournalDropped) {
  apply({created(1, {{"Name", "A"}})});
  const std::string old = ledger->id();
  const Rev told = ledger->head();
  ASSERT_EQ(*ledger->found_cursor("kafka", "emea", old, told, told), CursorVerdict::Follow);
  apply({updated(2, {{"Name", "B"}})});
  const Rev ahead{ledger->head().value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", old, ahead, ahead));
  ASSERT_NE(ledger->id(), old);
  EXPECT_EQ(open_sink(old, told), told) << "the journal goes on there";
  EXPECT_EQ(details(), "");
}

TEST_F(SkippedHistoryTest, ACrashWhileStatesAreToldAgainAfterABirthSkipsNothing) {
  fill_and_trim();
  const std::string old = ledger->id();
  const Rev told = ledger->head();
  ASSERT_EQ(*ledger->found_cursor("kafka", "emea", old, told, told), CursorVerdict::Follow);
  const Rev ahead{told.value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", old, ahead, ahead));
  EXPECT_EQ(open_sink(old, told), told);
  EXPECT_EQ(open_sink(ledger->id(), Rev{told.value - 3}), told) << "half way";
  EXPECT_EQ(details(), "");
}

TEST_F(SkippedHistoryTest, ATargetThatAnotherCopyToldIsNotToldWhatThisOneNotedBeforeItsBirth) {
  apply({created(1, {{"Name", "A"}})});
  const std::string old = ledger->id();
  const Rev ahead{ledger->head().value + 5'000'000};
  const Rev upto = open_sink(old, ahead);
  ASSERT_NE(ledger->id(), old);
  EXPECT_GT(upto, ahead) << "the records told again";
  EXPECT_EQ(details(),
            up_to(upto) + "; ledger " + old + " told up to its rev " + std::to_string(ahead.value) +
                "\n");
}

TEST_F(SkippedHistoryTest, ABirthBetweenLookAndNoteNotesNothing) {
  fill_and_trim();
  const std::string old = ledger->id();
  const Rev cursor{dropped().value - 3};
  ASSERT_EQ(*ledger->found_cursor("kafka", "emea", old, cursor, cursor),
            CursorVerdict::Materialize);
  const Rev ahead{ledger->head().value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", old, ahead, ahead));
  ASSERT_NE(ledger->id(), old);
  EXPECT_TRUE(ledger->skip_history("kafka", "emea", old, cursor, 0));
  EXPECT_EQ(details(), "") << "it opens again in the new name";
}

TEST_F(SkippedHistoryTest, ItStaysListedHoweverManyRecordsAreRepairedLater) {
  fill_and_trim();
  open_sink("", {});
  Hole drift;
  drift.scope = Hole::Scope::Sink;
  drift.org = "emea";
  drift.sink = "redis";
  drift.object = "Account";
  drift.cause = "sink_drift";
  for (std::size_t i = 0; i <= kClosedKept; ++i) {
    drift.id = "record " + std::to_string(i);
    ASSERT_TRUE(ledger->open_hole(drift));
    ASSERT_TRUE(ledger->close_hole(drift, {Closing::How::Repaired, "audit", "told again", 0}));
  }
  EXPECT_EQ(skipped().size(), 1U);
}

TEST_F(SkippedHistoryTest, NothingIsSkippedOfAnOrgThatIsNew) {
  fill_and_trim();
  ASSERT_EQ(*ledger->found_cursor("kafka", "apac", "", {}, {}), CursorVerdict::Materialize);
  EXPECT_TRUE(ledger->skip_history("kafka", "apac", "", {}, 0));
  EXPECT_EQ(details(), "");
}

TEST_F(SkippedHistoryTest, EachSinkHasItsOwn) {
  fill_and_trim();
  open_sink("", {});
  open_sink("", {}, "lake");
  ASSERT_EQ(skipped().size(), 2U);
  EXPECT_EQ(skipped()[0].sink, "lake");
  EXPECT_EQ(skipped()[1].sink, "kafka");
}

}  // namespace
}  // namespace headwater::ledger
