#include "daemon/ledger/audit_book.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

using RowsTest = LedgerTest;

TEST_F(RowsTest, ARowCompletesTheRecordAndClosesItsHole) {
  apply({updated(1, {{"Name", "A"}})});
  const auto noted = ledger->note_version("emea");
  apply_rows(*noted, {{kAcme, {{"Name", "A"}, {"Phone", "1"}}}});
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].op, Op::Read);
  EXPECT_TRUE(all[1].has_before);
  EXPECT_TRUE(all[1].meta.complete);
  EXPECT_EQ(all[1].origin.snapshot, SnapshotMark::Incremental);
  EXPECT_EQ(all[1].origin.change_id, "emea/fetch-" + noted->str() + "/0/" + kAcme);
}

TEST_F(RowsTest, ARowEndsAllThatWasOwedOfTheRecord) {
  const auto facts = [&] {
    return **ledger->facts_of({"emea", "Account", *RecordId::parse(kAcme)});
  };
  apply({updated(1, {{"Name", "A"}})});
  EXPECT_TRUE(facts().refetch_owed);
  EXPECT_EQ(ledger->counts().at(0).incomplete, 1U);
  const EpochMs stamp = 1'772'366'399'000;
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "A"}}, stamp}});
  EXPECT_FALSE(facts().refetch_owed) << "else no audit would look at it again";
  EXPECT_EQ(ledger->counts().at(0).incomplete, 0U);
  EXPECT_EQ(entries().back().meta.commit_ts, stamp) << "when it was saved, not when it was read";
}

TEST_F(RowsTest, MorePartialEventsDoNotPutOffTheRowThatIsOwed) {
  apply({updated(1, {{"Name", "A"}})});
  const auto noted = ledger->note_version("emea");
  apply({updated(2, {{"Name", "B"}})});
  apply_rows(*noted, {{kAcme, {{"Name", "A"}, {"Phone", "1"}}, 1'772'366'401'000}});
  EXPECT_EQ(ledger->holes_open(), 0U);
  EXPECT_EQ(field(entries().back(), "name"), "\"B\"") << "and lose nothing by it";
}

TEST_F(RowsTest, ARowNotedBeforeAGapDoesNotCloseItsHole) {
  apply({created(1, {{"Name", "A"}})});
  const auto noted = ledger->note_version("emea");
  Event gap = updated(2, {});
  gap.type = ChangeType::GapUpdate;
  apply({gap});
  apply_rows(*noted, {{kAcme, {{"Name", "A"}}}});
  EXPECT_EQ(ledger->holes_open(), 1U);
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "B"}}}});
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(RowsTest, ATieIsAskedForAgainUntilARowWasReadAfterIt) {
  const EpochMs stamp = 1'772'366'460'000;
  apply({created(1, {{"Name", "A"}})});
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "B"}}, stamp}});
  Event tie = updated(2, {{"Name", "C"}});
  tie.ts = stamp;
  EXPECT_EQ(apply({tie}).refetches, 1U);
  EXPECT_EQ(ledger->holes().at(0).cause, "tie");
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "C"}}, stamp}});
  EXPECT_EQ(ledger->holes_open(), 0U);
  // Delivered once more, it is contained.
  EXPECT_EQ(apply({tie}).refetches, 0U);
}

TEST_F(RowsTest, ALaggingStreamCannotWalkARecordBack) {
  const EpochMs stamp = 1'772'366'500'000;
  apply({created(1, {{"Name", "A"}})});
  apply_rows(*ledger->note_version("emea"),
             {{kAcme, {{"Name", "Newest"}, {"LastModifiedDate", "later"}}, stamp}});
  const Rev read = ledger->head();
  // Events of the backlog, with greater numbers, committed long before the row was last saved.
  for (int i = 2; i < 10; ++i) apply({updated(i, {{"Name", "old " + std::to_string(i)}})});
  EXPECT_EQ(ledger->head(), read);
}

TEST_F(RowsTest, ARecordThatTheOrgNoLongerHasIsDeleted) {
  apply({updated(1, {{"Name", "A"}})});
  apply_rows(*ledger->note_version("emea"), {{kAcme, {}, 0, false}});
  const auto all = entries();
  ASSERT_EQ(ops(), "rd");
  EXPECT_EQ(entries()[1].delete_reason, "cascade");
  EXPECT_EQ(entries()[1].deleted_at, clock.now_ms());
  EXPECT_EQ(doubts(), 0U);
  // An event that the deletion has outrun does not bring it back.
  apply_rows(*ledger->note_version("emea"), {{kAcme, {}, 0, false}});
  EXPECT_EQ(ops(), "rd");
}

TEST_F(RowsTest, ADeleteThatLagsDoesNotBringBackARecordThatWasReadAsGone) {
  const EpochMs noon = 1'772'366'400'000;
  apply({created(1, {{"Name", "A"}})});
  // Deleted at 12:00:05, brought back at 12:00:20, read, deleted for good, read: the bus lags
  // behind.
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "B"}}, noon + 20'000}});
  apply_rows(*ledger->note_version("emea"), {{kAcme, {}, 0, false}});
  ASSERT_EQ(ops(), "crd");
  EXPECT_EQ(entries()[2].deleted_at, clock.now_ms()) << "nobody says when it went";
  apply({deleted(5)});
  EXPECT_EQ(ops(), "crd");
}

TEST_F(RowsTest, ARecordThatASinkAloneHeldIsToldAsDeletedOnceTheOrgSaysSo) {
  const RecordKey key{"emea", "Account", *RecordId::parse(kAcme)};
  AuditBook book(*ledger);
  apply_rows(*ledger->note_version("emea"), {{kAcme, {}, 0, false}});
  EXPECT_EQ(ops(), "") << "nobody has it: nothing to tell";
  auto hole = stray_hole(key, "redis alone holds it");
  ASSERT_TRUE(book.open({&hole, 1}));
  ASSERT_EQ(ledger->due_refetches("emea", clock.now_ms(), 10).size(), 1U);
  apply_rows(*ledger->note_version("emea"), {{kAcme, {}, 0, false}});
  ASSERT_EQ(ops(), "d");
  EXPECT_EQ(entries()[0].rkey, key.str());
  EXPECT_EQ(doubts(), 0U);
  // It lives after all: then it is read in.
  const std::string other = RecordId::parse("0015f0000000001")->str();
  hole = stray_hole({"emea", "Account", *RecordId::parse(other)}, "");
  ASSERT_TRUE(book.open({&hole, 1}));
  apply_rows(*ledger->note_version("emea"), {{other, {{"Name", "B"}}}});
  EXPECT_EQ(ops(), "dr");
}

}  // namespace
}  // namespace headwater::ledger
