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

TEST_F(LedgerTest, AnEntryTellsTheSortTimeThatWasBefore) {
  constexpr EpochMs kDay = 86'400'000;
  Event task = created(1, {{"ActivityDate", "@20000"}}, RecordId::parse("00T5f00002JUXA8")->str());
  Event moved = updated(2, {{"ActivityDate", "@20001"}}, task.ids[0]);
  task.object = moved.object = "Task";
  apply({task, moved});
  const auto told = entries();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].before_sort_at, 20'000 * kDay) << "by it targets know that edges moved";
  EXPECT_EQ(told[1].sort_at, 20'001 * kDay);
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

TEST_F(LedgerTest, TheOpIsWhatASinkThatHoldsTheRecordWouldCallIt) {
  apply({updated(1, {{"Name", "Acme"}})});  // first sight by an UPDATE
  apply({updated(2, {{"Name", "Acme 2"}})});
  Event full = created(3, {{"Name", "Acme 3"}});
  apply({full});  // a CREATE of a record they hold
  apply({deleted(4)});
  full.type = ChangeType::Undelete;
  full.number = 5;
  full.ts += 5000;
  apply({full});
  apply({deleted(6, kOther)});  // of a record never seen
  ASSERT_EQ(ops(), "ruudcd");
  const auto all = entries();
  EXPECT_FALSE(all[0].has_before);
  EXPECT_FALSE(all[4].has_before);
  EXPECT_EQ(all[4].origin.type, ChangeType::Undelete);
  // The bare key with nothing in the fields.
  EXPECT_TRUE(all[5].has_before);
  EXPECT_EQ(all[5].before.rev, Rev{});
  EXPECT_TRUE(all[5].old.find(Section::Fields, "name")->is_null());
}

TEST_F(LedgerTest, CompletenessAloneMakesAnEntry) {
  apply({updated(1, {{"Name", "Acme"}})});
  const auto noted = ledger->note_version("emea");
  apply_rows(*noted, {{kAcme, {{"Name", "Acme"}}}});
  ASSERT_EQ(ops(), "rr");
  EXPECT_FALSE(entries()[0].meta.complete);
  EXPECT_TRUE(entries()[1].meta.complete);
  EXPECT_EQ(entries()[0].meta.hash, entries()[1].meta.hash);
}

TEST_F(LedgerTest, AnOlderEventThatStillChangesAFieldIsLate) {
  apply({created(1, {{"Name", "Acme"}, {"Phone", "1"}})});
  apply({updated(5, {{"Phone", "5"}})});
  apply({updated(3, {{"Name", "Late"}, {"Phone", "3"}})});
  const auto all = entries();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_FALSE(all[1].late);
  EXPECT_TRUE(all[2].late);
  EXPECT_EQ(field(all[2], "name"), "\"Late\"");
  EXPECT_EQ(field(all[2], "phone"), "\"5\"");
}

TEST_F(LedgerTest, ListedAndNulledFieldsAreToldByTheirSourceNames) {
  apply({created(1, {{"Name", "Acme"}, {"Phone", "1"}})});
  apply({updated(2, {{"Name", "B"}, {"Phone", std::nullopt}})});
  const auto all = entries();
  ASSERT_EQ(all[1].changed_source.size(), 2U);
  ASSERT_EQ(all[1].nulled_source.size(), 1U);
  EXPECT_EQ(all[1].after.names->text(all[1].nulled_source[0]), "Phone");
  EXPECT_TRUE(all[0].changed_source.empty());
}

TEST_F(LedgerTest, OneEventMayCarryManyRecordsAndNarrowIds) {
  Event event = updated(1, {{"Name", "Both"}}, kAcme.substr(0, 15));
  event.ids.push_back(kOther);
  EXPECT_EQ(apply({event}).entries, 2U);
  EXPECT_EQ(entries()[0].rkey, "emea:Account:" + kAcme);
  EXPECT_EQ(entries()[1].rkey, "emea:Account:" + kOther);
}

TEST_F(LedgerTest, AThousandChangesOverTenRecordsAreTenStatesAndAThousandEntries) {
  std::vector<Event> events;
  for (int i = 0; i < 1000; ++i) {
    std::string id = kAcme.substr(0, 14) + static_cast<char>('a' + i % 10);
    events.push_back(updated(i + 1, {{"Name", "n" + std::to_string(i)}}, id));
  }
  const auto states = disk->puts(Family::Records);
  const auto journal = disk->puts(Family::Journal);
  const auto writes = disk->writes();
  EXPECT_EQ(apply(events).entries, 1000U);
  EXPECT_EQ(disk->puts(Family::Records) - states, 10U);
  EXPECT_EQ(disk->puts(Family::Journal) - journal, 1000U);
  EXPECT_EQ(disk->writes() - writes, 1U);
  // Every entry's before is the entry before it of that record.
  std::map<std::string, Rev> last;
  for (const EntryView& entry : entries()) {
    EXPECT_EQ(entry.has_before, last.contains(std::string(entry.rkey)));
    if (entry.has_before) {
      EXPECT_EQ(entry.before.rev, last[std::string(entry.rkey)]);
    }
    last[std::string(entry.rkey)] = entry.meta.rev;
  }
}

TEST_F(LedgerTest, NamesKeepTheirNumbersThroughACrash) {
  apply({created(1, {{"Name", "Acme"}, {"Zeta__c", "z"}})});
  const NameId zeta = ledger->names("emea", "Account").intern("Zeta__c");
  // Interned and never used: may get another number, but no image knows it.
  ledger->names("emea", "Account").intern("Unused__c");
  crash_and_open();
  EXPECT_EQ(ledger->names("emea", "Account").find("Zeta__c"), zeta);
  EXPECT_NE(image(kAcme).find("\"Zeta__c\":\"z\""), std::string::npos);
}

TEST_F(LedgerTest, AStreamsFirstPositionOutlivesAPowerLossAndAKeepalivesMayBeLost) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("anchor")));
  crash_and_open();
  ASSERT_TRUE(ledger->position(stream)) << "else a start at the latest event would skip some";
  EXPECT_EQ(ledger->position(stream)->replay_id, ReplayId("anchor"));
  const auto writes = disk->writes();
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("later")));
  EXPECT_EQ(disk->writes(), writes + 1);
  crash_and_open();
  EXPECT_EQ(ledger->position(stream)->replay_id, ReplayId("anchor")) << "written without a sync";
}

TEST_F(LedgerTest, AnOrgIsBoundForEver) {
  ASSERT_TRUE(ledger->bind_org("emea", "00D5f000000AbCdEAK"));
  crash_and_open();
  ASSERT_TRUE(ledger->bind_org("emea", "00D5f000000AbCdEAK"));
  const auto other = ledger->bind_org("emea", "00D5f000000XXXXEAK");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::Fatal);
  EXPECT_EQ(other.error().message,
            "ledger: org emea is bound to org id 00D5f000000AbCdEAK, but the login says "
            "00D5f000000XXXXEAK; use another name for the other org, or another state directory");
  EXPECT_TRUE(ledger->save_position(stream, ReplayId("x"))) << "the ledger itself goes on";
}

TEST_F(LedgerTest, QueriesAreNotedAboveAllThatArrivedAndNeverTwice) {
  apply({created(7, {{"Name", "Acme"}})});
  const auto first = ledger->note_version("emea");
  const auto second = ledger->note_version("emea");
  crash_and_open();
  const auto third = ledger->note_version("emea");
  EXPECT_EQ(first->commit_number, 7);
  EXPECT_TRUE(number_less(*first, *second));
  EXPECT_TRUE(number_less(*second, *third));
}

TEST_F(LedgerTest, CountsFollowCreationDeletionAndCompleteness) {
  apply({created(1, {{"Name", "Acme"}}), updated(2, {{"Name", "Part"}}, kOther)});
  apply({deleted(3)});
  crash_and_open();
  const auto counts = ledger->counts();
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].entity, "account");
  EXPECT_EQ(counts[0].alive, 1U);
  EXPECT_EQ(counts[0].deleted, 1U);
  EXPECT_EQ(counts[0].incomplete, 1U);
}

TEST_F(LedgerTest, OfARecordThatIsGoneNothingIsIncomplete) {
  apply({updated(1, {{"Name", "A"}})});
  ASSERT_EQ(ledger->counts().at(0).incomplete, 1U);
  apply({deleted(2)});
  EXPECT_EQ(ledger->counts().at(0).deleted, 1U);
  EXPECT_EQ(ledger->counts().at(0).incomplete, 0U);
}

TEST_F(LedgerTest, CommitNumbersThatRestartBeginANewEpoch) {
  constexpr EpochMs kHour = 3'600'000;
  apply({created(1000, {{"Name", "Before"}})});
  // The org was moved: small numbers, an hour later.
  Event moved = updated(5, {{"Name", "After"}});
  moved.ts += 2 * kHour;
  apply({moved});
  EXPECT_NE(image(kAcme).find("\"name\":\"After\""), std::string::npos);
  // A straggler of before the move has the greater number, and still loses.
  apply({updated(1001, {{"Name", "Straggler"}})});
  EXPECT_NE(image(kAcme).find("\"name\":\"After\""), std::string::npos);
  EXPECT_EQ(ledger->note_version("emea")->commit_number, 5) << "it raises no mark of the new epoch";
  crash_and_open();
  EXPECT_EQ(ledger->note_version("emea")->epoch, 2U);
}

TEST_F(LedgerTest, CommitNumbersThatGoBackWithinTenMinutesBeginNoEpoch) {
  apply({created(1000, {{"Name", "Newest"}})});
  // An instance that answers late: small numbers, minutes later.
  Event late = updated(5, {{"Name", "Older"}});
  late.ts = created(1000, {}).ts + 9 * 60'000;
  apply({late});
  EXPECT_EQ(ledger->note_version("emea")->epoch, 1U);
  EXPECT_NE(image(kAcme).find("\"name\":\"Newest\""), std::string::npos);
}

TEST_F(LedgerTest, StatesAreReadInRevOrderWithTheirOwnRevs) {
  apply({created(1, {{"Name", "A"}}), created(2, {{"Name", "B"}}, kOther)});
  apply({updated(3, {{"Name", "A2"}})});
  apply({deleted(4, kOther)});
  const Rev head = ledger->head();
  EntryBatch batch;
  std::vector<std::pair<Rev, char>> seen;
  Rev at;
  while (true) {
    batch.clear();
    ASSERT_TRUE(ledger->read_states("emea", at, head, 1, 1 << 20, batch));
    if (batch.entries().empty()) break;
    const EntryView& entry = batch.entries()[0];
    EXPECT_FALSE(entry.has_before);
    EXPECT_EQ(entry.origin.snapshot, SnapshotMark::True);
    seen.emplace_back(entry.meta.rev, static_cast<char>(entry.op));
    if (entry.op == Op::Delete) {
      EXPECT_TRUE(entry.after.empty());
      EXPECT_EQ(entry.old.find(Section::Fields, "name")->text, "B");
    } else {
      EXPECT_EQ(field(entry, "name"), "\"A2\"");
    }
    at = entry.meta.rev;
  }
  const auto all = entries();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], std::make_pair(all[2].meta.rev, 'r'));
  EXPECT_EQ(seen[1], std::make_pair(all[3].meta.rev, 'd'));
  // From a cursor on, only what changed since.
  batch.clear();
  ASSERT_TRUE(ledger->read_states("emea", all[2].meta.rev, head, 10, 1 << 20, batch));
  EXPECT_EQ(batch.entries().size(), 1U);
}

TEST_F(LedgerTest, ARecordThatIsFirstHeardOfAsDeletedIsNotCountedAsIncomplete) {
  apply({deleted(1)});
  EXPECT_EQ(ledger->counts().at(0).incomplete, 0U);
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "A"}}}});
  EXPECT_EQ(ledger->counts().at(0).alive, 1U);
  EXPECT_EQ(ledger->counts().at(0).incomplete, 0U);
}

TEST_F(LedgerTest, MoreStatesThanOnePassKeepsAreAllReadInTheOrderOfTheirRevs) {
  constexpr int kAll = 100'500, kEach = 1'500;
  for (int first = kAll; first > 0; first -= kEach) {
    Event event = created(1 + kAll - first, {{"Name", "A"}});
    event.ids.clear();
    // The last by key has the least rev: no order of the store helps.
    for (int i = first; i > first - kEach; --i)
      event.ids.push_back(RecordId::parse("0015f0000" + std::to_string(100'000 + i))->str());
    apply({event});
  }
  const Rev head = ledger->head();
  EntryBatch batch;
  std::size_t seen = 0;
  Rev at;
  do {
    batch.clear();
    ASSERT_TRUE(ledger->read_states("emea", at, head, 1'000, 1 << 30, batch));
    for (const EntryView& entry : batch.entries()) {
      ASSERT_GT(entry.meta.rev, at);
      at = entry.meta.rev;
      ++seen;
    }
  } while (!batch.entries().empty());
  EXPECT_EQ(seen, kAll);
}

TEST_F(LedgerTest, AStateReadSaysTheSameAsTheLastEntry) {
  apply({created(1, {{"Name", "A"}, {"Odd__c", "x"}})});
  apply({updated(2, {{"Name", "A2"}})});
  apply({updated(2, {{"Name", "A2"}})});
  EntryBatch state;
  ASSERT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(kAcme)}, state));
  std::string from_state;
  std::string from_entry;
  append_record_json(from_state, state.entries()[0]);
  append_record_json(from_entry, entries().back());
  EXPECT_EQ(from_state, from_entry);
}

TEST_F(LedgerTest, TheNewestCommitOfAStreamNeverGoesBack) {
  apply({created(5, {{"Name", "Acme"}})});
  const auto newest = ledger->position(stream)->newest_commit_ts;
  apply({updated(2, {{"Phone", "1"}}, kOther)});
  EXPECT_EQ(ledger->position(stream)->newest_commit_ts, newest);
}

TEST_F(LedgerTest, ARecordThatARowBringsBackHasNoBefore) {
  apply({created(1, {{"Name", "A"}}), deleted(2)});
  apply_rows(*ledger->note_version("emea"), {{kAcme, {{"Name", "B"}}, 1'772'366'500'000}});
  const EntryView& back = entries().back();
  EXPECT_EQ(back.op, Op::Read);
  EXPECT_FALSE(back.has_before) << "sinks hold a deleted one";
}

TEST_F(LedgerTest, AStateSaysWhenAndByWhatItBecameSo) {
  apply({created(1, {{"Name", "A"}})});
  clock.us += 5'000'000;
  apply({updated(2, {{"Name", "B"}})});
  EntryBatch state;
  ASSERT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(kAcme)}, state));
  EXPECT_EQ(state.entries()[0].origin.type, ChangeType::Update);
  EXPECT_EQ(state.entries()[0].ts_ms, clock.now_ms());
}

}  // namespace
}  // namespace headwater::ledger
