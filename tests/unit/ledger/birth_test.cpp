#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

class BirthTest : public LedgerTest {
 protected:
  /// A new birth while a stretch is in doubt, which holds its stamping back. `ahead`: the cursor
  /// that proved it.
  void bear_anew_in_doubt(Rev& ahead, std::string_view topic = "/data/ChangeEvents") {
    Hole stretch;
    stretch.scope = Hole::Scope::Stretch;
    stretch.org = "emea";
    stretch.topic = topic;
    stretch.cause = "expired";
    ASSERT_TRUE(ledger->open_hole(stretch));
    ahead = Rev{ledger->head().value + 5'000'000};
    ASSERT_TRUE(ledger->found_cursor("redis", "emea", ledger->id(), ahead, {}));
  }
};

TEST_F(BirthTest, ANewLedgerStartsAtTheClockInMicroseconds) {
  apply({created(1, {{"Name", "A"}})});
  EXPECT_EQ(ledger->head(), Rev{1'772'366'400'000'000});
}

TEST_F(BirthTest, ANewLedgerStartsAboveWhatItFindsInATarget) {
  const Rev found{1'999'999'999'999'999};
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "01OTHER", found, {}),
            CursorVerdict::Materialize);
  const std::string id = ledger->id();
  apply({created(1, {{"Name", "A"}})});
  EXPECT_GT(ledger->head(), found);
  EXPECT_EQ(ledger->id(), id) << "it had told nobody anything: no second birth";
}

TEST_F(BirthTest, EveryStartJumps) {
  apply({created(1, {{"Name", "A"}})});
  const Rev before = ledger->head();
  crash_and_open();
  EXPECT_EQ(ledger->head(), before);
  apply({updated(2, {{"Name", "B"}})});
  EXPECT_GT(ledger->head().value, before.value + 1);
  EXPECT_LE(ledger->head().value, before.value + 1'000'001);
}

TEST_F(BirthTest, TwoCopiesStartAtDifferentRevsThoughTheClockWentBack) {
  apply({created(1, {{"Name", "A"}})});
  clock.us -= 86'400'000'000;
  crash_and_open();
  apply({updated(2, {{"Name", "B"}})});
  const auto copy = disk->copy();
  clock.us += 1'000'000;
  crash_and_open();
  apply({updated(3, {{"Name", "C"}})});
  const Rev one = ledger->head();
  clock.us += 60'000'000;
  disk = copy;
  crash_and_open();
  apply({updated(3, {{"Name", "C"}})});
  EXPECT_GT(ledger->head().value, one.value + 50'000'000) << "a minute of revs lies between them";
}

TEST_F(BirthTest, AStartAfterABirthThatWroteNothingJumpsToo) {
  const Rev birth{1'772'366'400'000'000};
  clock.us -= 86'400'000'000;  // else the clock alone is past the birth
  crash_and_open();
  apply({created(1, {{"Name", "A"}})});
  EXPECT_GT(ledger->head(), birth) << "a copy of the directory would give the same rev";
  EXPECT_LE(ledger->head().value, birth.value + 1'000'000);
}

TEST_F(BirthTest, ATargetWithoutACursorFollowsWhileTheJournalIsWhole) {
  apply({created(1, {{"Name", "A"}})});
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "", {}, {}), CursorVerdict::Follow);
}

TEST_F(BirthTest, OurOwnCursorIsFollowed) {
  apply({created(1, {{"Name", "A"}})});
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", ledger->id(), ledger->head(), {}),
            CursorVerdict::Follow);
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", ledger->id(), {}, {}), CursorVerdict::Follow);
}

TEST_F(BirthTest, AnotherLedgersCursorBelowOurFirstRevIsOutranked) {
  apply({created(1, {{"Name", "A"}})});
  const std::string id = ledger->id();
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "01OTHER", Rev{1000}, {}),
            CursorVerdict::Materialize);
  EXPECT_EQ(ledger->id(), id);
}

TEST_F(BirthTest, AnotherLedgersCursorAtOurVeryFirstRevIsNotOutranked) {
  apply({created(1, {{"Name", "A"}})});
  const Rev birth = ledger->head();  // the first that it gave
  const std::string id = ledger->id();
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "01OTHER", birth, {}),
            CursorVerdict::Materialize);
  EXPECT_NE(ledger->id(), id) << "an image of that rev would never give way to ours";
  EXPECT_EQ(entries(birth).size(), 1U);
}

TEST_F(BirthTest, ACursorAheadOfTheHeadProvesAnOldCopyAndGivesANewBirth) {
  apply({created(1, {{"Name", "A"}}), created(2, {{"Name", "B"}}, kOther)});
  apply({deleted(3, kOther)});
  const std::string id = ledger->id();
  const Rev ahead{ledger->head().value + 5'000'000};
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", id, ahead, {}), CursorVerdict::Materialize);
  EXPECT_NE(ledger->id(), id);
  // Every record is told again, above what the target holds.
  const auto again = entries(ahead);
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(ops(ahead), "rd");
  EXPECT_EQ(field(entries(ahead)[0], "name"), "\"A\"");
  const std::string born = ledger->id();
  const Rev head = ledger->head();
  crash_and_open();
  EXPECT_EQ(ledger->id(), born);
  EXPECT_EQ(ledger->head(), head) << "stamped once";
}

TEST_F(BirthTest, ABirthStandsAboveWhatATargetWasToldAfterItsCursor) {
  apply({created(1, {{"Name", "A"}})});
  // Its writer told one batch more, after another start, and died before the cursor went out. Our
  // clock does not help: that one's was ahead.
  const Rev cursor{ledger->head().value + 3'600'000'000};
  const Rev told{cursor.value + 1'000'000 + 10'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", ledger->id(), cursor, {}));
  EXPECT_EQ(entries(told).size(), 1U);
}

TEST_F(BirthTest, AnImageThatWeNeverGaveProvesAnOldCopyThoughTheCursorIsOurs) {
  apply({created(1, {{"Name", "A"}})});
  const Rev cursor = ledger->head();
  const std::string id = ledger->id();
  // A copy went on from here, told a target, and died before its cursor went out.
  const Rev told{cursor.value + 3'600'000'000};
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", id, cursor, told), CursorVerdict::Materialize);
  EXPECT_NE(ledger->id(), id);
  EXPECT_EQ(entries(told).size(), 1U) << "told anew above it";
}

TEST_F(BirthTest, WhatWeToldAfterOurCursorIsNoRivals) {
  apply({created(1, {{"Name", "A"}})});
  const Rev cursor = ledger->head();
  crash_and_open();
  apply({updated(2, {{"Name", "B"}})});
  const std::string id = ledger->id();
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", id, cursor, ledger->head()),
            CursorVerdict::Follow);
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "", {}, ledger->head()), CursorVerdict::Follow);
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "01OTHER", Rev{7}, ledger->head()),
            CursorVerdict::Materialize)
      << "our first write got there, the cursor did not";
  EXPECT_EQ(ledger->id(), id);
}

TEST_F(BirthTest, NothingIsOursInATargetThatThisBirthNeverClaimed) {
  apply({created(1, {{"Name", "A"}})});
  const std::string id = ledger->id();
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", "", {}, {}));
  // Two old copies found the same image, were born above it at the same rev, and gave the same
  // revs: the other one told this target and died before its cursor went out.
  const Rev told = ledger->head();
  EXPECT_EQ(*ledger->found_cursor("kafka", "emea", "", {}, told), CursorVerdict::Materialize);
  EXPECT_NE(ledger->id(), id);
  EXPECT_EQ(entries(told).size(), 1U) << "told anew above it";
  // The claim outlives a crash, and a birth ends it.
  const std::string born = ledger->id();
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", "", {}, told));
  crash_and_open();
  EXPECT_EQ(*ledger->found_cursor("kafka", "emea", "", {}, ledger->head()), CursorVerdict::Follow);
  EXPECT_EQ(ledger->id(), born);
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "", {}, ledger->head()),
            CursorVerdict::Materialize);
  EXPECT_NE(ledger->id(), born);
}

TEST_F(BirthTest, ItIsRememberedWhatATargetWasToldBeforeTheBirth) {
  apply({created(1, {{"Name", "A"}})});
  const auto told = [this] {
    const auto out = ledger->told_before("kafka", "emea");
    return out ? std::pair(out->records.value, out->events.value) : std::pair(~0UL, ~0UL);
  };
  const std::string old = ledger->id();
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", old, ledger->head(), {}));
  EXPECT_EQ(told(), std::pair(0UL, 0UL));
  const Rev behind = ledger->head();
  const Rev ahead{behind.value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", old, ahead, {}));
  ASSERT_NE(ledger->id(), old);
  const std::string born = ledger->id();
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", old, behind, {}));
  EXPECT_EQ(told(), std::pair(behind.value, behind.value)) << "its cursor was ours";
  crash_and_open();
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", born, ledger->head(), {}));
  EXPECT_EQ(told(), std::pair(behind.value, behind.value)) << "a start knows it";
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", born, {}, {}));
  EXPECT_EQ(told(), std::pair(0UL, 0UL)) << "the target lost it";
}

TEST_F(BirthTest, ACursorThatStandsNowhereTellsNothingOfWhatWasTold) {
  apply({created(1, {{"Name", "A"}})});
  const std::string old = ledger->id();
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", old, ledger->head(), {}));
  const Rev ahead{ledger->head().value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", old, ahead, {}));
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", old, {}, {}));
  const auto told = ledger->told_before("kafka", "emea");
  ASSERT_TRUE(told.ok());
  EXPECT_GT(told->records, ahead) << "all are told again above the birth";
  EXPECT_EQ(told->events, Rev{0});
}

TEST_F(BirthTest, OfAnotherLedgersTargetAllRecordsFromBeforeTheBirthAreToldAgainAboveIt) {
  apply({created(1, {{"Name", "A"}})});
  const Rev before = ledger->head(), theirs{before.value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", "01OTHER", theirs, {}));
  ASSERT_TRUE(ledger->found_cursor("kafka", "emea", "01OTHER", theirs, {}));
  const auto told = ledger->told_before("kafka", "emea");
  ASSERT_TRUE(told.ok());
  EXPECT_GT(told->records, theirs);
  EXPECT_EQ(told->events, Rev{0}) << "events are told once, whatever their revs";
}

TEST_F(BirthTest, ImagesBelowOurFirstRevAreOutranked) {
  apply({created(1, {{"Name", "A"}})});
  const std::string id = ledger->id();
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", id, {}, Rev{1000}), CursorVerdict::Follow);
  EXPECT_EQ(ledger->id(), id);
}

TEST_F(BirthTest, ANewLedgerStartsAboveEveryImageInATarget) {
  const Rev told{1'999'999'999'999'999};
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "01OTHER", Rev{7}, told),
            CursorVerdict::Materialize);
  apply({created(1, {{"Name", "A"}})});
  EXPECT_GT(ledger->head(), told);
}

TEST_F(BirthTest, ACursorInAGapThatNobodyWroteProvesAnOldCopy) {
  apply({created(1, {{"Name", "A"}})});
  const Rev before = ledger->head();
  clock.us += 60'000'000;
  crash_and_open();
  apply({updated(2, {{"Name", "B"}})});
  ASSERT_GT(ledger->head().value, before.value + 10);
  const std::string id = ledger->id();
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", id, Rev{before.value + 5}, {}),
            CursorVerdict::Materialize);
  EXPECT_NE(ledger->id(), id);
}

TEST_F(BirthTest, StatesAreStampedOnlyOnceNoStretchIsInDoubt) {
  apply({created(1, {{"Name", "A"}})});
  Rev ahead;
  bear_anew_in_doubt(ahead);
  EXPECT_TRUE(entries(ahead).empty());
  crash_and_open();
  ASSERT_TRUE(ledger->reproject());
  EXPECT_TRUE(entries(ahead).empty());
  ASSERT_TRUE(ledger->close_hole(ledger->holes().at(0),
                                 {Closing::How::Repaired, "resync", "read again", 0}));
  ASSERT_TRUE(ledger->reproject());
  EXPECT_EQ(ops(ahead), "rr") << "the closed hole, then the record";
}

TEST_F(BirthTest, LostPlatformEventsHoldNoStampBack) {
  apply({created(1, {{"Name", "A"}})});
  Rev ahead;
  bear_anew_in_doubt(ahead, "/event/Order_Event__e");
  ASSERT_TRUE(ledger->reproject());
  EXPECT_EQ(ops(ahead), "r") << "only an operator ends that hole, and it doubts no record";
}

TEST_F(BirthTest, ARecordThatChangesBeforeItsStampIsToldWholeFirst) {
  apply({created(1, {{"Name", "A"}})});
  Rev ahead;
  bear_anew_in_doubt(ahead);
  apply({updated(2, {{"Name", "B"}})});
  EXPECT_EQ(ops(ahead), "ru") << "a target may hold it as another copy told it";
  apply({updated(3, {{"Name", "C"}})});
  EXPECT_EQ(ops(ahead), "ruu") << "once";
}

}  // namespace
}  // namespace headwater::ledger
