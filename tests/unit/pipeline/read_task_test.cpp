#include "daemon/pipeline/read_task.hpp"

#include "daemon/pipeline/read_failures.hpp"
#include "tests/unit/pipeline/read_fixture.hpp"

namespace headwater {
namespace {

using ledger::ReadJob;
using test::account;

using test::ReadTaskTest;

TEST_F(ReadTaskTest, AnObjectIsReadByKeySetInPagesAndBatches) {
  org.add(1, 4'500);
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(alive(), 4'500U);
  EXPECT_EQ(now(job).rows, 4'500U);
  EXPECT_EQ(now(job).chunks, 9U) << "batches of 500 at most";
  ASSERT_EQ(org.queries.size(), 3U);
  EXPECT_EQ(org.queries[1].where, "Id > '" + account(2'000) + "'");
  EXPECT_EQ(org.queries[1].order_by, "Id");
  EXPECT_EQ(org.jobs_made, 0) << "few rows need no Bulk job";
}

TEST_F(ReadTaskTest, ManyRecordsAreReadByABulkJobWhoseResultsAreGivenBack) {
  org.add(1, 3'000);
  org.counted = kBulkRowsMin;
  org.polls = 3;
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(alive(), 3'000U);
  EXPECT_EQ(now(job).rows, 3'000U);
  EXPECT_EQ(now(job).api, ReadJob::Api::Bulk);
  EXPECT_EQ(now(job).expected, 3'000U) << "the job's own count, once it is known";
  worker->step();
  EXPECT_EQ(org.freed, (std::vector<std::string>{"750-1"}));
  EXPECT_TRUE(org.aborted.empty());
}

TEST_F(ReadTaskTest, ARestartGoesOnWhereTheRowsThatWereAppliedEnd) {
  org.add(1, 4'500);
  const ReadJob job = ask();
  for (int i = 0; i < 4; ++i) worker->step();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(apply_one());
  EXPECT_EQ(now(job).rows, 1'500U);
  while (rows.pop()) {
  }
  disk->crash();
  open();
  make();
  org.queries.clear();
  run_to_end(job);
  EXPECT_EQ(org.queries.front().where, "Id > '" + account(1'500) + "'")
      << "one batch at most is lost";
  EXPECT_EQ(now(job).rows, 4'500U);
  EXPECT_EQ(alive(), 4'500U);
}

TEST_F(ReadTaskTest, ARestartOfABulkReadingRepeatsThePageThatWasNotWholeAndCountsItOnce) {
  org.add(1, 5'000);
  org.counted = kBulkRowsMin;
  const ReadJob job = ask();
  run_until(job, {ReadJob::State::Reading});
  for (int i = 0; i < 20 && now(job).rows < 2'000; ++i) {
    worker->step();
    for (int n = 0; n < 2; ++n) apply_one();
  }
  EXPECT_EQ(now(job).locator, "2000");
  for (int i = 0; i < 10 && rows.empty(); ++i) worker->step();
  ASSERT_TRUE(apply_one());
  EXPECT_EQ(now(job).rows, 2'000U) << "a part of the next page does not count yet";
  while (rows.pop()) {
  }
  disk->crash();
  open();
  make();
  run_to_end(job);
  EXPECT_EQ(now(job).rows, 5'000U);
  EXPECT_EQ(alive(), 5'000U);
  EXPECT_EQ(org.jobs_made, 1) << "the Bulk job is still there";
}

TEST_F(ReadTaskTest, AShortPageIsReadAgain) {
  org.add(1, 10);
  org.spoil_page = [](salesforce::QueryPage& page) {
    page.records.erase(page.records.begin() + 4);
  };
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(alive(), 10U);
  EXPECT_EQ(org.queries.size(), 2U);
}

TEST_F(ReadTaskTest, APageThatComesTwiceIsReadAgain) {
  org.add(1, 4'100);
  repeat_first_page();
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(alive(), 4'100U);
  EXPECT_EQ(now(job).rows, 4'100U);
}

TEST_F(ReadTaskTest, WhatIsWrongWithAPageIsToldInASentence) {
  org.add(1, 4'100);
  repeat_first_page();
  const ReadJob job = ask();
  EXPECT_EQ(trouble(job),
            "job 1 reads Account: a page holds records of the page before; reading it again");
  run_to_end(job);
  org.spoil_page = [](salesforce::QueryPage& page) { page.records.pop_back(); };
  const ReadJob again = ask();
  EXPECT_EQ(trouble(again),
            "job 2 reads Account: a page has 1999 rows, 2000 were announced; reading it again");
  run_to_end(again);
  EXPECT_EQ(now(again).rows, 4'100U);
  EXPECT_EQ(now(again).error, "");
}

TEST_F(ReadTaskTest, ABulkJobThatIsAbortedIsToldAndMadeAgain) {
  org.add(1, 3'000);
  org.counted = kBulkRowsMin;
  org.bulk_ends = salesforce::BulkJob::State::Aborted;
  const ReadJob job = ask();
  EXPECT_EQ(trouble(job),
            "job 1 reads Account: Bulk job 750-1 for Account was aborted; it is made again");
  org.bulk_ends = salesforce::BulkJob::State::Complete;
  run_to_end(job);
  EXPECT_EQ(org.jobs_made, 2);
  EXPECT_EQ(now(job).api, ReadJob::Api::Bulk);
  EXPECT_EQ(alive(), 3'000U);
}

TEST_F(ReadTaskTest, ABulkJobWhosePagesBringFewerRowsThanItCountsIsNotRead) {
  org.add(1, 3'000);
  org.counted = kBulkRowsMin;
  org.bulk_rows_lost = 1;
  const ReadJob job = ask();
  EXPECT_EQ(trouble(job),
            "job 1 reads Account: read Bulk job 750-1 for Account: 3000 rows came, but the job "
            "says 3001; reading the page again");
  EXPECT_EQ(now(job).state, ReadJob::State::Reading) << "what is missing would count as deleted";
}

TEST_F(ReadTaskTest, RecordsThatVanishBehindTheirPageAreAskedForByTheNextReading) {
  org.add(1, 3'000);
  create_accounts(1, 3'000);
  const ReadJob job = ask();
  for (int i = 0; i < 500 && now(job).rows < 2'000; ++i) turn();
  for (int i = 1; i <= 10; ++i) org.accounts.erase(account(i));         // their page is read
  for (int i = 2'990; i <= 3'000; ++i) org.accounts.erase(account(i));  // theirs is not
  run_to_end(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(now(job).unseen, 11U) << "in no page, so asked for by id";
  EXPECT_EQ(alive(), 2'989U);
  run_to_end(ask());
  EXPECT_EQ(alive(), 2'979U);
}

TEST_F(ReadTaskTest, PagesThatTheOrgCutsShorterAreAskedForInThatSize) {
  org.add(1, 1'000);
  org.page_max = 200;
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(alive(), 1'000U);
  EXPECT_EQ(org.queries.at(1).limit, 200U);
}

TEST_F(ReadTaskTest, AQueryThatTakesTooLongOrGivesTooMuchIsAskedForLess) {
  org.add(1, 1'000);
  org.errors = {
      std::nullopt, rejected("timeout", "QUERY_TIMEOUT"), transient("too large", "BODY_TOO_LARGE")};
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(alive(), 1'000U);
  EXPECT_EQ(org.queries.at(2).limit, 500U);
  EXPECT_EQ(now(job).failures, 0U);
}

TEST_F(ReadTaskTest, AFieldThatCannotBeQueriedIsLeftOutAndNamed) {
  org.add(1, 3);
  org.fields.push_back({"Secret__c", "string"});
  org.errors = {std::nullopt,
                rejected("No such column 'Secret__c' on entity 'Account'.", "INVALID_FIELD")};
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(now(job).left_out, "Secret__c");
  EXPECT_EQ(alive(), 3U);
  const auto& asked = org.queries.back().fields;
  EXPECT_EQ(std::ranges::find(asked, "Secret__c"), asked.end());
  EXPECT_GE(org.described, 2);
}

TEST_F(ReadTaskTest, AJobBeginsWithTheFieldsThatItsObjectHasNow) {
  org.add(1, 3);
  for (int i = 0; i < 3; ++i) run_to_end(ask());      // nothing is new any more
  org.fields.push_back({"Made_Later__c", "string"});  // no event told of it
  ReadJob repair;
  repair.why = ReadJob::Why::Repair;
  run_to_end(ask(repair));
  const auto& asked = org.queries.back().fields;
  EXPECT_NE(std::ranges::find(asked, "Made_Later__c"), asked.end());
}

TEST_F(ReadTaskTest, AWithdrawnPermissionMakesTheJobWaitAndDeletesNothing) {
  create_accounts(1, 100);
  org.add(1, 100);
  org.hidden = true;
  ReadJob job = ask();
  for (int i = 0; i < 3; ++i)
    org.errors.push_back(rejected("sObject type 'Account' is not supported.", "INVALID_TYPE"));
  for (int i = 0; i < 2'000 && !org.errors.empty(); ++i) {
    const Step step = worker->step();
    if (step.next == Step::Next::Wait) clock.ms = std::max(clock.ms + 1, step.until_ms);
  }
  EXPECT_EQ(now(job).failures, 3U);
  EXPECT_EQ(now(job).error, "job 1 reads Account: sObject type 'Account' is not supported.");
  EXPECT_TRUE(now(job).open());
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U) << "said at once, not by the next audit";
  const auto unreadable = ledger->wide_holes("emea")[0];
  EXPECT_EQ(unreadable.cause, "audit_unreadable");
  EXPECT_EQ(unreadable.object, "Account");
  ASSERT_TRUE(ledger->close_hole(unreadable, {ledger::Closing::How::Accepted, "ada", "seen", 0}));
  // Then it may be read, but no record is seen.
  run_to_end(job);
  EXPECT_EQ(alive(), 100U);
  EXPECT_EQ(ledger->holes().at(0).cause, "mass_delete");
  // A person vouches for it.
  ReadJob word;
  word.confirmed = true;
  word.by = "ada";
  word = ask(word);
  run_to_end(word);
  EXPECT_EQ(alive(), 0U);
  EXPECT_EQ(now(word).deleted, 100U);
  EXPECT_TRUE(ledger->wide_holes("emea").empty());
}

TEST_F(ReadTaskTest, WithNoRequestsLeftTheJobWaitsAndTheOrgIsRed) {
  org.add(1, 3);
  org.errors = {blocked("no requests left", "QUOTA_RESERVED")};
  const ReadJob job = ask();
  const std::int64_t before = clock.ms;
  for (int i = 0; i < 10; ++i) worker->step();
  EXPECT_EQ(part.state(), observe::PartState::Blocked);
  run_to_end(job);
  EXPECT_GE(clock.ms - before, 60'000);
  EXPECT_EQ(alive(), 3U);
}

TEST_F(ReadTaskTest, ABulkJobThatFailsIsMadeAgainAndTheThirdTimeTheObjectIsReadByRest) {
  org.add(1, 3'000);
  org.counted = kBulkRowsMin;
  org.bulk_ends = salesforce::BulkJob::State::Failed;
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(org.jobs_made, 3);
  EXPECT_EQ(now(job).api, ReadJob::Api::Rest);
  EXPECT_EQ(alive(), 3'000U);
  EXPECT_EQ(now(job).rows, 3'000U);
}

TEST_F(ReadTaskTest, ABulkJobThatIsGoneIsMadeAgainAndWhatWasReadOfItIsNotCounted) {
  org.add(1, 5'000);
  org.counted = kBulkRowsMin;
  const ReadJob job = ask();
  for (int i = 0; i < 20 && now(job).rows < 2'000; ++i) {
    worker->step();
    while (apply_one()) {
    }
  }
  org.errors = {rejected("gone", "NOT_FOUND")};
  run_to_end(job);
  EXPECT_EQ(org.jobs_made, 2);
  EXPECT_EQ(now(job).rows, 5'000U);
  EXPECT_EQ(alive(), 5'000U);
}

TEST_F(ReadTaskTest, BatchesThatAreLostOnTheirWayAreReadAgain) {
  org.add(1, 700);
  const ReadJob job = ask();
  for (int i = 0; i < 4; ++i) worker->step();
  ASSERT_TRUE(rows.pop());
  run_to_end(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(alive(), 700U);
}

TEST_F(ReadTaskTest, APausedJobStandsStillAndACancelledOneEndsItsBulkJob) {
  org.add(1, 3'000);
  org.counted = kBulkRowsMin;
  org.polls = 1'000;
  const ReadJob job = ask();
  run_until(job, {ReadJob::State::Reading});
  for (int i = 0; i < 3; ++i) worker->step();
  ASSERT_TRUE(ledger->change_job(job.number, [](ReadJob& it) { it.paused = true; }));
  org.polls = 0;
  for (int i = 0; i < 10; ++i) {
    worker->step();
    clock.ms += 60'000;
  }
  EXPECT_EQ(org.pages_read, 0);
  ASSERT_TRUE(
      ledger->change_job(job.number, [](ReadJob& it) { it.state = ReadJob::State::Cancelled; }));
  worker->step();
  EXPECT_EQ(org.aborted, (std::vector<std::string>{"750-1"}));
}

TEST_F(ReadTaskTest, RefetchesComeBetweenThePages) {
  org.add(1, 8'000);
  const ReadJob job = ask();
  run_until(job, {ReadJob::State::Reading});
  worker->step();
  while (apply_one()) {
  }
  apply({{account(7'999), 1, "event", false}});  // an update of a record that we do not know whole
  worker->step();
  ASSERT_TRUE(apply_one());
  EXPECT_EQ(ledger->holes_open(), 0U) << "asked for before the next page";
  EXPECT_LT(now(job).rows, 8'000U);
}

TEST_F(ReadTaskTest, ARowNeverOverwritesANewerEventNorBringsADeletedRecordBack) {
  org.add(1, 3);
  const ReadJob job = ask();
  for (int i = 0; i < 4; ++i) worker->step();  // read, not yet applied
  apply({{account(1), 100, "newer", true}});
  run_to_end(job);
  EntryBatch found;
  ASSERT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(account(1))}, found));
  EXPECT_EQ(found.entries()[0].meta.version.commit_number, 100);
}

TEST_F(ReadTaskTest, WhatAnEventToldWhileThePageWasOnItsWayIsNotOverwritten) {
  org.add(1, 3);
  org.spoil_page = [this](salesforce::QueryPage&) { apply({{account(1), 100, "newer", true}}); };
  run_to_end(ask());
  EntryBatch found;
  ASSERT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(account(1))}, found));
  EXPECT_EQ(found.entries()[0].after.find(Section::Fields, "name")->text, "newer");
}

TEST_F(ReadTaskTest, APersonsReadingAsksWhichFieldsThereAreNow) {
  org.add(1, 3);
  for (int i = 0; i < 2; ++i) run_to_end(ask());  // rows name no field by then that is new to us
  org.fields.push_back({"Shown__c", "string"});
  const auto job = ask();
  run_to_end(job);
  EXPECT_NE(now(job).fields.find("Shown__c"), std::string::npos) << now(job).fields;
}

TEST_F(ReadTaskTest, AConditionHoldsForEveryPage) {
  org.add(1, 2'500);
  ReadJob some;
  some.where = "Name = 'a' OR Name = 'b'";
  run_to_end(ask(some));
  ASSERT_EQ(org.queries.size(), 2U);
  EXPECT_EQ(org.queries[1].where, "(Name = 'a' OR Name = 'b') AND Id > '" + account(2'000) + "'");
}

TEST_F(ReadTaskTest, TheRecycleBinTellsOfDeletionsThatNoEventTold) {
  create_accounts(1, 40);
  org.add(1, 40);
  for (int i = 1; i <= 30; ++i) org.accounts[account(i)].deleted = true;
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(alive(), 10U) << "the org says so: no brake";
  EXPECT_EQ(now(job).deleted, 30U);
}

TEST_F(ReadTaskTest, ARecordThatIsNotUnderstoodGetsAHoleAndTheOthersGoOn) {
  org.fields.push_back({"Size__c", "double"});
  org.add(1, 3);
  org.spoil_page = [](salesforce::QueryPage& page) {
    page.records[1].insert(page.records[1].size() - 1, R"(,"Size__c":"no number")");
  };
  const ReadJob job = ask();
  run_until(job, {ReadJob::State::Settling, ReadJob::State::Done});
  EXPECT_EQ(alive(), 2U);
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "unreadable");
}

TEST_F(ReadTaskTest, ARowThatCannotBeReadIsNotUnseenAndTheJobEnds) {
  create_accounts(1, 3);
  org.add(1, 3);
  org.fields.push_back({"Due__c", "date"});
  org.poison.insert(account(2));
  const ReadJob job = ask();
  run_to_end(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(now(job).unseen, 0U) << "it is there";
  ASSERT_EQ(ledger->holes_open(), 1U);
  const auto hole = ledger->holes()[0];
  EXPECT_EQ(hole.cause, "unreadable");
  EXPECT_EQ(hole.id, account(2));
  EXPECT_NE(hole.detail.find("field Due__c holds no date"), std::string::npos) << hole.detail;
  EXPECT_EQ(hole.detail.find("tomorrow"), std::string::npos) << "no value";
  // The org prints it as a date again.
  org.poison.clear();
  for (int i = 0; i < 500 && ledger->holes_open() > 0; ++i) turn();
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(ReadTaskTest, NoJobWaitsForARecordWhoseRowTurnsOutToBeUnreadable) {
  create_accounts(1, 3);
  org.add(1, 3);
  org.fields.push_back({"Due__c", "date"});
  // The reading does not meet it, as a page lacks it; by id the org shows a row with no date.
  org.spoil_page = [](salesforce::QueryPage& page) {
    page.records.erase(page.records.begin() + 1);
    --page.total;
  };
  const ReadJob job = ask();
  org.poison.insert(account(2));
  run_to_end(job);
  EXPECT_EQ(now(job).state, ReadJob::State::Done);
  EXPECT_EQ(now(job).unseen, 1U);
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "unreadable");
  EXPECT_EQ(alive(), 3U) << "nothing was deleted";
}

TEST_F(ReadTaskTest, AnOverflowIsRepairedByAJobAndClosedWithItsEvidence) {
  create_accounts(1, 3);
  org.add(2, 4);  // 1 is gone for good, 4 was never told of
  ledger::Hole hole = overflow();
  ASSERT_TRUE(ledger->open_hole(hole));
  for (int i = 0; i < 500 && !ledger->wide_holes("emea").empty(); ++i) {
    turn();
  }
  ASSERT_TRUE(ledger->wide_holes("emea").empty());
  EXPECT_EQ(alive(), 3U);
  const auto closed = ledger->closed_holes().at(0);
  EXPECT_EQ(closed.closing.how, ledger::Closing::How::Repaired);
  EXPECT_TRUE(closed.closing.evidence.starts_with("job 1 read 3 records of Account from version "))
      << closed.closing.evidence;
  EXPECT_TRUE(closed.closing.evidence.ends_with(", 1 deleted")) << closed.closing.evidence;
}

TEST_F(ReadTaskTest, AHoleThatIsRenewedWhileItIsRepairedNeedsAnotherJob) {
  create_accounts(1, 1);
  org.add(1, 1);
  ledger::Hole hole = lost_stretch();
  hole.to_ts = 1;
  ASSERT_TRUE(ledger->open_hole(hole));
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("p")));
  for (int i = 0; i < 3; ++i) worker->step();
  ASSERT_EQ(ledger->jobs().size(), 1U);
  hole.to_ts = 2;
  ASSERT_TRUE(ledger->open_hole(hole));
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("q")));
  for (int i = 0; i < 500 && !ledger->wide_holes("emea").empty(); ++i) {
    turn();
  }
  EXPECT_EQ(ledger->jobs().size(), 2U);
  EXPECT_TRUE(ledger->closed_holes().at(0).closing.evidence.starts_with("job 2 "));
}

TEST_F(ReadTaskTest, AnOverflowThatComesAgainWhileItIsRepairedNeedsAnotherJob) {
  create_accounts(1, 1);
  org.add(1, 1);
  ledger::Hole hole = overflow();
  hole.version = {1, 10, 1, 0};
  ASSERT_TRUE(ledger->open_hole(hole));
  for (int i = 0; i < 3; ++i) worker->step();
  ASSERT_EQ(ledger->jobs().size(), 1U);
  hole.version = {1, 11, 1, 0};
  ASSERT_TRUE(ledger->open_hole(hole));
  for (int i = 0; i < 500 && !ledger->wide_holes("emea").empty(); ++i) turn();
  EXPECT_EQ(ledger->jobs().size(), 2U);
}

TEST_F(ReadTaskTest, AnObjectThatStaysHiddenIsWaitedForByTheSameJobs) {
  create_accounts(1, 3);
  org.add(1, 3);
  org.describe_error = rejected("describe Account: HTTP 404 NOT_FOUND", "NOT_FOUND");
  ledger::Hole hole = overflow();
  ASSERT_TRUE(ledger->open_hole(hole));
  const std::int64_t before = clock.ms;
  while (clock.ms - before < Millis(std::chrono::hours{1}).count()) turn();
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U);
  EXPECT_EQ(ledger->wide_holes("emea")[0].cause, "overflow");
  EXPECT_TRUE(ledger->wide_holes("emea")[0].detail.starts_with("describe Account: HTTP 404"));
  EXPECT_EQ(ledger->jobs().size(), 1U);
  EXPECT_LT(org.described, 30) << "with growing pauses";
  // The permission is back.
  org.describe_error.reset();
  for (int i = 0; i < 20'000 && !ledger->wide_holes("emea").empty(); ++i) turn();
  EXPECT_TRUE(ledger->wide_holes("emea").empty());
}

TEST_F(ReadTaskTest, AJobThatHasYetToBeginAnswersWhatItsHoleLacksSinceThen) {
  create_accounts(1, 3);
  org.add(1, 3);
  org.describe_error = rejected("describe Account: HTTP 404 NOT_FOUND", "NOT_FOUND");
  ledger::Hole hole = overflow();
  for (std::uint32_t again = 0; again < 20; ++again) {
    hole.version = {1, 10 + again, 1, 0};
    ASSERT_TRUE(ledger->open_hole(hole));
    for (int i = 0; i < 20; ++i) turn();
  }
  EXPECT_EQ(ledger->jobs().size(), 1U);
  org.describe_error.reset();
  for (int i = 0; i < 20'000 && !ledger->wide_holes("emea").empty(); ++i) turn();
  ASSERT_TRUE(ledger->wide_holes("emea").empty());
  EXPECT_TRUE(ledger->closed_holes().at(0).closing.evidence.starts_with("job 1 read 3 records"));
}

TEST_F(ReadTaskTest, AReadingBeginsAgainOnceItsObjectIsHidden) {
  org.add(1, 5'000);
  const ReadJob job = ask();
  run_until(job, {ReadJob::State::Reading});
  for (int i = 0; i < 100 && now(job).rows == 0; ++i) turn();
  ASSERT_GT(now(job).rows, 0U);
  ASSERT_LT(now(job).rows, 5'000U);
  for (int i = 0; i < 3; ++i)
    org.errors.push_back(rejected("sObject type 'Account' is not supported.", "INVALID_TYPE"));
  while (!org.errors.empty()) turn();
  EXPECT_EQ(now(job).rows, 0U) << "nobody was told what changed of them meanwhile";
  run_to_end(job);
  EXPECT_EQ(now(job).rows, 5'000U);
}

TEST_F(ReadTaskTest, AStretchThatMayLackAnythingStaysOpenWhereNoObjectIsKnown) {
  org.members.clear();
  ledger::Hole hole = lost_stretch();
  hole.to_ts = 1;
  ASSERT_TRUE(ledger->open_hole(hole));
  ASSERT_TRUE(ledger->save_position({"emea", hole.topic}, ReplayId("p")));
  for (int i = 0; i < 50; ++i) turn();
  EXPECT_TRUE(ledger->jobs().empty());
  EXPECT_EQ(ledger->wide_holes("emea").size(), 1U);
}

TEST_F(ReadTaskTest, AReadingOfSomeRecordsIsNoEvidenceForAll) {
  create_accounts(1, 1);
  org.add(1, 1);
  ledger::Hole hole = overflow();
  ASSERT_TRUE(ledger->open_hole(hole));
  ReadJob some;
  some.where = "Name = 'N1'";
  some.holes = answered(holes_of_object(*ledger, "emea", "Account"));
  run_to_end(ask(some));
  for (int i = 0; i < 50; ++i) turn();
  EXPECT_EQ(ledger->wide_holes("emea").size(), 1U);
}

TEST_F(ReadTaskTest, AStretchIsReadOnlyOnceItsStreamGoesOn) {
  create_accounts(1, 1);
  org.add(1, 1);
  const ledger::StreamKey stream{"emea", "/data/ChangeEvents"};
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("before")));
  clock.ms += 60'000;
  ledger::Hole hole = lost_stretch();
  hole.opened_at = hole.to_ts = clock.now_ms();
  ASSERT_TRUE(ledger->open_hole(hole));
  for (int i = 0; i < 20; ++i) {
    worker->step();
    clock.ms += 1'000;
  }
  EXPECT_TRUE(ledger->jobs().empty()) << "the bus may forget more before the stream goes on";
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("behind")));
  for (int i = 0; i < 3; ++i) {
    worker->step();
    clock.ms += 1'000;
  }
  EXPECT_EQ(ledger->jobs().size(), 1U);
}

/// A stretch of the stream that was lost a day after everything was read in.
class StretchTest : public test::LostStretchTest {
 protected:
  void SetUp() override {
    ReadTaskTest::SetUp();
    create_accounts(1, 100);
    org.add(1, 100);
    lose_a_minute();
  }
  /// Saved within the stretch.
  test::FakeOrg::Account& saved(int number) {
    auto& it = org.accounts[account(number)];
    it.stamp = lost.from_ts + 1'000;
    return it;
  }
  /// Until the stretch is repaired. Its evidence.
  std::string repair() {
    EXPECT_TRUE(ledger->open_hole(lost));
    clock.ms += 1'000;
    EXPECT_TRUE(ledger->save_position(stream, ReplayId("behind")));
    for (int i = 0; i < 2'000 && !ledger->wide_holes("emea").empty(); ++i) turn();
    const auto closed = ledger->closed_holes();
    return closed.empty() ? "" : closed[0].closing.evidence;
  }
};

TEST_F(StretchTest, ReadsWhatWasSavedSinceAndAsksTheLogForWhatIsGone) {
  saved(1).name = "changed";
  saved(2).deleted = true;
  saved(101).name = "new";
  org.accounts.erase(account(3));  // out of the recycle bin, too
  org.log_of = {account(2), account(3), account(999)};
  const std::string evidence = repair();
  const ReadJob job = ledger->jobs().at(0);
  EXPECT_EQ(job.rows, 3U) << "of a hundred";
  EXPECT_EQ(job.since, lost.from_ts - kWindowMargin);
  EXPECT_EQ(alive(), 99U);
  EXPECT_NE(image(1).find(R"("name":"changed")"), std::string::npos) << image(1);
  EXPECT_EQ(evidence.substr(0, evidence.find(" from version")),
            "job 1 read 3 records of Account saved since 2026-03-02T11:00:00.000Z");
  EXPECT_NE(evidence.find("2 deleted, the org's log of deletions from 2026-03-02T11:00:00.000Z to "
                          "2026-03-02T12:01:01.000Z names 3, of which 1 lived here"),
            std::string::npos)
      << evidence;
}

TEST_F(StretchTest, OfWhichNobodyKnowsTheBeginningIsReadWhole) {
  lost.from_ts = 0;
  repair();
  EXPECT_EQ(ledger->jobs().at(0).rows, 100U);
  EXPECT_TRUE(org.log_asked.empty());
}

TEST_F(StretchTest, ThatBeganBeforeTheLogReachesIsReadWhole) {
  lost.from_ts -= Millis(std::chrono::days{14}).count();
  repair();
  EXPECT_EQ(ledger->jobs().at(0).rows, 100U);
}

TEST_F(StretchTest, IsReadWholeOnceTheLogTurnsOutToBeTrimmed) {
  org.accounts.erase(account(3));
  org.log_reaches_from = lost.from_ts;
  const std::string evidence = repair();
  EXPECT_EQ(alive(), 99U) << "not in the log, and yet found";
  EXPECT_EQ(ledger->jobs().at(0).rows, 99U);
  EXPECT_NE(evidence.find("all of it, as the org's log of deletions begins at "), std::string::npos)
      << evidence;
}

TEST_F(StretchTest, IsReadWholeOfAnObjectWithoutALog) {
  org.accounts.erase(account(3));
  org.errors = {std::nullopt, std::nullopt, rejected("no such resource", "NOT_FOUND")};
  repair();
  EXPECT_EQ(alive(), 99U);
  EXPECT_EQ(ledger->jobs().at(0).rows, 99U);
}

TEST_F(StretchTest, WaitsForALogThatDoesNotCoverItYet) {
  org.accounts.erase(account(3));
  org.log_reaches_to = lost.from_ts;
  ASSERT_TRUE(ledger->open_hole(lost));
  clock.ms += 1'000;
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("behind")));
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_FALSE(ledger->wide_holes("emea").empty());
  EXPECT_GT(org.log_asked.size(), 1U);
  org.log_reaches_to.reset();
  org.log_of = {account(3)};
  repair();
  EXPECT_EQ(alive(), 99U);
  EXPECT_EQ(ledger->jobs().at(0).rows, 0U);
}

TEST_F(StretchTest, InWhichTooMuchIsGoneDeletesNothing) {
  for (int i = 1; i <= 90; ++i) {
    org.accounts.erase(account(i));
    org.log_of.push_back(account(i));
  }
  ASSERT_TRUE(ledger->open_hole(lost));
  clock.ms += 1'000;
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("behind")));
  for (int i = 0; i < 200; ++i) turn();
  EXPECT_EQ(alive(), 100U);
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U);
  EXPECT_EQ(ledger->wide_holes("emea")[0].cause, "mass_delete");
}

TEST_F(StretchTest, OfWhichNothingIsShownAnyMoreDeletesNothingAndIsNotTakenForQuiet) {
  org.hidden = true;
  ASSERT_TRUE(ledger->open_hole(lost));
  clock.ms += 1'000;
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("behind")));
  for (int i = 0; i < 200; ++i) turn();
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U);
  EXPECT_EQ(ledger->wide_holes("emea")[0].cause, "mass_delete");
  const std::string evidence = ledger->closed_holes().at(0).closing.evidence;
  EXPECT_EQ(alive(), 100U);
  EXPECT_NE(evidence.find("all of it, as the org shows 0 records, 100 live here"),
            std::string::npos)
      << evidence;
}

TEST_F(StretchTest, OfWhichATenthIsShownNoMoreIsReadWhole) {
  org.counted = 90;  // of 100
  const std::string evidence = repair();
  EXPECT_NE(evidence.find("the org shows 90 records, 100 live here"), std::string::npos)
      << evidence;
}

TEST_F(StretchTest, BeginsAtItsOpeningShouldTheStreamsTimesBeLater) {
  lost.opened_at = lost.from_ts - kWindowMargin;
  EXPECT_EQ(window_of(lost), lost.opened_at - kWindowMargin);
}

TEST_F(StretchTest, ThatIsFoundToBeginEarlierIsReadAgainFromThere) {
  ASSERT_TRUE(ledger->open_hole(lost));
  clock.ms += 1'000;
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("behind")));
  for (int i = 0; i < 2; ++i) turn();
  ASSERT_EQ(ledger->jobs().size(), 1U);
  lost.from_ts -= 3 * kWindowMargin;
  repair();
  ASSERT_EQ(ledger->jobs().size(), 2U);
  EXPECT_EQ(ledger->jobs()[1].since, lost.from_ts - kWindowMargin);
}

TEST_F(ReadTaskTest, AResyncBeforeItsStreamGoesOnAnswersNoStretch) {
  create_accounts(1, 1);
  org.add(1, 1);
  ledger::Hole hole = lost_stretch();
  hole.opened_at = clock.now_ms();
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("before")));
  clock.ms += 1;
  hole.to_ts = clock.now_ms();
  ASSERT_TRUE(ledger->open_hole(hole));
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Account").empty());
}

TEST_F(ReadTaskTest, ObjectsAreReadInOnceEveryStreamThatStartsSoIsAnchored) {
  org.add(1, 3);
  plan = {{"Account"}, {"/data/ChangeEvents"}};
  make();
  const auto run = [this] {
    for (int i = 0; i < 50; ++i) {
      turn();
    }
  };
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId()));
  run();
  EXPECT_TRUE(ledger->jobs().empty()) << "subscribed, but nothing says where";
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("p")));
  run();
  EXPECT_EQ(alive(), 3U);
  ASSERT_EQ(ledger->jobs().size(), 1U);
  EXPECT_EQ(ledger->jobs()[0].why, ReadJob::Why::Snapshot);
  run();
  EXPECT_EQ(ledger->jobs().size(), 1U) << "once";
  // A field more: values that no event tells.
  org.fields.push_back({"Region__c", "string"});
  clock.ms += 3'700'000;
  run();
  EXPECT_EQ(ledger->jobs().size(), 2U);
  run();
  EXPECT_EQ(ledger->jobs().size(), 2U);
  // Its type changed: every value is another one, and no event tells.
  org.fields.back().second = "textarea";
  clock.ms += 3'700'000;
  run();
  EXPECT_EQ(ledger->jobs().size(), 3U);
  run();
  EXPECT_EQ(ledger->jobs().size(), 3U) << "once";
}

TEST_F(ReadTaskTest, AnObjectOfWhichAStreamToldAnotherSchemaIsLookedAtOutOfTurn) {
  plan = {{"Account"}, {"/data/ChangeEvents"}};
  for (int i = 0; i < 30; ++i) plan.snapshot_objects.push_back("Other" + std::to_string(i) + "__c");
  make();
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("p")));
  for (int i = 0; i < 3'000; ++i) turn();
  ASSERT_EQ(ledger->jobs().size(), 31U);
  org.fields.push_back({"Region__c", "string"});
  for (const std::string object : {"Other7__c", "Account", "Other20__c"}) {
    ledger->schema_changed("emea", object);
    const std::int64_t before = clock.ms;
    const auto jobs = ledger->jobs().size();
    while (ledger->jobs().size() == jobs && clock.ms - before < 60'000) turn();
    EXPECT_EQ(ledger->jobs().back().object, object);
    EXPECT_LE(clock.ms - before, 2'000);
  }
}

TEST_F(ReadTaskTest, NothingIsReadInBeforeTheLastOfSeveralStreamsIsAnchored) {
  org.add(1, 3);
  plan = {{"Account"}, {"/data/AccountChangeEvent", "/data/ContactChangeEvent"}};
  make();
  ASSERT_TRUE(ledger->save_position({"emea", "/data/AccountChangeEvent"}, ReplayId("p")));
  for (int i = 0; i < 50; ++i) turn();
  EXPECT_TRUE(ledger->jobs().empty());
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ContactChangeEvent"}, ReplayId("p")));
  for (int i = 0; i < 50; ++i) turn();
  EXPECT_EQ(alive(), 3U);
}

TEST_F(ReadTaskTest, AnObjectThatAppearsOnTheStreamIsReadInByItself) {
  org.add(1, 3);
  plan = {{}, {"/data/ChangeEvents"}};
  make();
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("p")));
  for (int i = 0; i < 10; ++i) worker->step();
  EXPECT_TRUE(ledger->jobs().empty());
  apply({{account(2), 1, "told by an event", true}});
  for (int i = 0; i < 100 && alive() < 3; ++i) {
    turn();
  }
  EXPECT_EQ(alive(), 3U);
}

TEST_F(ReadTaskTest, ARepairThatAPersonCancelledIsNotMadeAgainButAResyncAnswersItsHole) {
  create_accounts(1, 1);
  org.add(1, 1);
  ledger::Hole hole = overflow();
  ASSERT_TRUE(ledger->open_hole(hole));
  worker->step();
  worker->step();
  ASSERT_EQ(ledger->jobs().size(), 1U);
  ASSERT_TRUE(ledger->change_job(1, [](ReadJob& it) { it.state = ReadJob::State::Cancelled; }));
  const auto run = [this] {
    for (int i = 0; i < 60; ++i) {
      turn();
    }
  };
  run();
  EXPECT_EQ(ledger->jobs().size(), 1U);
  EXPECT_EQ(ledger->holes_open(), 1U);
  ReadJob again;
  again.holes = answered(holes_of_object(*ledger, "emea", "Account"));
  ask(again);
  run();
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST(ReadRemedy, AFieldThatOnlyThePersonsConditionNamesEndsTheJob) {
  ReadJob job;
  job.fields = "Id,Name";
  const Error error = rejected("No such column 'Nmae' on entity 'Account'", "INVALID_FIELD");
  EXPECT_FALSE(remedy_of(job, error).give_up) << "the object may have changed";
  job.where = "Nmae = 1";
  EXPECT_TRUE(remedy_of(job, error).give_up);
  const Error ours = rejected("No such column 'Name' on entity 'Account'", "INVALID_FIELD");
  EXPECT_FALSE(remedy_of(job, ours).give_up);
}

TEST(ReadRemedy, AJobThatLosesAFieldBeginsAnewIfItsResultHasTheColumn) {
  ReadJob job;
  job.fields = "Id,Name,Gone__c";
  const Error error = rejected("No such column 'Gone__c' on entity 'Account'", "INVALID_FIELD");
  EXPECT_FALSE(remedy_of(job, error).from_the_start) << "each page is a query of its own";
  EXPECT_EQ(remedy_of(job, error).leave_out, "Gone__c");
  job.api = ReadJob::Api::Bulk;
  job.bulk_id = "750-1";
  EXPECT_TRUE(remedy_of(job, error).from_the_start);
  // And from the start means from the start.
  job.state = ReadJob::State::Reading;
  job.last_id = account(7);
  job.locator = "more";
  job.rows = job.bulk_rows = 7;
  const auto run = job.run;
  apply_remedy(remedy_of(job, error), error, Version{1, 2, 3, 0}, 1'000, job);
  EXPECT_EQ(job.run, run + 1);
  EXPECT_EQ(job.bulk_id + job.locator + job.last_id, "");
  EXPECT_EQ(job.rows + job.bulk_rows, 0U);
  EXPECT_TRUE(same(job.noted, Version{1, 2, 3, 0}));
  EXPECT_EQ(job.left_out, "Gone__c");
}

TEST(ObjectOfTopic, IsTheObjectOrNothingForSeveral) {
  EXPECT_EQ(object_of_topic("/data/AccountChangeEvent"), "Account");
  EXPECT_EQ(object_of_topic("/data/Invoice__ChangeEvent"), "Invoice__c");
  EXPECT_EQ(object_of_topic("/data/ChangeEvents"), "");
  EXPECT_EQ(object_of_topic("/data/Sales__chn"), "");
}

TEST(ReadJobTest, ATryThatAWrongClockPutOffForADayIsDue) {
  ledger::ReadJob job;
  const EpochMs now = 1'772'366'400'000;
  job.next_try = now + 60'000;
  EXPECT_FALSE(is_due(job, now));
  job.next_try = now + 86'400'000;
  EXPECT_TRUE(is_due(job, now));
}

}  // namespace
}  // namespace headwater
