#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

const std::string kTier = R"(
entities:
  account:
    object: Account
    base: builtin
    fields:
      tier: {expr: 'Tier__c', type: text}
)";
const std::string kTierAndSla = kTier + "      sla: {expr: 'Sla__c', type: text}\n";

class RemapTest : public LedgerTest {
 protected:
  void SetUp() override {
    options.read_mapping =
        [](const std::string& source) -> Result<std::shared_ptr<const crm::Mapping>> {
      for (const auto& text : {std::string(), kTier, kTierAndSla}) {
        if (auto mapping = mapping_of(text); mapping->source() == source) return mapping;
      }
      return rejected("unknown mapping");
    };
    LedgerTest::SetUp();
    apply({created(1, {{"Name", "A"}, {"Tier__c", "gold"}}), created(2, {{"Name", "B"}}, kOther)});
    head = ledger->head();
  }
  Rev head;
};

TEST_F(RemapTest, AnotherMappingTellsWhatChangedAsUpdatesWithBefore) {
  open(mapping_of(kTier));
  const auto told = entries(head);
  ASSERT_EQ(told.size(), 2U) << "a new field, null in one record";
  EXPECT_EQ(told[0].op, Op::Update);
  EXPECT_EQ(told[0].origin.type, ChangeType::Remap);
  EXPECT_EQ(told[0].origin.change_id, "emea/remap-7/0/" + kAcme);
  EXPECT_EQ(field(told[0], "tier"), "\"gold\"");
  ASSERT_TRUE(told[0].has_before);
  EXPECT_EQ(told[0].old.find(Section::Fields, "tier")->tag, Tag::Absent);
  EXPECT_EQ(told[0].old.find(Section::Extra, "Tier__c")->text, "gold");
  // The same mapping again tells nothing.
  const Rev after = ledger->head();
  open(mapping_of(kTier));
  EXPECT_EQ(ledger->head(), after);
}

TEST_F(RemapTest, AnOldMappingThatCannotBeReadTellsReads) {
  options.read_mapping = nullptr;
  open(mapping_of(kTier));
  const auto told = entries(head);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].op, Op::Read);
  EXPECT_FALSE(told[0].has_before);
}

TEST_F(RemapTest, ACrashAtAnyWriteResumesAndTellsEachChangeOnce) {
  for (std::size_t torn = 1; torn < 5; ++torn) {
    SCOPED_TRACE(torn);
    disk = std::make_shared<MemoryDisk>();
    open();
    std::vector<Event> events;
    for (int i = 0; i < 1200; ++i) {
      std::string id = kAcme.substr(0, 12) + std::to_string(100 + i / 10).substr(0, 3);
      id.replace(11, 1, 1, static_cast<char>('a' + i % 10));
      events.push_back(created(i + 1, {{"Name", "A"}, {"Tier__c", "gold"}}, id));
    }
    apply(events);
    const Rev before = ledger->head();
    ledger.reset();
    disk->tear_write(torn);
    const auto broken = Ledger::open(open_memory_store(disk), options, mapping_of(kTier), clock);
    EXPECT_FALSE(broken);
    disk->crash();
    open(mapping_of(kTier));
    EXPECT_EQ(entries(before).size(), 1200U);
  }
}

TEST_F(RemapTest, ACrashAtAnyWriteAndTheOldMappingAgainLeavesSinksWithTheOldOne) {
  for (std::size_t torn = 1; torn < 6; ++torn) {
    SCOPED_TRACE(torn);
    disk = std::make_shared<MemoryDisk>();
    open();
    apply({created(1, {{"Name", "A"}, {"Tier__c", "gold"}})});
    ledger.reset();
    disk->tear_write(torn);
    (void)Ledger::open(open_memory_store(disk), options, mapping_of(kTier), clock);
    disk->crash();
    open();
    EXPECT_EQ(entries().back().after.find(Section::Fields, "tier"), nullptr);
  }
}

TEST_F(RemapTest, AThirdMappingAfterACrashStillKnowsWhatSinksHold) {
  ledger.reset();
  disk->tear_write(2);  // after the job was noted
  EXPECT_FALSE(Ledger::open(open_memory_store(disk), options, mapping_of(kTier), clock));
  disk->crash();
  open(mapping_of(kTierAndSla));
  const auto last = entries(head).back();
  EXPECT_NE(last.after.find(Section::Fields, "sla"), nullptr);
  EXPECT_NE(last.after.find(Section::Fields, "tier"), nullptr);
  ASSERT_TRUE(last.has_before);
  open(mapping_of(kTierAndSla));
  EXPECT_EQ(ledger->head(), last.meta.rev);
}

TEST_F(RemapTest, ChangedFactsOfAnOrgProjectItsRecordsAgain) {
  crm::OrgFacts facts{"emea", "EUR", "DE", {}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  const auto told = entries(head);
  ASSERT_EQ(told.size(), 2U) << "records without a currency have the org's";
  EXPECT_EQ(field(told[0], "currency"), "\"EUR\"");
  EXPECT_EQ(told[0].op, Op::Update);
  const Rev after = ledger->head();
  crash_and_open();
  ASSERT_TRUE(ledger->set_org_facts(facts));
  EXPECT_EQ(ledger->head(), after);
  EXPECT_EQ(ledger->org_facts("emea")->currency, "EUR");
}

}  // namespace
}  // namespace headwater::ledger
