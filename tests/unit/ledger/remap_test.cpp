#include <random>
#include <set>

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
    options.read_mapping = config::read_mapping;
    LedgerTest::SetUp();
    apply({created(1, {{"Name", "A"}, {"Tier__c", "gold"}}), created(2, {{"Name", "B"}}, kOther)});
    head = ledger->head();
  }
  /// Until nothing is owed any more.
  void settle() {
    for (int i = 0; ledger->reprojecting() && i < 10'000; ++i) {
      const auto more = ledger->reproject();
      ASSERT_TRUE(more) << more.error().message;
    }
    EXPECT_FALSE(ledger->reprojecting());
  }
  static std::string id_of(int i) { return kAcme.substr(0, 11) + std::to_string(1'000 + i); }
  /// Every record's image, as a sink has it that read the whole journal.
  std::map<std::string, std::string> told() {
    std::map<std::string, std::string> out;
    for (const EntryView& entry : entries()) {
      if (entry.kind != EntryKind::Record) continue;
      std::string& place = out[std::string(entry.entity) + " " + std::string(entry.id)];
      place.clear();
      if (entry.op != Op::Delete) append_hash_input(place, entry.bu, entry.after);
    }
    std::erase_if(out, [](const auto& held) { return held.second.empty(); });
    return out;
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

TEST_F(RemapTest, AnEventBehindAReloadedMappingBuildsOnWhatThatTold) {
  ASSERT_TRUE(ledger->set_mapping(mapping_of(kTier)));
  settle();
  const auto remapped = entries(head);
  ASSERT_EQ(remapped.size(), 2U);
  const Rev told = remapped[0].meta.rev;
  ASSERT_EQ(remapped[0].id, kAcme);
  apply({updated(3, {{"Name", "A2"}})});
  EXPECT_EQ(entries().back().before.rev, told);
}

TEST_F(RemapTest, ABusinessUnitAloneIsTold) {
  open(mapping_of("orgs:\n  emea: {bu: uk}\n"));
  const auto told = entries(head);
  ASSERT_EQ(told.size(), 2U) << "though no field is another";
  EXPECT_EQ(told[0].op, Op::Update);
  EXPECT_EQ(told[0].bu, "uk");
  EXPECT_EQ(told[0].before_bu, "emea");
  EXPECT_NE(told[0].meta.hash, told[0].before.hash);
}

TEST_F(RemapTest, AnOldMappingThatCannotBeReadTellsAllAsReads) {
  options.read_mapping = nullptr;
  open(mapping_of("orgs:\n  emea: {bu: emea}\n"));
  const auto told = entries(head);
  ASSERT_EQ(told.size(), 2U) << "though no image is another: it may stand in another place";
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
    auto broken = Ledger::open(open_memory_store(disk), options, mapping_of(kTier), clock);
    bool failed = !broken;
    while (!failed && (*broken)->reprojecting()) failed = !(*broken)->reproject();
    EXPECT_TRUE(failed);
    if (broken) broken->reset();
    disk->crash();
    open(mapping_of(kTier));
    settle();
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
    settle();
    EXPECT_EQ(entries().back().after.find(Section::Fields, "tier"), nullptr);
  }
}

TEST_F(RemapTest, AThirdMappingAfterACrashStillKnowsWhatSinksHold) {
  ledger.reset();
  disk->tear_write(2);  // after the job was noted
  EXPECT_FALSE(Ledger::open(open_memory_store(disk), options, mapping_of(kTier), clock));
  disk->crash();
  open(mapping_of(kTierAndSla));
  settle();
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

TEST_F(RemapTest, ANewRecordTypeIsToldOfRecordsThatHaveIt) {
  const std::string uk = "0125f000000UkUkAAK", de = "0125f000000DeDeAAK";
  crm::OrgFacts facts{"emea", "EUR", "DE", {}};
  facts.record_types = {{de, "DE_Customer"}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  Event contact = created(9, {{"LastName", "Lee"}}, id_of(1));
  contact.object = "Contact";
  apply({created(5, {{"Name", "U"}, {"RecordTypeId", uk}}, id_of(2)),
         created(6, {{"Name", "D"}, {"RecordTypeId", de}}, id_of(3)),
         contact});
  EXPECT_EQ(ledger->unknown_record_types("emea"), std::vector{uk});
  const Rev before = ledger->head();
  facts.record_types.emplace(uk, "UK_Customer");
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  const auto told = entries(before);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].id, RecordId::parse(id_of(2))->str());
  EXPECT_EQ(told[0].op, Op::Update);
  EXPECT_EQ(field(told[0], "record_type"), "\"UK_Customer\"");
  EXPECT_EQ(told[0].old.find(Section::Fields, "record_type")->tag, Tag::Null);
  EXPECT_EQ(ledger->unknown_record_types("emea"), std::vector<std::string>());
  crash_and_open();
  EXPECT_EQ(ledger->org_facts("emea")->record_types, facts.record_types);
}

TEST_F(RemapTest, ARenamedRecordTypeIsToldThoughACrashComesBetween) {
  options.reproject_records = 1;
  open();
  const std::string uk = "0125f000000UkUkAAK";
  crm::OrgFacts facts{"emea", "", "", {}};
  facts.record_types = {{uk, "UK"}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  std::vector<Event> events;
  for (int i = 0; i < 5; ++i) {
    Event event = created(10 + i, {{"Name", "N"}, {"RecordTypeId", uk}}, id_of(i));
    if (i == 0) event.fields.erase("RecordTypeId");
    if (i == 1) event.object = "Case";
    events.push_back(std::move(event));
  }
  apply(events);
  const Rev before = ledger->head();
  facts.record_types[uk] = "GB";
  ASSERT_TRUE(ledger->set_org_facts(facts));
  EXPECT_TRUE(ledger->reprojecting());
  crash_and_open();
  settle();
  const auto told = entries(before);
  ASSERT_EQ(told.size(), 4U);
  for (const EntryView& entry : told) EXPECT_EQ(field(entry, "record_type"), "\"GB\"");
}

std::string listed(const ImageView& image, const ImageView& other, std::string_view retired) {
  std::string out;
  const auto* names = image.names != nullptr ? image.names : other.names;
  if (!retired.empty()) append_retired(out, *names, retired);
  return out;
}
std::string retired_of(const EntryView& entry) {
  return listed(entry.after, entry.old, entry.meta.retired);
}
std::string retired_before(const EntryView& entry) {
  return listed(entry.old, entry.after, entry.before.retired);
}

TEST_F(RemapTest, AFieldThatTheOrgShowsNoLongerIsListedWithItsValueUntilItComesBack) {
  crm::OrgFacts facts{"emea", "", "", {}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  Event contact = created(9, {{"LastName", "Lee"}, {"Tier__c", "gold"}}, id_of(1));
  contact.object = "Contact";
  apply({contact});
  const Rev before = ledger->head();
  facts.retired = {{"Account", {"Tier__c", "Never__c"}}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  auto told = entries(before);
  ASSERT_EQ(told.size(), 1U) << "of those that know it, though no image is another";
  EXPECT_EQ(told[0].id, kAcme);
  EXPECT_EQ(told[0].op, Op::Update);
  EXPECT_EQ(told[0].meta.hash, told[0].before.hash);
  EXPECT_EQ(retired_of(told[0]), R"(["Tier__c"])");
  EXPECT_EQ(retired_before(told[0]), "");
  EXPECT_EQ(told[0].after.find(Section::Extra, "Tier__c")->text, "gold");

  // What else happens to the record leaves it there; a sink that is filled gets it, too.
  crash_and_open();
  EXPECT_EQ(ledger->org_facts("emea")->retired, facts.retired);
  Rev read = ledger->head();
  apply({updated(20, {{"Name", "A2"}})});
  told = entries(read);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(retired_of(told[0]), R"(["Tier__c"])");
  EXPECT_EQ(retired_before(told[0]), R"(["Tier__c"])");
  EntryBatch state;
  ASSERT_TRUE(ledger->get({"emea", "Account", *RecordId::parse(kAcme)}, state));
  EXPECT_EQ(retired_of(state.entries()[0]), R"(["Tier__c"])");
  apply({deleted(21)});
  EXPECT_EQ(retired_of(entries().back()), R"(["Tier__c"])") << "with its last image";

  read = ledger->head();
  facts.retired.clear();
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  told = entries(read);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].op, Op::Delete);
  EXPECT_EQ(retired_of(told[0]), "");
}

TEST_F(RemapTest, ARecordThatIsYetToBeToldOfARetiredFieldHasItsEventsInOrder) {
  options.reproject_records = 1;
  open();
  crm::OrgFacts facts{"emea", "", "", {}};
  facts.record_types = {{"0125f000000UkUkAAK", "UK"}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  settle();
  std::vector<Event> events;
  for (int i = 0; i < 4; ++i) events.push_back(created(30 + i, {{"Tier__c", "tin"}}, id_of(i)));
  apply(events);
  const Rev before = ledger->head();
  facts.retired = {{"Account", {"Tier__c"}}};
  ASSERT_TRUE(ledger->set_org_facts(facts));
  EXPECT_TRUE(ledger->reprojecting());
  Event change = updated(40, {{"Name", "Z"}});
  change.ids = {id_of(3)};
  apply({change});
  crash_and_open();
  settle();
  const auto told = entries(before);
  ASSERT_EQ(told.size(), 6U) << "five that know it, and one event";
  for (const EntryView& entry : told) EXPECT_EQ(retired_of(entry), R"(["Tier__c"])");
  std::vector<std::string> of_changed;
  for (const EntryView& entry : told) {
    if (entry.id == RecordId::parse(id_of(3))->str()) of_changed.push_back(retired_before(entry));
  }
  EXPECT_EQ(of_changed, (std::vector<std::string>{"", R"(["Tier__c"])"}));
}

const std::string kTwice = R"(
entities:
  account:
    object: Account
    base: builtin
    fields:
      twice: {expr: 'mul(Tier__c, 2)', type: decimal}
)";

std::string violations_of(const EntryView& entry) {
  std::string out;
  const NameTable* names = entry.after.names;
  if (!entry.meta.violations.empty()) append_violations(out, *names, entry.meta.violations);
  return out;
}

TEST_F(RemapTest, ViolationsAreToldWithTheirRecordAndBeforeIt) {
  const std::string listed = R"([{"field":"twice","rule":"transform_error"}])";
  open(mapping_of(kTwice));
  settle();
  auto told = entries(head);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told[0].id, kAcme) << "gold cannot be doubled";
  EXPECT_EQ(violations_of(told[0]), listed);
  EXPECT_EQ(told[0].before.violations, "");
  // A state and its materialization say it too.
  EntryBatch state;
  ASSERT_TRUE(ledger->get({"emea", "Account", *RecordId::parse(kAcme)}, state));
  EXPECT_EQ(violations_of(state.entries()[0]), listed);
  const Rev after = ledger->head();
  apply({updated(50, {{"Tier__c", std::nullopt}})});
  told = entries(after);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(violations_of(told[0]), "");
  EXPECT_FALSE(told[0].before.violations.empty());
}

TEST_F(RemapTest, ViolationsAloneAreTold) {
  // `tier` tells what `twice` fails to compute with, so that no byte of the image is another.
  const std::string never = kTier + "      twice: {expr: 'if(false, mul(Tier__c, 2), null)'}\n";
  const std::string twice = kTier + "      twice: {expr: 'mul(Tier__c, 2)'}\n";
  open(mapping_of(never));
  settle();
  const Rev before = ledger->head();
  open(mapping_of(twice));
  settle();
  const auto told = entries(before);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].op, Op::Update);
  EXPECT_TRUE(told[0].old.empty());
  EXPECT_EQ(told[0].meta.hash, told[0].before.hash);
  EXPECT_EQ(violations_of(told[0]), R"([{"field":"twice","rule":"transform_error"}])");
  const Rev after = ledger->head();
  open(mapping_of(twice));
  settle();
  EXPECT_EQ(ledger->head(), after) << "nothing is new";
}

TEST_F(RemapTest, EventsBetweenThePiecesTellWhatSinksHeldAndAreToldOnce) {
  options.reproject_records = 1;
  open();
  apply({created(3, {{"Name", "C"}, {"Tier__c", "tin"}}, id_of(900))});
  const Rev before = ledger->head();
  ASSERT_TRUE(ledger->set_mapping(mapping_of(kTier)));
  ASSERT_TRUE(ledger->reprojecting());
  // The last in key order is still owed: it is told first, then its event.
  apply({updated(10, {{"Name", "changed"}}, kOther)});
  apply({created(11, {{"Name", "new"}, {"Tier__c", "iron"}}, id_of(999))});
  settle();
  std::map<std::string, std::string> all;
  for (const EntryView& entry : entries(before)) {
    if (entry.id.starts_with(kOther)) {
      all[kOther] += std::string(to_string(entry.origin.type)) + " ";
      EXPECT_TRUE(entry.has_before);
      EXPECT_EQ(entry.old.find(Section::Fields, "tier") != nullptr,
                entry.origin.type == ChangeType::Remap)
          << "the event itself changed no tier";
    } else {
      all["others"] += std::string(to_string(entry.origin.type)) + " ";
    }
  }
  EXPECT_EQ(all[kOther], "REMAP UPDATE ");
  EXPECT_EQ(all["others"], "REMAP CREATE REMAP ");
}

TEST_F(RemapTest, AnyEventsBetweenThePiecesEndAsIfTheMappingHadBeenThere) {
  const std::vector mappings{mapping_of(kTier), mapping_of(kTierAndSla), mapping_of()};
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 random(seed);
    options.reproject_records = 1 + random() % 3;
    disk = std::make_shared<MemoryDisk>();
    open(mappings[2]);
    std::vector<Event> events;
    for (int i = 0; i < 40; ++i) {
      const std::string id = id_of(static_cast<int>(random() % 12));
      const std::string tier = random() % 2 == 0 ? "gold" : "tin";
      switch (random() % 4) {
        case 0:
          events.push_back(created(i + 1, {{"Name", "A"}, {"Tier__c", tier}}, id));
          break;
        case 1:
          events.push_back(deleted(i + 1, id));
          break;
        default:
          events.push_back(updated(i + 1, {{"Tier__c", tier}}, id));
      }
    }
    std::size_t at = 2;
    for (const Event& event : events) {
      apply({event});
      if (random() % 10 == 0) {
        at = random() % 3;
        ASSERT_TRUE(ledger->set_mapping(mappings[at]));
      }
      if (random() % 2 == 0) {
        ASSERT_TRUE(ledger->reproject());
      }
      if (random() % 15 == 0) {
        ledger.reset();
        open(mappings[at]);
      }
    }
    ASSERT_TRUE(ledger->set_mapping(mappings[1]));
    settle();
    const auto gradual = told();
    options.reproject_records = 500;
    disk = std::make_shared<MemoryDisk>();
    open(mappings[1]);
    apply(events);
    EXPECT_EQ(gradual, told()) << "seed " << seed;
  }
}

TEST_F(RemapTest, ABirthDuringAReprojectionTellsEachRecordWholeAsWell) {
  options.reproject_records = 1;
  open(mapping_of(kTier));
  ASSERT_TRUE(ledger->reprojecting());
  const Rev ahead{ledger->head().value + 5'000'000};
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", ledger->id(), ahead, {}));
  settle();
  std::set<std::string> whole;
  for (const EntryView& entry : entries(ahead)) {
    if (entry.op == Op::Read) whole.emplace(entry.id);
  }
  EXPECT_EQ(whole, (std::set<std::string>{kAcme, kOther}))
      << "an update does not say what a target holds that another copy told";
}

TEST_F(RemapTest, AFullJournalHoldsAReprojectionUntilItHasRoom) {
  std::vector<Event> events;
  for (int i = 0; i < 200; ++i) {
    events.push_back(created(i + 10, {{"Name", "A"}, {"Tier__c", "gold"}}, id_of(i)));
  }
  apply(events);
  const Rev before = ledger->head();
  options.reproject_records = 10;
  options.journal_bytes_max = ledger->journal().bytes + 3'000;
  open();
  ledger->hold_journal("kafka", Rev{});
  ASSERT_TRUE(ledger->set_mapping(mapping_of(kTier)));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(ledger->reproject());
  EXPECT_TRUE(ledger->journal().full);
  const std::size_t first = entries(before).size();
  EXPECT_GT(first, 0U);
  EXPECT_LT(first, 100U);
  EXPECT_TRUE(ledger->reprojecting());
  std::size_t all = first;
  Rev read = ledger->head();
  for (int i = 0; ledger->reprojecting() && i < 1'000; ++i) {
    ledger->hold_journal("kafka", ledger->head());
    clock.us += 7'200'000'000;
    ASSERT_TRUE(ledger->trim());
    ASSERT_TRUE(ledger->reproject());
    all += entries(read).size();
    read = ledger->head();
  }
  EXPECT_EQ(all, 202U);
}

TEST_F(RemapTest, FactsThatChangeDuringAReprojectionFollowIt) {
  options.reproject_records = 1;
  open();
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {}}));
  settle();
  const Rev before = ledger->head();
  ASSERT_TRUE(ledger->set_mapping(mapping_of(kTier)));
  ASSERT_TRUE(ledger->set_org_facts({"emea", "USD", "US", {}}));
  settle();
  EXPECT_EQ(ledger->org_facts("emea")->currency, "USD");
  EXPECT_EQ(ops(before), "uuuu");
  EXPECT_EQ(field(entries().back(), "currency"), "\"USD\"");
  EXPECT_EQ(field(entries().back(), "tier"), "null");
}

TEST_F(RemapTest, AStateIsReadByTheFactsInForceThoughItWasReadByOthers) {
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {}}));
  settle();
  ASSERT_NE(image(kAcme).find("\"currency\":\"EUR\""), std::string::npos) << image(kAcme);
  ASSERT_TRUE(ledger->set_org_facts({"emea", "USD", "US", {}}));
  settle();
  EXPECT_NE(image(kAcme).find("\"currency\":\"USD\""), std::string::npos) << image(kAcme);
}

TEST_F(RemapTest, WhatIsLearnedOneAfterTheOtherDuringAReprojectionIsAllKept) {
  options.reproject_records = 1;
  open();
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {}}));
  settle();
  ASSERT_TRUE(ledger->set_mapping(mapping_of(kTier)));
  for (const char* prefix : {"a0B", "a0C"}) {
    auto facts = *ledger->org_facts("emea");
    facts.object_by_prefix[prefix] = std::string(prefix) + "__c";
    ASSERT_TRUE(ledger->set_org_facts(facts));
  }
  settle();
  EXPECT_EQ(ledger->org_facts("emea")->object_by_prefix.size(), 2U);
  crash_and_open();
  EXPECT_EQ(ledger->org_facts("emea")->object_by_prefix.size(), 2U);
}

const std::string kInvoice = R"(
entities:
  invoice:
    object: Invoice__c
    fields:
      total: {expr: 'Total__c', type: text}
)";

TEST_F(RemapTest, ARecordThatMovesToAnotherEntityIsDeletedWhereItWas) {
  Event one = created(5, {{"Name", "I-1"}, {"Total__c", "7"}});
  one.object = "Invoice__c";
  Event gone = one;
  gone.ids = {kOther};
  Event deletion = deleted(6, kOther);
  deletion.object = "Invoice__c";
  apply({one, gone, deletion});
  const Rev before = ledger->head();
  open(mapping_of(kInvoice));
  settle();
  std::string seen;
  for (const EntryView& entry : entries(before)) {
    seen += std::string(1, static_cast<char>(entry.op)) + " " + std::string(entry.entity) + " " +
            std::string(entry.delete_reason) + ", ";
  }
  EXPECT_EQ(seen, "d custom:Invoice__c remap, r invoice , d invoice delete, ");
  EXPECT_EQ(field(entries().end()[-2], "total"), "\"7\"");
  const auto now = told();
  EXPECT_TRUE(now.contains("invoice " + kAcme));
  EXPECT_FALSE(now.contains("custom:Invoice__c " + kAcme));
  EXPECT_FALSE(now.contains("invoice " + kOther));
  // And back, by an event that comes before its turn.
  options.reproject_records = 1;
  open(mapping_of(kInvoice));
  const Rev back = ledger->head();
  ASSERT_TRUE(ledger->set_mapping(mapping_of()));
  one.type = ChangeType::Update;
  one.number = 9;
  one.fields = {{"Total__c", "8"}};
  apply({one});
  settle();
  const auto then = told();
  EXPECT_FALSE(then.contains("invoice " + kAcme));
  EXPECT_NE(then.at("custom:Invoice__c " + kAcme).find("8"), std::string::npos);
  EXPECT_EQ(entries(back).size(), 4U) << "gone, here, its event, and the deleted one";
}

TEST_F(RemapTest, ATableOfItsOwnTellsAnObjectsRecordsAgain) {
  const std::string plain = R"(
custom:
  Invoice__c:
    entity: 'custom:Invoice__c'
    fields:
      total: {expr: 'Total__c', type: text}
)";
  Event one = created(5, {{"Name", "I-1"}, {"Total__c", "7"}});
  one.object = "Invoice__c";
  apply({one});
  open(mapping_of(plain));
  const Rev before = ledger->head();
  open(mapping_of(std::string(plain).replace(plain.rfind('}'), 1, ", column: true}")));
  EXPECT_EQ(ops(before), "u");
  const Rev back = ledger->head();
  open(mapping_of(plain));
  EXPECT_EQ(ops(back), "u");
}

}  // namespace
}  // namespace headwater::ledger
