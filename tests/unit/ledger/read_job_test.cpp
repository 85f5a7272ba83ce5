#include "daemon/ledger/read_job.hpp"

#include <array>

#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/read_jobs.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

class ReadJobTest : public LedgerTest {
 protected:
  static std::string id(int number) {
    char base[16];
    std::snprintf(base, sizeof base, "0015f0000%06d", number);
    char suffix[3];
    id_suffix(base, suffix);
    return std::string(base) + std::string(suffix, 3);
  }
  ReadJob begin(ReadJob job = {}) {
    job.org = "emea";
    job.object = "Account";
    auto added = ledger->add_job(job);
    EXPECT_TRUE(added);
    const auto noted = ledger->note_version("emea");
    auto begun = ledger->change_job(added->number, [&](ReadJob& it) {
      it.state = ReadJob::State::Reading;
      it.noted = *noted;
      ++it.run;
    });
    EXPECT_TRUE(begun && *begun);
    return **begun;
  }
  /// Accounts from..to as one chunk of the job.
  Result<Applied> chunk(
      const ReadJob& job, std::uint64_t number, int from, int to, bool last = {}) {
    NameTable& names = ledger->names("emea", "Account");
    std::deque<Fields> told;  // the members borrow its texts
    std::deque<std::vector<Member>> members;
    std::vector<Row> rows;
    for (int i = from; i <= to; ++i) {
      Row row;
      row.id = *RecordId::parse(id(i));
      row.stamp = clock.now_ms();
      told.push_back({{"Name", "N" + std::to_string(i)}});
      row.fields = members.emplace_back(members_of(told.back(), names));
      rows.push_back(row);
    }
    JobProgress progress;
    progress.job = job.number;
    progress.run = job.run;
    progress.chunk = number;
    progress.rows = rows.size();
    progress.last_id = id(to);
    progress.read_all = last;
    RowBatch batch;
    batch.org = "emea";
    batch.object = "Account";
    batch.noted = job.noted;
    batch.type = ChangeType::Snapshot;
    batch.last = last;
    batch.rows = rows;
    batch.progress = &progress;
    return ledger->apply_rows(batch);
  }
  ReadJob now(const ReadJob& job) { return ledger->job(job.number).value(); }
  /// Until nothing is left to do, or refetches are waited for.
  void settle(const ReadJob& job) {
    for (int i = 0; i < 100; ++i) {
      const auto done = ledger->settle_job(job.number, 3);
      ASSERT_TRUE(done) << done.error().message;
      if (*done) return;
    }
  }
  /// A person vouches for what is gone; the reading behind that meets no record.
  ReadJob confirm() {
    ReadJob word;
    word.confirmed = true;
    word.by = "ada";
    const ReadJob confirmed = begin(word);
    EXPECT_TRUE(chunk(confirmed, 1, 1, 0, true));
    settle(confirmed);
    return confirmed;
  }
};

TEST_F(ReadJobTest, AChunkAndItsProgressAreOneWrite) {
  const ReadJob job = begin();
  ASSERT_TRUE(chunk(job, 1, 1, 2));
  disk->tear_write(1);
  EXPECT_FALSE(chunk(job, 2, 3, 4));
  crash_and_open();
  EXPECT_EQ(now(job).chunks, 1U);
  EXPECT_EQ(now(job).rows, 2U);
  EXPECT_EQ(now(job).last_id, id(2));
  EXPECT_EQ(image(id(3)), "") << "no row is ahead of the progress, and none behind it";
  ASSERT_TRUE(chunk(job, 2, 3, 4));
  crash_and_open();
  EXPECT_EQ(now(job).last_id, id(4));
  EXPECT_NE(image(id(4)), "");
}

TEST_F(ReadJobTest, AChunkThatIsRepeatedChangesNothing) {
  const ReadJob job = begin();
  ASSERT_TRUE(chunk(job, 1, 1, 2));
  const Rev head = ledger->head();
  ASSERT_TRUE(chunk(job, 1, 1, 2));
  EXPECT_EQ(ledger->head(), head);
  EXPECT_EQ(now(job).rows, 2U) << "rows are not counted twice";
}

TEST_F(ReadJobTest, TheJobMovesOverChunksWithoutAGapOnly) {
  const ReadJob job = begin();
  ASSERT_TRUE(chunk(job, 2, 3, 4, true));
  EXPECT_EQ(now(job).chunks, 0U) << "the first one is still on its way";
  EXPECT_EQ(now(job).state, ReadJob::State::Reading);
  ASSERT_TRUE(chunk(job, 1, 1, 2));
  EXPECT_EQ(now(job).chunks, 2U);
  EXPECT_EQ(now(job).state, ReadJob::State::Settling);
}

TEST_F(ReadJobTest, ChunksOfAnEarlierRunAreVoid) {
  const ReadJob first = begin();
  ASSERT_TRUE(chunk(first, 2, 3, 4));
  ASSERT_TRUE(ledger->change_job(first.number, [](ReadJob& job) { ++job.run; }));
  ASSERT_TRUE(chunk(first, 1, 1, 2));
  EXPECT_EQ(now(first).chunks, 0U);
  ASSERT_TRUE(chunk(now(first), 1, 1, 2));
  EXPECT_EQ(now(first).chunks, 1U) << "what came early in the first run is forgotten";
}

TEST_F(ReadJobTest, TheLastRowOfASnapshotSaysSo) {
  const ReadJob job = begin();
  ASSERT_TRUE(chunk(job, 1, 1, 2));
  ASSERT_TRUE(chunk(job, 2, 3, 4, true));
  std::vector<SnapshotMark> marks;
  for (const EntryView& entry : entries()) marks.push_back(entry.origin.snapshot);
  using enum SnapshotMark;
  EXPECT_EQ(marks, (std::vector{True, True, True, Last}));
  EXPECT_EQ(ops(), "rrrr");
}

TEST_F(ReadJobTest, ARecordThatNoChunkHeldIsAskedForAndTheJobWaitsForTheAnswer) {
  std::vector<Event> events;
  for (int i = 1; i <= 5; ++i) events.push_back(created(i, {{"Name", "A"}}, id(i)));
  apply(events);
  const ReadJob job = begin();
  apply({created(6, {{"Name", "A"}}, id(6))});  // later than the job was noted
  ASSERT_TRUE(chunk(job, 1, 1, 4, true));
  settle(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Settling);
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "unseen");
  EXPECT_EQ(ledger->holes()[0].id, id(5));
  apply_rows(*ledger->note_version("emea"), {{id(5), {}, 0, false}});
  settle(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(now(job).deleted, 1U);
  EXPECT_EQ(image(id(5)).substr(0, 7), "deleted");
  EXPECT_EQ(image(id(6)).substr(0, 8), "complete");
  ASSERT_TRUE(ledger->last_snapped("emea", "Account"));
  EXPECT_EQ(ledger->last_snapped("emea", "Account")->job, job.number);
}

TEST_F(ReadJobTest, AsManyUnseenAsAnObjectMayAlwaysLoseAreAskedFor) {
  std::vector<Event> events;
  for (int i = 1; i <= 12; ++i) events.push_back(created(i, {{"Name", "A"}}, id(i)));
  apply(events);
  const ReadJob job = begin();
  ASSERT_TRUE(chunk(job, 1, 1, 2, true));  // ten were not among them
  settle(job);
  EXPECT_FALSE(now(job).braked);
  EXPECT_EQ(ledger->due_refetches("emea", clock.now_ms(), 100).size(), 10U);
}

TEST_F(ReadJobTest, WhenTooManyAreUnseenNothingIsDeletedUntilAPersonConfirms) {
  std::vector<Event> events;
  for (int i = 1; i <= 12; ++i) events.push_back(created(i, {{"Name", "A"}}, id(i)));
  apply(events);
  const ReadJob job = begin();
  ASSERT_TRUE(chunk(job, 1, 1, 0, true));  // a withdrawn permission: no rows
  settle(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_TRUE(now(job).braked);
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "mass_delete");
  EXPECT_EQ(ledger->counts()[0].alive, 12U);

  const ReadJob confirmed = confirm();
  EXPECT_EQ(ledger->due_refetches("emea", clock.now_ms(), 100).size(), 12U);
  std::vector<TestRow> gone;
  for (int i = 1; i <= 12; ++i) gone.push_back({id(i), {}, 0, false});
  apply_rows(*ledger->note_version("emea"), gone);
  settle(confirmed);
  EXPECT_EQ(now(confirmed).state, ReadJob::State::Done);
  EXPECT_EQ(ledger->counts()[0].alive, 0U) << "the brake was off";
  EXPECT_EQ(doubts(), 0U);
  EXPECT_EQ(
      ledger->closed_holes()[0].closing.evidence,
      "job 2 read all 0 records of Account; of ours 12 were not among them and were asked for "
      "by id: 12 deleted, as ada confirmed");
}

TEST_F(ReadJobTest, WhatSinksAloneHoldUnderTheBrakeGoesWhenAPersonConfirms) {
  std::vector<Hole> strays;
  std::vector<TestRow> gone;
  for (int i = 1; i <= 25; ++i) {
    strays.push_back(stray_hole({"emea", "Account", *RecordId::parse(id(i))}, ""));
    gone.push_back({id(i), {}, 0, false});
  }
  ASSERT_TRUE(AuditBook(*ledger).open(strays));
  apply_rows(*ledger->note_version("emea"), gone);
  ASSERT_EQ(ledger->counts().size(), 1U);
  EXPECT_EQ(ledger->counts()[0].deleted, 10U);
  EXPECT_TRUE(ledger->due_refetches("emea", clock.now_ms(), 100).empty()) << "the brake holds";
  const ReadJob confirmed = confirm();
  EXPECT_EQ(ledger->due_refetches("emea", clock.now_ms(), 100).size(), 15U);
  EXPECT_EQ(now(confirmed).state, ReadJob::State::Settling);
  apply_rows(*ledger->note_version("emea"), gone);
  settle(confirmed);
  EXPECT_EQ(now(confirmed).state, ReadJob::State::Done);
  EXPECT_EQ(ledger->counts()[0].deleted, 25U);
  EXPECT_EQ(doubts(), 0U);
}

TEST_F(ReadJobTest, AConfirmedJobThatEndedReleasesNoBrake) {
  ReadJob word;
  word.confirmed = true;
  const ReadJob confirmed = begin(word);
  ASSERT_TRUE(chunk(confirmed, 1, 1, 30, true));
  settle(confirmed);
  ASSERT_EQ(now(confirmed).state, ReadJob::State::Done);
  std::vector<TestRow> gone;
  for (int i = 1; i <= 30; ++i) gone.push_back({id(i), {}, 0, false});
  apply_rows(*ledger->note_version("emea"), gone);
  EXPECT_EQ(ledger->counts()[0].alive, 20U);
}

TEST_F(ReadJobTest, AnOverflowHoleAndItsMassDeleteAreTwo) {
  Hole overflow;
  overflow.scope = Hole::Scope::Object;
  overflow.org = "emea";
  overflow.object = "Account";
  overflow.cause = "overflow";
  ASSERT_TRUE(ledger->open_hole(overflow));
  Hole gone = overflow;
  gone.cause = "mass_delete";
  ASSERT_TRUE(ledger->open_hole(gone));
  crash_and_open();
  ASSERT_EQ(ledger->holes().size(), 2U);
  ASSERT_TRUE(ledger->close_hole(overflow, {Closing::How::Repaired, "headwater", "read", 0}));
  ASSERT_EQ(ledger->holes().size(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "mass_delete");
  EXPECT_EQ(ledger->holes()[0].object, "Account");
}

TEST_F(ReadJobTest, WhatTheOrgSaysWasDeletedNeedsNoBrake) {
  std::vector<Event> events;
  for (int i = 1; i <= 20; ++i) events.push_back(created(i, {{"Name", "A"}}, id(i)));
  apply(events);
  std::vector<Row> rows;
  for (int i = 1; i <= 20; ++i) {
    Row row;
    row.id = *RecordId::parse(id(i));
    row.deleted = true;
    row.stamp = 1'772'370'000'000;
    rows.push_back(row);
  }
  RowBatch batch;
  batch.org = "emea";
  batch.object = "Account";
  batch.noted = *ledger->note_version("emea");
  batch.rows = rows;
  const auto applied = ledger->apply_rows(batch);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->deletions, 20U);
  EXPECT_EQ(ledger->counts()[0].alive, 0U);
  EXPECT_EQ(doubts(), 0U);
  const auto all = entries();
  EXPECT_EQ(all.back().deleted_at, 1'772'370'000'000) << "when the org says";
  EXPECT_EQ(all.back().delete_reason, "reconcile");
  // Brought back later: newer than the row that said so.
  Event undelete = created(30, {{"Name", "B"}}, id(1));
  undelete.type = ChangeType::Undelete;
  undelete.ts = 1'772'370'060'000;
  apply({undelete});
  EXPECT_EQ(ledger->counts()[0].alive, 1U);
}

TEST_F(ReadJobTest, AnOrgThatWasMovedToAnotherInstanceLeavesAStretch) {
  apply({created(1'000, {{"Name", "A"}})});
  EXPECT_EQ(ledger->holes_open(), 0U);
  Event first = created(5, {{"Name", "B"}}, kOther);
  first.ts = 1'772'366'400'000 + 2 * 3'600'000;
  apply({first});
  ASSERT_EQ(ledger->holes_open(), 1U);
  const Hole hole = ledger->wide_holes("emea").at(0);
  EXPECT_EQ(hole.cause, "migrated");
  EXPECT_EQ(hole.topic, stream.topic);
  EXPECT_EQ(hole.from_ts, 1'772'366'400'000 + 1'000'000);
  EXPECT_EQ(hole.to_ts, first.ts);
}

TEST_F(ReadJobTest, APauseAWordAndABrakeEachOutliveARestart) {
  static constexpr std::array kFlags{&ReadJob::paused, &ReadJob::confirmed, &ReadJob::braked};
  for (const auto set : kFlags) {
    ReadJob job;
    job.*set = true;
    const auto number = begin(job).number;
    crash_and_open();
    const ReadJob read = ledger->job(number).value();
    for (const auto flag : kFlags) EXPECT_EQ(read.*flag, flag == set);
  }
}

TEST_F(ReadJobTest, AChunkThatIsAppliedEndsTheFailuresBeforeIt) {
  const ReadJob job = begin();
  ASSERT_TRUE(ledger->change_job(job.number, [](ReadJob& it) {
    it.failures = 3;
    it.error = "no answer";
  }));
  ASSERT_TRUE(chunk(job, 1, 1, 2));
  EXPECT_EQ(now(job).failures, 0U);
  EXPECT_EQ(now(job).error, "");
}

TEST_F(ReadJobTest, TheTypesOfItsLastReadingAreThoseOfTheFieldsThatWereNotLeftOut) {
  ReadJob fields;
  fields.fields = "Name,Area__c,Since__c";
  fields.types = "string,location,date";
  fields.left_out = "Area__c";
  const ReadJob job = begin(fields);
  ASSERT_TRUE(chunk(job, 1, 1, 2, true));
  settle(job);
  const auto snapped = ledger->last_snapped("emea", "Account");
  ASSERT_TRUE(snapped);
  EXPECT_EQ(snapped->fields, "Name,Since__c");
  EXPECT_EQ(snapped->types, "string,date");
}

TEST_F(ReadJobTest, EndedJobsAreKeptForAWeek) {
  const ReadJob job = begin();
  ASSERT_TRUE(ledger->change_job(job.number, [&](ReadJob& it) {
    it.state = ReadJob::State::Cancelled;
    it.ended_at = clock.now_ms();
  }));
  begin();
  clock.us += 6LL * 24 * 3'600'000'000;
  begin();
  EXPECT_EQ(ledger->jobs().size(), 3U);
  clock.us += 2LL * 24 * 3'600'000'000;
  begin();
  crash_and_open();
  EXPECT_EQ(ledger->jobs().size(), 3U);
  EXPECT_FALSE(ledger->job(job.number));
}

TEST_F(ReadJobTest, OfAnObjectThatIsReadAgainAndAgainTheNewestAreKept) {
  const ReadJob open = begin();
  ReadJob other;
  other.org = "emea";
  other.object = "Contact";
  const auto contact = ledger->add_job(other)->number;
  for (std::size_t i = 0; i < kEndedJobsOfObjectMax + 20; ++i) {
    const ReadJob job = begin();
    ASSERT_TRUE(ledger->change_job(job.number, [&](ReadJob& it) {
      it.state = ReadJob::State::Done;
      it.ended_at = clock.now_ms();
    }));
  }
  const auto last = begin().number;
  crash_and_open();
  EXPECT_EQ(ledger->jobs().size(), kEndedJobsOfObjectMax + 3);
  EXPECT_TRUE(ledger->job(open.number)) << "it is open";
  EXPECT_TRUE(ledger->job(contact)) << "it is of another object";
  EXPECT_TRUE(ledger->job(last - kEndedJobsOfObjectMax));
  EXPECT_FALSE(ledger->job(last - kEndedJobsOfObjectMax - 1));
}

TEST_F(ReadJobTest, ANumberIsGivenOnceThoughItsJobIsForgotten) {
  ReadJob job;
  job.org = "emea";
  job.object = "Account";
  const auto first = ledger->add_job(job)->number;
  ASSERT_TRUE(ledger->change_job(first, [&](ReadJob& it) {
    it.state = ReadJob::State::Done;
    it.ended_at = clock.now_ms();
  }));
  clock.us += 15LL * 24 * 3600 * 1'000'000;
  apply({created(1, {{"Name", "A"}})});
  crash_and_open();
  EXPECT_EQ(ledger->add_job(job)->number, first + 1);
}

}  // namespace
}  // namespace headwater::ledger
