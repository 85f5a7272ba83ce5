#include "daemon/ledger/fates.hpp"

#include <random>
#include <set>

#include "daemon/ledger/back_refs.hpp"
#include "daemon/ledger/record.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

std::string contact_id(std::size_t n) {
  std::string id = "0035f0000000000";
  for (std::size_t at = 14; n > 0; n /= 10) id[at--] = static_cast<char>('0' + n % 10);
  return RecordId::parse(id)->str();
}

class FatesTest : public LedgerTest {
 protected:
  static Event contact(Event event) {
    event.object = "Contact";
    return event;
  }
  std::vector<Hole> holes_of(Hole::Scope scope) {
    auto out = ledger->holes(100'000);
    std::erase_if(out, [&](const Hole& hole) { return hole.scope != scope; });
    return out;
  }
  /// What the one open deletion waits for.
  std::string stage() {
    const auto open = holes_of(Hole::Scope::Deletion);
    return open.size() == 1 ? open[0].cause : std::to_string(open.size());
  }
  void doubt_children() {
    const auto due = ledger->due_fates("emea", clock.now_ms(), 100);
    const auto ok = ledger->doubt_children(due);
    ASSERT_TRUE(ok) << ok.error().message;
  }
  Applied answer(std::vector<Fate> fates, const std::string& object = "Account") {
    FateBatch batch{"emea", object, *ledger->note_version("emea"), std::move(fates)};
    const auto told = ledger->tell_fates(batch);
    EXPECT_TRUE(told) << told.error().message;
    return told ? *told : Applied{};
  }
  static Fate merged(const std::string& loser, const std::string& winner) {
    return {*RecordId::parse(loser), Fate::Kind::Merged, winner};
  }
  EntryView state(const std::string& id) {
    state_.clear();
    const auto found = ledger->get({"emea", "Account", *RecordId::parse(id)}, state_);
    EXPECT_TRUE(found && *found);
    return state_.entries()[0];
  }
  const std::string third = "0015f00002JUXAAAA5";
  EntryBatch state_;
};

TEST_F(FatesTest, ADeletionAsksForItsLivingChildrenThenForItsFate) {
  apply({created(1, {{"Name", "Acme"}}), created(2, {{"Name", "Other"}}, kOther)});
  apply({contact(created(3, {{"AccountId", kAcme}}, contact_id(1))),
         contact(created(4, {{"AccountId", kAcme}}, contact_id(2))),
         contact(created(5, {{"AccountId", kOther}}, contact_id(3)))});
  apply({contact(deleted(6, contact_id(2)))});
  answer({{*RecordId::parse(contact_id(2)), Fate::Kind::Deleted, {}}}, "Contact");
  apply({deleted(7)});
  EXPECT_EQ(stage(), "parent_deleted");
  EXPECT_TRUE(holes_of(Hole::Scope::Record).empty());

  crash_and_open();
  doubt_children();
  EXPECT_EQ(stage(), "delete_check");
  const auto doubts = holes_of(Hole::Scope::Record);
  ASSERT_EQ(doubts.size(), 1U) << "one child lives and refers to it";
  EXPECT_EQ(doubts[0].id, contact_id(1));
  EXPECT_EQ(doubts[0].cause, "parent_deleted");

  const Rev before = ledger->head();
  answer({{*RecordId::parse(kAcme), Fate::Kind::Deleted, {}}});
  EXPECT_EQ(stage(), "0");
  EXPECT_EQ(ops(before), "") << "a plain deletion is no news";
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(FatesTest, AChildThatComesAfterItsParentWasReadAsGoneIsAskedFor) {
  // A contact that went with its account: no event tells it.
  apply({created(1, {{"Name", "Acme"}})});
  apply_rows(*ledger->note_version("emea"), {{kAcme, {}, 0, false}});
  crash_and_open();
  apply({contact(created(2, {{"AccountId", kAcme}}, contact_id(1))),
         contact(created(3, {{"AccountId", kOther}}, contact_id(2)))});
  auto doubts = holes_of(Hole::Scope::Record);
  ASSERT_EQ(doubts.size(), 1U);
  EXPECT_EQ(doubts[0].id, contact_id(1));
  EXPECT_EQ(doubts[0].cause, "parent_deleted");
  // What was committed long after the row cannot refer to it: nothing is looked up.
  Event late = contact(created(9'000, {{"AccountId", kAcme}}, contact_id(3)));
  apply({late});
  EXPECT_EQ(holes_of(Hole::Scope::Record).size(), 1U);
}

TEST_F(FatesTest, WhatAChildLostWhileItWasAwayWithItsParentIsAskedForToo) {
  Event deal =
      created(3, {{"ContactId", contact_id(1)}}, RecordId::parse("0065f00002JUXA8")->str());
  deal.object = "Opportunity";
  apply({created(1, {{"Name", "Acme"}}),
         contact(created(2, {{"AccountId", kAcme}}, contact_id(1))),
         deal});
  // The contact goes and comes with its account, before anybody looks; the deal refers to nobody
  // from then on.
  Event back = created(5, {{"Name", "Acme"}});
  back.type = ChangeType::Undelete;
  apply({deleted(4), back});
  doubt_children();  // of the account
  doubt_children();  // of the contact
  EXPECT_EQ(stage(), "0") << "and no further";
  const auto doubts = holes_of(Hole::Scope::Record);
  ASSERT_EQ(doubts.size(), 2U);
  EXPECT_EQ(doubts[0].id, contact_id(1));
  EXPECT_EQ(doubts[1].id, deal.ids[0]);
  EXPECT_EQ(doubts[1].cause, "ancestor_restored");
}

TEST_F(FatesTest, ADeletionThatARowHidesPutsTheChildrenInDoubt) {
  apply(
      {created(1, {{"Name", "Acme"}}), contact(created(2, {{"AccountId", kAcme}}, contact_id(1)))});
  // The account was read again ahead of the bus: it had gone and come back by then.
  const EpochMs stamp = clock.now_ms() + 600'000;
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "Acme"}}, stamp}});
  Event back = created(6, {{"Name", "Acme"}});
  back.type = ChangeType::Undelete;
  const Rev before = ledger->head();
  apply({deleted(5), back});
  EXPECT_EQ(ops(before), "") << "the row held both";
  EXPECT_EQ(stage(), "parent_restored");
  doubt_children();
  const auto doubts = holes_of(Hole::Scope::Record);
  ASSERT_EQ(doubts.size(), 1U) << "its lookup may have been cleared";
  EXPECT_EQ(doubts[0].id, contact_id(1));
}

TEST_F(FatesTest, ADeletionToldAgainAfterItsUndeletionDoubtsNobody) {
  Event back = created(3, {{"Name", "Acme"}});
  back.type = ChangeType::Undelete;
  apply({created(1, {{"Name", "Acme"}}), deleted(2), back});
  doubt_children();
  EXPECT_EQ(stage(), "0");
  apply({deleted(2), back});
  EXPECT_EQ(stage(), "0");
}

TEST_F(FatesTest, OnlyOfObjectsThatMergeTheOrgIsAsked) {
  Event task = created(1, {{"Subject", "Call"}}, RecordId::parse("00T5f00002JUXA8")->str());
  task.object = "Task";
  Event gone = deleted(2, task.ids[0]);
  gone.object = "Task";
  apply({task, gone});
  EXPECT_EQ(stage(), "parent_deleted");
  doubt_children();
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(FatesTest, FourObjectsMerge) {
  for (const char* object : {"Account", "Contact", "Lead", "Case"}) EXPECT_TRUE(has_fate(object));
  for (const char* object : {"Opportunity", "Task", "User"}) EXPECT_FALSE(has_fate(object));
}

TEST_F(FatesTest, ARecordThatIsSaidToBeItsOwnWinnerIsNotMerged) {
  apply({created(1, {{"Name", "Acme"}}), deleted(2)});
  EXPECT_EQ(answer({merged(kAcme, kAcme)}).entries, 0U);
  EXPECT_EQ(state(kAcme).merged_into, "");
}

TEST_F(FatesTest, ADeletionThatIsRenewedHalfWayDoubtsAllItsChildrenAnew) {
  std::vector<Event> events{created(1, {{"Name", "Acme"}})};
  for (std::size_t i = 1; i <= 600; ++i)
    events.push_back(
        contact(created(static_cast<std::int64_t>(i) + 1, {{"AccountId", kAcme}}, contact_id(i))));
  apply(events);
  apply({deleted(2'000)});
  doubt_children();
  ASSERT_NE(holes_of(Hole::Scope::Deletion).at(0).detail, "") << "where to go on";
  Event back = created(2'001, {{"Name", "Acme"}});
  back.type = ChangeType::Undelete;
  apply({back, deleted(2'002)});
  EXPECT_EQ(holes_of(Hole::Scope::Deletion).at(0).detail, "");
}

TEST_F(FatesTest, AFloodOfDeletionsHidesNoDoubt) {
  for (std::size_t i = 1; i <= 20; ++i) {
    const auto number = static_cast<std::int64_t>(2 * i);
    apply(
        {contact(created(number, {}, contact_id(i))), contact(deleted(number + 1, contact_id(i)))});
  }
  apply({updated(100, {{"Name", "A"}})});
  const auto shown = ledger->holes(5);
  ASSERT_EQ(shown.size(), 5U);
  EXPECT_EQ(shown[0].cause, "incomplete");
  EXPECT_EQ(shown[1].cause, "parent_deleted");
}

TEST_F(FatesTest, ManyChildrenArePutInDoubtPageByPageAndACrashLosesNone) {
  std::vector<Event> events{created(1, {{"Name", "Acme"}})};
  for (std::size_t i = 1; i <= 1'200; ++i)
    events.push_back(
        contact(created(static_cast<std::int64_t>(i) + 1, {{"AccountId", kAcme}}, contact_id(i))));
  apply(events);
  apply({deleted(2'000)});
  std::size_t pages = 0;
  for (; stage() == "parent_deleted"; ++pages) {
    const auto before = holes_of(Hole::Scope::Record).size();
    doubt_children();
    EXPECT_LE(holes_of(Hole::Scope::Record).size() - before, 500U);
    crash_and_open();
    ASSERT_LT(pages, 10U);
  }
  EXPECT_EQ(pages, 3U);
  EXPECT_EQ(holes_of(Hole::Scope::Record).size(), 1'200U);
}

TEST_F(FatesTest, ARestoredParentPutsWhatWentInDoubt) {
  apply({created(1, {{"Name", "Acme"}}),
         contact(created(2, {{"AccountId", kAcme}}, contact_id(1))),
         contact(created(3, {{"AccountId", kAcme}}, contact_id(2)))});
  apply({contact(deleted(4, contact_id(1)))});
  answer({{*RecordId::parse(contact_id(1)), Fate::Kind::Deleted, {}}}, "Contact");
  apply({deleted(5)});
  Event back = created(6, {{"Name", "Acme"}});
  back.type = ChangeType::Undelete;
  apply({back});
  EXPECT_EQ(stage(), "parent_restored");
  doubt_children();
  EXPECT_EQ(stage(), "ancestor_restored") << "of the contact that lived: it may have gone and come";
  doubt_children();
  EXPECT_EQ(stage(), "0");
  const auto doubts = holes_of(Hole::Scope::Record);
  ASSERT_EQ(doubts.size(), 2U) << "what went, and what lived: its lookup may be cleared";
  EXPECT_EQ(doubts[0].id, contact_id(1));
}

TEST_F(FatesTest, AMergeIsToldOnBothSidesInOneWriteAndOnce) {
  apply({created(1, {{"Name", "Acme"}}), created(2, {{"Name", "Other"}}, kOther)});
  apply({updated(3, {{"Site", "x"}}, kOther), deleted(3)});
  const Rev before = ledger->head();
  const auto writes = disk->writes();
  const auto told = answer({merged(kAcme, kOther)});
  EXPECT_EQ(told.entries, 2U);
  EXPECT_LE(disk->writes() - writes, 2U) << "the query's number and the merge";
  const auto news = entries(before);
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].op, Op::Delete);
  EXPECT_EQ(news[0].id, kAcme);
  EXPECT_EQ(news[0].merged_into, kOther);
  EXPECT_EQ(news[0].delete_reason, "merge");
  EXPECT_EQ(news[0].origin.type, ChangeType::Merge);
  EXPECT_EQ(news[0].origin.change_id, "emea/merge-" + kAcme + "/0/" + kAcme);
  EXPECT_EQ(news[1].op, Op::Update);
  EXPECT_EQ(news[1].id, kOther);
  EXPECT_EQ(news[1].merged_from, kAcme);
  EXPECT_TRUE(news[1].old.empty()) << "no hash changed";
  EXPECT_EQ(news[1].before.rev.value + 2, news[0].meta.rev.value);
  EXPECT_EQ(ledger->holes_open(), 0U);

  EXPECT_EQ(answer({merged(kAcme, kOther)}).entries, 0U);
  crash_and_open();
  EXPECT_EQ(state(kAcme).merged_into, kOther);
  EXPECT_EQ(state(kAcme).delete_reason, "merge");
}

TEST_F(FatesTest, ChainsOfMergesEndAtTheLastLivingWinner) {
  apply({created(1, {{"Name", "A"}}),
         created(2, {{"Name", "B"}}, kOther),
         created(3, {{"Name", "C"}}, third)});
  apply({deleted(4)});
  answer({merged(kAcme, kOther)});
  EXPECT_EQ(state(kAcme).merged_into, kOther);
  apply({deleted(5, kOther)});
  const Rev before = ledger->head();
  answer({merged(kOther, third)});
  EXPECT_EQ(state(kAcme).merged_into, third) << "it follows its winner";
  EXPECT_EQ(state(kOther).merged_into, third);
  const auto news = entries(before);
  ASSERT_EQ(news.size(), 3U);
  EXPECT_EQ(news[2].merged_from, kOther + kAcme);

  // Both at once, as after an outage.
  apply({created(6, {{"Name", "D"}}, "0015f00002JUXABAA5"),
         created(7, {{"Name", "E"}}, "0015f00002JUXACAA5")});
  apply({deleted(8, "0015f00002JUXABAA5"), deleted(9, "0015f00002JUXACAA5")});
  answer({merged("0015f00002JUXABAA5", "0015f00002JUXACAA5"), merged("0015f00002JUXACAA5", third)});
  EXPECT_EQ(state("0015f00002JUXABAA5").merged_into, third);
}

TEST_F(FatesTest, WhatIsBackIsNoMergeAnyMore) {
  apply({created(1, {{"Name", "A"}}), created(2, {{"Name", "B"}}, kOther), deleted(3)});
  answer({merged(kAcme, kOther)});
  Event back = created(4, {{"Name", "A"}});
  back.type = ChangeType::Undelete;
  apply({back});
  EXPECT_EQ(state(kAcme).merged_into, "");
  EXPECT_FALSE(state(kAcme).meta.deleted);
  EXPECT_EQ(*ledger->children_of("emea", *RecordId::parse(kOther), {}, 10),
            std::vector<std::string>{});
  // An answer that was on its way meanwhile changes nothing.
  EXPECT_EQ(answer({merged(kAcme, kOther)}).entries, 0U);
}

TEST_F(FatesTest, AnAnswerFromBeforeTheDeletionLeavesItOpen) {
  apply({created(1, {{"Name", "A"}})});
  const auto noted = *ledger->note_version("emea");
  apply({deleted(2)});
  ASSERT_TRUE(ledger->tell_fates(
      {"emea", "Account", noted, {{*RecordId::parse(kAcme), Fate::Kind::Alive, {}}}}));
  EXPECT_EQ(stage(), "parent_deleted");
  EXPECT_TRUE(holes_of(Hole::Scope::Record).empty());
}

TEST_F(FatesTest, ARecordThatTheOrgHasIsReadAgain) {
  apply({created(1, {{"Name", "A"}}), deleted(2)});
  answer({{*RecordId::parse(kAcme), Fate::Kind::Alive, {}}});
  const auto doubts = holes_of(Hole::Scope::Record);
  ASSERT_EQ(doubts.size(), 1U);
  EXPECT_EQ(doubts[0].cause, "revived");
  EXPECT_EQ(stage(), "0");
}

TEST_F(FatesTest, AWinnerThatNobodyKnowsIsReadAndTheLoserTold) {
  apply({created(1, {{"Name", "A"}}), deleted(2)});
  EXPECT_EQ(answer({merged(kAcme, kOther)}).entries, 1U);
  EXPECT_EQ(state(kAcme).merged_into, kOther);
  EXPECT_EQ(holes_of(Hole::Scope::Record)[0].id, kOther);
}

// ---- reverse references

/// Every row of the family, and what all states say they should be.
std::set<std::string> rows_of(Store& store) {
  std::set<std::string> out;
  for (auto scan = store.scan(Family::BackRefs, ""); scan->valid(); scan->next())
    out.emplace(scan->key());
  return out;
}
std::set<std::string> rows_of_states(Store& store) {
  std::set<std::string> out;
  RecordCodec codec;
  RecordState state;
  for (auto scan = store.scan(Family::Records, ""); scan->valid(); scan->next()) {
    EXPECT_TRUE(codec.decode(scan->value(), state));
    const auto add = [&](std::string_view id) {
      if (BackRefs::counts(id))
        out.insert("emea:" + std::string(id) + ":" + std::string(scan->key()));
    };
    for (const Member& member : state.src)
      if (member.value.tag == Tag::Ref) add(member.value.text);
    add(state.merged_into);
  }
  return out;
}

class BackRefsTest : public FatesTest {
 protected:
  /// Some life among ten accounts and thirty contacts, in no good order.
  void live(std::uint32_t seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t n) { return random() % n; };
    std::vector<std::string> accounts;
    for (std::size_t i = 0; i < 10; ++i)
      accounts.push_back(RecordId::parse("0015f00002JUXA" + std::to_string(i))->str());
    const auto any_account = [&] {
      return below(4) == 0 ? std::optional<std::string>() : accounts[below(10)];
    };
    for (int i = 0; i < 300; ++i) {
      const auto number = static_cast<std::int64_t>(1 + below(2'000));
      Event event = updated(number, {}, contact_id(1 + below(30)));
      event.object = "Contact";
      const auto type = below(8);
      if (type == 0) event.type = ChangeType::Delete;
      if (type == 1 || type == 2)
        event.type = below(2) == 0 ? ChangeType::Create : ChangeType::Undelete;
      if (event.type != ChangeType::Delete) {
        event.fields = {{"Title", std::to_string(number)}, {"OwnerId", "0055f000005mc66AAA"}};
        if (below(2) == 0) event.fields["AccountId"] = any_account();
        if (below(3) == 0) event.fields["Partner__cId"] = any_account();
      }
      apply({event});
      if (below(20) == 0) apply({deleted(number, accounts[below(10)])});
      if (below(20) == 0) answer({merged(accounts[below(10)], accounts[below(10)])});
      if (below(25) == 0) {
        apply_rows(*ledger->note_version("emea"),
                   {{contact_id(1 + below(30)),
                     {{"AccountId", any_account()}},
                     clock.now_ms(),
                     below(4) != 0}},
                   "Contact");
      }
    }
  }
};

TEST_F(BackRefsTest, TheyAreWhatAllStatesSayAfterAnyHistory) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    disk = std::make_shared<MemoryDisk>();
    open();
    live(seed);
    const auto store = open_memory_store(disk);
    EXPECT_GT(rows_of(*store).size(), 20U);
    ASSERT_EQ(rows_of(*store), rows_of_states(*store)) << "seed " << seed;
  }
}

TEST_F(BackRefsTest, ALedgerOfAnEarlierBuildGetsThemOnce) {
  live(3);
  const auto store = open_memory_store(disk);
  const auto wanted = rows_of(*store);
  const auto forget = [&](const std::string& upto) {
    auto batch = store->batch();
    for (const auto& key : rows_of(*store)) batch->erase(Family::BackRefs, key);
    batch->erase(Family::Meta, "back_refs");
    ASSERT_TRUE(store->write(*batch, true)) << upto;
  };
  ledger.reset();
  forget("all");
  open();
  EXPECT_EQ(rows_of(*store), wanted);
  // A second start has nothing to do.
  const auto puts = disk->puts(Family::BackRefs);
  open();
  EXPECT_EQ(disk->puts(Family::BackRefs), puts);
}

TEST_F(BackRefsTest, ABuildOfThemThatIsCutOffGoesOn) {
  std::vector<Event> events;
  for (std::size_t i = 1; i <= 4'500; ++i) {
    events.push_back(
        contact(created(static_cast<std::int64_t>(i), {{"AccountId", kAcme}}, contact_id(i))));
  }
  apply(events);
  const auto store = open_memory_store(disk);
  const auto wanted = rows_of(*store);
  ledger.reset();
  auto batch = store->batch();
  for (const auto& key : wanted) batch->erase(Family::BackRefs, key);
  batch->erase(Family::Meta, "back_refs");
  ASSERT_TRUE(store->write(*batch, true));
  std::size_t failed = 0;
  for (std::size_t n = 1; !ledger; ++n) {
    disk->tear_write(n);
    auto opened = Ledger::open(open_memory_store(disk), options, mapping_of(), clock);
    disk->tear_write(0);
    if (opened) ledger = std::move(*opened);
    if (!opened) disk->crash();
    failed += opened ? 0U : 1U;
    ASSERT_LT(n, 10U);
  }
  EXPECT_GE(failed, 1U);
  EXPECT_EQ(rows_of(*store), wanted);
}

TEST_F(BackRefsTest, OnARealDiskTheyAreTheSame) {
  const test::TempDir root;
  const std::string directory = root.path() / "store";
  auto store = open_rocks_store(directory);
  ASSERT_TRUE(store);
  auto opened = Ledger::open(std::move(*store), options, mapping_of(), clock);
  ASSERT_TRUE(opened);
  ledger = std::move(*opened);
  live(7);
  ledger.reset();
  store = open_rocks_store(directory);
  ASSERT_TRUE(store);
  EXPECT_GT(rows_of(**store).size(), 20U);
  EXPECT_EQ(rows_of(**store), rows_of_states(**store));
}

TEST_F(BackRefsTest, ChildrenComeInPages) {
  std::vector<Event> events;
  for (std::size_t i = 1; i <= 25; ++i)
    events.push_back(
        contact(created(static_cast<std::int64_t>(i), {{"AccountId", kAcme}}, contact_id(i))));
  apply(events);
  std::string after;
  std::vector<std::size_t> pages;
  while (true) {
    const auto page = ledger->children_of("emea", *RecordId::parse(kAcme), after, 10);
    ASSERT_TRUE(page);
    pages.push_back(page->size());
    if (page->empty()) break;
    after = page->back();
  }
  EXPECT_EQ(pages, (std::vector<std::size_t>{10, 10, 5, 0}));
}

TEST_F(BackRefsTest, AnUpdateOfOtherFieldsWritesNone) {
  apply({contact(created(1, {{"AccountId", kAcme}, {"Title", "CFO"}}, contact_id(1)))});
  const auto puts = disk->puts(Family::BackRefs);
  apply(
      {contact(updated(2, {{"Title", "CEO"}, {"OwnerId", "0055f000005mc66AAA"}}, contact_id(1)))});
  EXPECT_EQ(disk->puts(Family::BackRefs), puts);
}

}  // namespace
}  // namespace headwater::ledger
