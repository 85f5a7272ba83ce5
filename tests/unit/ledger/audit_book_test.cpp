#include "daemon/ledger/audit_book.hpp"

#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

RecordKey key(const std::string& id) { return {"emea", "Account", *RecordId::parse(id)}; }

class AuditBookTest : public LedgerTest {
 protected:
  AuditBook book() { return AuditBook(*ledger); }
};

TEST_F(AuditBookTest, StandingsComeByIdAndSayWhatIsKnown) {
  apply({created(1, {{"Name", "Acme"}}),
         created(2, {{"Name", "Other"}}, kOther),
         updated(4, {{"Name", "Acme AG"}}),
         deleted(5, kOther)});
  auto all = book().standings("emea", "Account", "", 10);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].id.str(), kAcme);
  EXPECT_FALSE((*all)[0].deleted);
  EXPECT_TRUE((*all)[0].complete);
  EXPECT_EQ((*all)[0].known_to, 1'772'366'404'000);
  EXPECT_TRUE((*all)[1].deleted);
  // From one on; another object has none.
  EXPECT_EQ(book().standings("emea", "Account", kAcme, 10)->size(), 1U);
  EXPECT_EQ(book().standings("emea", "Account", "", 1)->size(), 1U);
  EXPECT_TRUE(book().standings("emea", "Accoun", "", 10)->empty());
}

TEST_F(AuditBookTest, TheRawImageIsWhatTheOrgToldFieldByField) {
  apply({created(1, {{"Name", "Acme"}, {"Phone", std::nullopt}})});
  std::size_t seen = 0;
  const RecordId ids[] = {*RecordId::parse(kAcme), *RecordId::parse(kOther)};
  const auto read = book().raw("emea", "Account", ids, [&](std::size_t i, const RawRecord* record) {
    ++seen;
    ASSERT_EQ(record == nullptr, i == 1) << "the second was never seen";
    if (record == nullptr) return;
    const auto name = ledger->names("emea", "Account").find("Name");
    const auto at = std::ranges::find(record->fields, *name, &Member::name);
    ASSERT_NE(at, record->fields.end());
    EXPECT_EQ(at->value.text, "Acme");
  });
  ASSERT_TRUE(read);
  EXPECT_EQ(seen, 2U);
}

TEST_F(AuditBookTest, ARecordToldAgainIsAReadThatOutranksWhatItWas) {
  apply({created(1, {{"Name", "Acme"}}),
         created(2, {{"Name", "Other"}}, kOther),
         deleted(3, kOther)});
  const std::string before = image(kAcme);
  const Rev head = ledger->head();
  const RecordKey keys[] = {key(kAcme), key(kOther), key("0015f00002JUXB9AAP")};
  const auto told = book().restate(keys);
  ASSERT_TRUE(told);
  EXPECT_EQ(*told, 2U) << "one was never seen";
  const auto after = entries(head);
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[0].op, Op::Read);
  EXPECT_EQ(after[0].origin.type, ChangeType::Reconcile);
  EXPECT_EQ(field(after[0], "name"), "\"Acme\"");
  EXPECT_FALSE(after[0].has_before) << "what a target holds is not known";
  EXPECT_EQ(after[1].op, Op::Delete);
  // The state stands at the new rev, unchanged otherwise, also for the writer's next event.
  EXPECT_EQ(image(kAcme), before);
  apply({updated(4, {{"Phone", "1"}})});
  const auto next = entries(after[1].meta.rev);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].before.rev.value, head.value + 1);
}

TEST_F(AuditBookTest, HolesAreOpenedTogetherAndFoundByTheirRecord) {
  Hole hole;
  hole.org = "emea";
  hole.object = "Account";
  hole.cause = "audit_missing";
  std::vector<Hole> holes;
  for (const auto& id : {kAcme, kOther}) {
    hole.id = id;
    holes.push_back(hole);
  }
  ASSERT_TRUE(book().open(holes));
  EXPECT_EQ(ledger->holes_open(), 2U);
  ASSERT_TRUE(book().hole_of("emea", "Account", kAcme)->has_value());
  EXPECT_EQ((*book().hole_of("emea", "Account", kAcme))->cause, "audit_missing");
  // A row that answers it closes it.
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "Acme"}}}});
  EXPECT_FALSE(book().hole_of("emea", "Account", kAcme)->has_value());
}

TEST_F(AuditBookTest, RowsOfTheAuditSurviveACrash) {
  ASSERT_TRUE(book().keep("r:emea:Account:2", "two"));
  ASSERT_TRUE(book().keep("r:emea:Account:1", "one"));
  ASSERT_TRUE(book().keep("r:emea:Lead:1", "lead"));
  crash_and_open();
  const auto rows = book().kept("r:emea:Account:");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].second, "one");
  EXPECT_EQ(*book().text_of("r:emea:Account:2"), "two");
  EXPECT_EQ(*book().text_of("r:emea:Account:"), "") << "the beginning of others is no name";
  ASSERT_TRUE(book().forget("r:emea:Account:1"));
  EXPECT_EQ(book().kept("r:emea:Account:")->size(), 1U);
}

}  // namespace
}  // namespace headwater::ledger
