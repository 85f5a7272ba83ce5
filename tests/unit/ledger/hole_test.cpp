#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

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
  EXPECT_EQ(causes(), "Account:gap ");
  EXPECT_EQ(entries().back().op, Op::Delete);
  EXPECT_EQ(entries().back().delete_reason, "gap");
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
            "\"opened_at\":\"2026-03-01T12:00:00.000Z\",\"attempts\":0}");
}

TEST_F(HoleTest, ATextDiffIsNotAppliedButTheRecordAskedFor) {
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

TEST_F(HoleTest, AnOpenStretchIsToldOnceAndAgainWhenItCloses) {
  Hole stretch;
  stretch.scope = Hole::Scope::Stretch;
  stretch.org = "emea";
  stretch.topic = "/data/ChangeEvents";
  stretch.cause = "expired";
  stretch.from_ts = 1'772'366'000'000;
  ASSERT_TRUE(ledger->open_hole(stretch));
  ASSERT_TRUE(ledger->open_hole(stretch));
  ASSERT_EQ(ledger->holes_open(), 1U);
  crash_and_open();
  const Hole kept = ledger->holes().at(0);
  EXPECT_EQ(kept.topic, stretch.topic);
  EXPECT_EQ(kept.rev, entries()[0].meta.rev);
  ASSERT_TRUE(ledger->close_hole(kept, "snapshot of all objects"));
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[1].closed);
  EXPECT_EQ(all[1].rkey, all[0].rkey);
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

TEST_F(HoleTest, AQuarantinedEventIsKeptWithItsBytesAndToldOnce) {
  QuarantineRow row;
  row.org = "emea";
  row.stage = "decode";
  row.reason_code = "avro";
  row.reason = "ends early";
  row.schema_id = "s1";
  row.replay_id = std::string("\0\x01", 2);
  row.payload = std::string("\0bytes", 6);
  ASSERT_TRUE(ledger->quarantine({&row, 1}));
  ASSERT_TRUE(ledger->quarantine({&row, 1}));
  EXPECT_EQ(ledger->quarantine_open(), 1U);
  crash_and_open();
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  const QuarantineRow kept = ledger->quarantined().at(0);
  EXPECT_EQ(kept.payload, row.payload);
  EXPECT_EQ(kept.attempts, 2U);
  const auto all = entries();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].kind, EntryKind::Quarantine);
  EXPECT_EQ(all[0].meta.rev, kept.rev);
  EXPECT_EQ(all[0].rkey, "emea::0001:decode:avro");
  EXPECT_EQ(all[0].row,
            "{\"id\":1772366400000000,\"org\":\"emea\",\"object\":null,\"record_id\":null,"
            "\"stage\":\"decode\",\"reason_code\":\"avro\",\"reason\":\"ends early\","
            "\"schema_id\":\"s1\",\"attempts\":1,\"first_seen\":\"2026-03-01T12:00:00.000Z\","
            "\"last_seen\":\"2026-03-01T12:00:00.000Z\"}");
}

}  // namespace
}  // namespace headwater::ledger
