#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

TEST_F(LedgerTest, ACreateAnUpdateAndADeleteGiveThreeEntriesWithBeforeImages) {
  apply({created(1, {{"Name", "Acme"}, {"Phone", "1"}})});
  apply({updated(2, {{"Phone", "2"}})});
  apply({deleted(3)});
  const auto all = entries();
  ASSERT_EQ(ops(), "cud");
  EXPECT_FALSE(all[0].has_before);
  EXPECT_TRUE(all[0].meta.complete);
  EXPECT_EQ(field(all[0], "name"), "\"Acme\"");
  ASSERT_TRUE(all[1].has_before);
  EXPECT_EQ(field(all[1], "phone"), "\"2\"");
  EXPECT_EQ(all[1].old.find(Section::Fields, "phone")->text, "1");
  EXPECT_EQ(all[1].old.find(Section::Fields, "name"), nullptr);
  EXPECT_EQ(all[1].before.rev, all[0].meta.rev);
  EXPECT_EQ(all[1].before.hash, all[0].meta.hash);
  EXPECT_TRUE(all[2].after.empty());
  EXPECT_EQ(all[2].old.find(Section::Fields, "phone")->text, "2");
  EXPECT_EQ(all[2].delete_reason, "delete");
  EXPECT_TRUE(all[2].meta.deleted);
}

TEST_F(LedgerTest, AnEqualHashMakesNoEntryButVersionsMove) {
  apply({created(1, {{"Name", "Acme"}})});
  const Rev before = ledger->head();
  // The same value again, with a later version: nothing to tell.
  EXPECT_EQ(apply({updated(5, {{"Name", "Acme"}, {"LastModifiedDate", std::nullopt}})}).entries,
            0U);
  EXPECT_EQ(ledger->head(), before);
  // An older event for that field has lost, also after a crash.
  crash_and_open();
  EXPECT_EQ(apply({updated(3, {{"Name", "Old"}, {"LastModifiedDate", std::nullopt}})}).entries, 0U);
  EXPECT_NE(image(kAcme).find("\"name\":\"Acme\""), std::string::npos);
}

TEST_F(LedgerTest, APositionIsNeverAheadOfItsData) {
  ASSERT_TRUE(try_apply({created(1, {{"Name", "Acme"}})}, ReplayId("one")));
  disk->tear_write(1);
  EXPECT_FALSE(try_apply({created(2, {{"Name", "Two"}}, kOther)}, ReplayId("two")));
  // After a failed write nothing more is written, whatever it is.
  EXPECT_FALSE(ledger->save_position(stream, ReplayId("three")));
  crash_and_open();
  EXPECT_EQ(ledger->position(stream)->replay_id, ReplayId("one"));
  EXPECT_EQ(image(kOther), "");
  EXPECT_EQ(ops(), "c");
}

}  // namespace
}  // namespace headwater::ledger
