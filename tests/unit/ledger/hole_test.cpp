#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/hole_counts.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

const std::string kThird = "0015f00002JUXAAAA5";

class HoleTest : public LedgerTest {
 protected:
  std::string causes() {
    std::string out;
    for (const Hole& hole : ledger->holes()) out += hole.object + ":" + hole.cause + " ";
    return out;
  }
};

TEST_F(HoleTest, AnUpdateOfAnUnknownRecordIsAppliedAndTheRecordAskedForOnce) {
  EXPECT_EQ(apply({updated(1, {{"Name", "A"}})}).refetches, 1U);
  EXPECT_EQ(apply({updated(2, {{"Name", "B"}})}).refetches, 0U);
  ASSERT_EQ(ledger->holes_open(), 1U);
  const Hole hole = ledger->holes()[0];
  EXPECT_EQ(hole.cause, "incomplete");
  EXPECT_EQ(hole.id, kAcme);
  EXPECT_EQ(ops(), "ru") << "holes of single records are counted, not told";
  crash_and_open();
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(HoleTest, GapsAskForTheRecordAndAGapDeleteDeletes) {
  apply({created(1, {{"Name", "A"}}), created(2, {{"Name", "B"}}, kOther)});
  Event gap = updated(3, {});
  gap.type = ChangeType::GapUpdate;
  Event gone = deleted(4, kOther);
  gone.type = ChangeType::GapDelete;
  apply({gap, gone});
  EXPECT_EQ(causes(), "Account:gap Account:parent_deleted ");
  EXPECT_EQ(entries().back().op, Op::Delete);
  EXPECT_EQ(entries().back().delete_reason, "gap");
}

TEST_F(HoleTest, HolesAreCountedByCauseAndThoseOfADeletionApart) {
  const auto counts = [this] {
    std::string out;
    for (const auto& count : AuditBook(*ledger).hole_counts())
      out += count.cause + " " + std::to_string(count.open) + "/" + std::to_string(count.opened) +
             "; ";
    return out;
  };
  EXPECT_EQ(counts(), "");
  Event gap = updated(3, {});
  gap.type = ChangeType::GapUpdate;
  apply(
      {created(1, {{"Name", "A"}}), created(2, {{"Name", "B"}}, kOther), gap, deleted(4, kOther)});
  apply({updated(5, {{"Name", "C"}}, kThird)});
  EXPECT_EQ(counts(), "deletion 1/1; gap 1/1; incomplete 1/1; ");

  // A later doubt of the same record is the same hole under another cause.
  gap.ids = {kThird};
  gap.number = 6;
  apply({gap});
  EXPECT_EQ(counts(), "deletion 1/1; gap 2/1; incomplete 0/1; ");

  // The deletion is looked into, which is no other hole.
  ASSERT_TRUE(ledger->doubt_children(ledger->due_fates("emea", clock.now_ms(), 10)));
  EXPECT_EQ(counts(), "deletion 1/1; gap 2/1; incomplete 0/1; ");

  crash_and_open();
  EXPECT_EQ(counts(), "deletion 1/0; gap 2/0; ") << "what is open is known, what was opened is not";
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "A"}}}});
  EXPECT_EQ(counts(), "deletion 1/0; gap 1/0; ");
}

TEST_F(HoleTest, ADoubtThatAnAnswerEndsAndOpensAnewHasNotClosed) {
  apply({created(10, {{"Name", "A"}})});
  const Version first = *ledger->note_version("emea"), second = *ledger->note_version("emea");
  const EpochMs stamp = clock.now_ms() + 60'000;
  apply_rows(second, {{kAcme, {{"Name", "B"}}, stamp}});
  Event gap = updated(9, {});
  gap.type = ChangeType::GapUpdate;
  apply({gap});
  ASSERT_EQ(doubts(), 1U);
  // It was asked for after the gap, and before the row that is held, yet shows a later state.
  apply_rows(first, {{kAcme, {{"Name", "C"}}, stamp + 60'000}});
  ASSERT_EQ(doubts(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "tie");
  EXPECT_TRUE(ledger->closed_holes().empty()) << ledger->closed_holes()[0].closing.evidence;
}

TEST_F(HoleTest, AGapUndeleteAsksForTheRecordAndTellsNothing) {
  apply({created(1, {{"Name", "A"}}), deleted(2)});
  const Rev before = ledger->head();
  Event gap = updated(3, {});
  gap.type = ChangeType::GapUndelete;
  apply({gap});
  EXPECT_EQ(causes(), "Account:gap Account:parent_deleted ");
  EXPECT_EQ(ops(before), "");
}

TEST_F(HoleTest, TheDummyRecordStandsForItsObjectWhateverTheChange) {
  apply({updated(1, {{"Name", "A"}}, "000000000000000AAA")});
  EXPECT_EQ(causes(), "Account:overflow ");
  EXPECT_TRUE(ledger->counts().empty() || ledger->counts()[0].alive == 0) << "it is no record";
}

TEST_F(HoleTest, ADoubtOfARecordThatWasPutOffIsDueAtOnceWhenItIsRenewed) {
  Event gap = updated(2, {});
  gap.type = ChangeType::GapUpdate;
  apply({created(1, {{"Name", "A"}}), gap});
  const EpochMs now = clock.now_ms();
  ASSERT_TRUE(ledger->postpone(ledger->due_refetches("emea", now, 10), now + 9000));
  Event later = gap;
  later.number = 3;
  apply({later});
  EXPECT_EQ(ledger->due_refetches("emea", now, 10).size(), 1U);
}

TEST_F(HoleTest, TwoStretchesOfOneTopicForTwoReasonsAreTwoHoles) {
  for (const char* cause : {"expired", "undecodable", "expired"}) {
    Hole stretch;
    stretch.scope = Hole::Scope::Stretch;
    stretch.org = "emea";
    stretch.topic = "/data/ChangeEvents";
    stretch.cause = cause;
    ASSERT_TRUE(ledger->open_hole(stretch));
  }
  EXPECT_EQ(ledger->holes_open(), 2U);
}

TEST_F(HoleTest, WildcardsAndOverflowsAreHolesOfTheObjectAndAreTold) {
  apply({updated(1, {{"Name", "A"}}, "001*")});
  Event overflow = updated(2, {}, "000000000000000AAA");
  overflow.type = ChangeType::GapOverflow;
  overflow.object = "Contact";
  apply({overflow});
  apply({overflow});
  EXPECT_EQ(causes(), "Account:wildcard Contact:overflow ");
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].kind, EntryKind::Hole);
  EXPECT_EQ(all[0].rkey, "emea:o:Account");
  EXPECT_EQ(all[0].org, "emea");
  EXPECT_FALSE(all[0].closed);
  EXPECT_EQ(all[0].row,
            "{\"id\":1772366400000000,\"org\":\"emea\",\"scope\":\"object\",\"object\":\"Account\","
            "\"topic\":null,\"cause\":\"wildcard\",\"since\":\"2026-03-01T12:00:01.000Z\","
            "\"opened_at\":\"2026-03-01T12:00:00.000Z\",\"attempts\":0,\"status\":\"open\"}");
}

TEST_F(HoleTest, ATextDiffThatCannotBeReadMakesTheRecordAskedFor) {
  apply({created(1, {{"Name", "A"}, {"Description", "long"}})});
  Event diff = updated(2, {{"Name", "B"}});
  diff.diffs = {{"Description", "--- +++ …"}};
  apply({diff});
  EXPECT_EQ(causes(), "Account:diff ");
  EXPECT_EQ(field(entries().back(), "description"), "\"long\"");
  EXPECT_EQ(entries().back().changed_source.size(), 2U);
}

TEST_F(HoleTest, ADiffOfAnIncompleteRecordOutlivesTheRowThatWasAskedForBeforeIt) {
  apply({updated(1, {{"Name", "A"}})});
  const auto noted = ledger->note_version("emea");
  ASSERT_TRUE(noted);
  Event diff = updated(2, {{"Name", "B"}});
  diff.diffs = {{"Description", "--- +++ …"}};
  apply({diff});
  apply_rows(*noted, {{kAcme, {{"Name", "A"}, {"Description", "before the diff"}}}});
  EXPECT_EQ(ledger->holes_open(), 1U) << "the row does not hold what the diff changed";
}

TEST_F(HoleTest, AHoleOfARecordStaysReadableWithItsEvidenceWhenItIsClosed) {
  Event gap = updated(2, {});
  gap.type = ChangeType::GapUpdate;
  apply({created(1, {{"Name", "A"}}), gap, updated(3, {{"Name", "B"}}, kOther)});
  const auto noted = ledger->note_version("emea");
  apply_rows(*noted, {{kAcme, {{"Name", "A"}}}, {kOther, {}, 0, false}});
  crash_and_open();
  EXPECT_EQ(causes(), "Account:parent_deleted ");
  const auto closed = ledger->closed_holes();
  ASSERT_EQ(closed.size(), 2U);
  EXPECT_EQ(closed[0].cause, "gap") << "before what is routine";
  EXPECT_EQ(closed[0].id, kAcme);
  EXPECT_EQ(closed[0].closing.how, Closing::How::Repaired);
  EXPECT_EQ(closed[0].closing.evidence,
            "read by its id as of version " + noted->str() + ": it lives, as it is told since");
  EXPECT_EQ(closed[0].closing.at, clock.now_ms());
  EXPECT_EQ(closed[1].cause, "incomplete");
  EXPECT_EQ(closed[1].closing.evidence,
            "read by its id as of version " + noted->str() + ": the org has it no more");
}

Hole lost_stretch() {
  Hole stretch;
  stretch.scope = Hole::Scope::Stretch;
  stretch.org = "emea";
  stretch.topic = "/data/ChangeEvents";
  stretch.cause = "expired";
  return stretch;
}

TEST_F(HoleTest, AnOpenStretchIsToldOnceAndAgainWhenItCloses) {
  Hole stretch = lost_stretch();
  stretch.from_ts = 1'772'366'000'000;
  ASSERT_TRUE(ledger->open_hole(stretch));
  ASSERT_TRUE(ledger->open_hole(stretch));
  ASSERT_EQ(ledger->holes_open(), 1U);
  crash_and_open();
  const Hole kept = ledger->holes().at(0);
  EXPECT_EQ(kept.topic, stretch.topic);
  EXPECT_EQ(kept.rev, entries()[0].meta.rev);
  ASSERT_TRUE(
      ledger->close_hole(kept, {Closing::How::Repaired, "resync", "snapshot of all objects", 0}));
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[1].closed);
  EXPECT_EQ(all[1].rkey, all[0].rkey);
}

TEST_F(HoleTest, AStretchThatIsRenewedEndsLaterThoughTheClockWentBack) {
  Hole stretch = lost_stretch();
  stretch.to_ts = 1'772'366'000'000 + 86'400'000;  // by a clock that was a day ahead
  ASSERT_TRUE(ledger->open_hole(stretch));
  stretch.to_ts = 1'772'366'000'000;  // the position is lost again
  ASSERT_TRUE(ledger->open_hole(stretch));
  ASSERT_EQ(ledger->holes_open(), 1U);
  // Jobs name what they answer by its end: those of before answer it no more.
  EXPECT_EQ(ledger->holes().at(0).to_ts, 1'772'366'000'000 + 86'400'000 + 1);
}

TEST_F(HoleTest, AStretchWhoseBeginningNobodyKnewIsNotRenewedWithOne) {
  Hole stretch = lost_stretch();
  ASSERT_TRUE(ledger->open_hole(stretch));
  stretch.from_ts = 1'772'366'000'000;
  ASSERT_TRUE(ledger->open_hole(stretch));
  EXPECT_EQ(ledger->holes().at(0).from_ts, 0) << "all of it is read";
}

TEST_F(HoleTest, AStretchThatTwoEventsOfOneResponseOpenIsOne) {
  const std::vector<Hole> twice{lost_stretch(), lost_stretch()};
  IngestBatch batch;
  batch.stream = stream;
  batch.holes = twice;
  ASSERT_TRUE(ledger->apply(batch));
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(HoleTest, DueOnesComeOldestFirstAndPostponedOnesLater) {
  apply({updated(1, {{"Name", "A"}}, kOther)});
  clock.us += 1'000'000;
  apply({updated(2, {{"Name", "A"}})});
  const EpochMs now = clock.now_ms();
  auto due = ledger->due_refetches("emea", now, 10);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].id, kOther);
  EXPECT_EQ(ledger->due_refetches("emea", now, 1)[0].id, kOther) << "asking changes nothing";
  EXPECT_TRUE(ledger->due_refetches("us", now, 10).empty());
  ASSERT_TRUE(ledger->postpone({due.data(), 1}, now + 5000));
  due = ledger->due_refetches("emea", now, 10);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].id, kAcme);
  ASSERT_TRUE(ledger->postpone(due, now + 9000));
  EXPECT_TRUE(ledger->due_refetches("emea", now, 10).empty());
  EXPECT_TRUE(ledger->due_refetches("emea", now + 4999, 10).empty());
  due = ledger->due_refetches("emea", now + 5000, 10);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].attempts, 1U);
}

TEST_F(HoleTest, ATryThatAWrongClockPutOffForADayIsDueOnceTheClockIsRight) {
  apply({updated(1, {{"Name", "A"}})});
  const EpochMs now = clock.now_ms();
  const auto due = ledger->due_refetches("emea", now, 10);
  ASSERT_TRUE(ledger->postpone(due, now + 24LL * 3'600'000));
  EXPECT_EQ(ledger->due_refetches("emea", now, 10).size(), 1U);
}

TEST_F(HoleTest, ADoubtThatCameDuringARefetchIsNotPutOffWithIt) {
  apply({created(1, {{"Name", "A"}})});
  Event gap = updated(2, {});
  gap.type = ChangeType::GapUpdate;
  apply({gap});
  const EpochMs now = clock.now_ms();
  const auto asked = ledger->due_refetches("emea", now, 10);
  ASSERT_EQ(asked.size(), 1U);
  Event later = updated(3, {});
  later.type = ChangeType::GapUpdate;
  apply({later});
  ASSERT_TRUE(ledger->postpone(asked, now + 9000));
  EXPECT_EQ(ledger->due_refetches("emea", now, 10).size(), 1U);
}

TEST_F(HoleTest, AClosedHoleStaysReadableWithWhoWhenAndWhy) {
  for (const char* topic : {"/data/A", "/data/B"}) {
    Hole stretch;
    stretch.scope = Hole::Scope::Stretch;
    stretch.org = "emea";
    stretch.topic = topic;
    stretch.cause = "undecodable";
    ASSERT_TRUE(ledger->open_hole(stretch));
  }
  const auto open = ledger->holes();
  ASSERT_EQ(open.size(), 2U);
  clock.us += 1'000'000;
  ASSERT_TRUE(ledger->close_hole(open[0], {Closing::How::Accepted, "alice", "a test event", 0}));
  ASSERT_TRUE(ledger->close_hole(open[0], {Closing::How::Accepted, "bob", "again", 0}));
  ASSERT_TRUE(ledger->close_hole(open[1], {Closing::How::Repaired, "resync", "all read", 0}));
  crash_and_open();
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto closed = ledger->closed_holes();
  ASSERT_EQ(closed.size(), 2U) << "closed once each";
  EXPECT_EQ(closed[0].topic, "/data/B") << "newest first";
  EXPECT_EQ(closed[0].closing.how, Closing::How::Repaired);
  EXPECT_EQ(closed[1].closing.how, Closing::How::Accepted) << "not to be taken for a repair";
  EXPECT_EQ(closed[1].closing.by, "alice");
  EXPECT_EQ(closed[1].closing.evidence, "a test event");
  EXPECT_EQ(closed[1].closing.at, clock.now_ms());
  EXPECT_EQ(closed[1].rev, open[0].rev);
  EXPECT_EQ(closed[1].cause, "undecodable");
  const auto told = entries();
  EXPECT_NE(told[2].row.find(R"("status":"accepted","closed_at":"2026-03-01T12:00:01.000Z",)"
                             R"("closed_by":"alice","evidence":"a test event"})"),
            std::string::npos)
      << told[2].row;
}

}  // namespace
}  // namespace headwater::ledger
