#include "daemon/pipeline/org_worker.hpp"

#include <algorithm>

#include "daemon/ledger/audit_book.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;
using test::account;

constexpr const char* kUkType = "0125f000000UkUkAAK";

/// An org of accounts whose answers a test sets.
class FakeApi final : public salesforce::OrgApi {
 public:
  Result<std::string> org_id() override { return id; }
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override { return objects; }
  Result<salesforce::ObjectDescription> describe(std::string_view object) override {
    ++described;
    salesforce::ObjectDescription out;
    out.name = object;
    for (const auto& [name, type] : fields) out.fields.push_back({name, name, type, {}, {}, false});
    return out;
  }
  Result<std::vector<salesforce::RecordTypeInfo>> record_types() override { return types; }
  Result<std::vector<std::string>> channel_members(std::string_view) override {
    return rejected("not asked");
  }
  Result<std::vector<salesforce::FetchedRecord>> fetch(
      std::string_view,
      std::span<const RecordId> ids,
      std::span<const std::string> names) override {
    asked.emplace_back();
    for (const RecordId& record : ids) asked.back().push_back(record.str());
    asked_fields.assign(names.begin(), names.end());
    if (failure) return *failure;
    std::vector<salesforce::FetchedRecord> out;
    for (const RecordId& record : ids) {
      const auto at = records.find(record.str());
      out.push_back({record, at == records.end() ? std::nullopt : std::optional(at->second)});
    }
    if (meanwhile) std::exchange(meanwhile, {})();
    return out;
  }

  Result<std::string> id = std::string("00D5f000000AbCdEAK");
  Result<std::vector<salesforce::ObjectInfo>> objects =
      std::vector<salesforce::ObjectInfo>{{"Account", "001", true, true},
                                          {"Invoice__c", "a0B", true, true},
                                          {"NoPrefix", "", true, true}};
  Result<std::vector<salesforce::RecordTypeInfo>> types =
      std::vector<salesforce::RecordTypeInfo>{{*RecordId::parse(kUkType), "UK_Customer"}};
  std::map<std::string, std::string> fields = {
      {"Id", "id"}, {"SystemModstamp", "datetime"}, {"Name", "string"}};
  std::map<std::string, std::string> records;  ///< id -> JSON
  std::optional<Error> failure;
  std::function<void()> meanwhile;  ///< happens while the next answer is on its way
  int described = 0;
  std::vector<std::vector<std::string>> asked;
  std::vector<std::string> asked_fields;
};

std::string row(int number, const std::string& name) {
  return R"({"attributes":{"type":"Account"},"Id":")" + account(number) +
         R"(","SystemModstamp":"2026-03-01T12:01:00.000+0000","Name":)" + name + "}";
}

class OrgWorkerTest : public test::PipelineTest {
 protected:
  void make(const std::string& expected_id = {}, HiddenFields* hidden = nullptr) {
    worker.emplace(OrgWorker::Parts{"emea",
                                    expected_id,
                                    "DE",
                                    "EUR",
                                    api,
                                    *ledger,
                                    rows,
                                    ready,
                                    [this] { ++wakes; },
                                    clock,
                                    part,
                                    metrics,
                                    hidden});
  }
  Step run() {
    for (int i = 0; i < 100; ++i) {
      const Step step = worker->step();
      if (step.next != Step::Next::Again) return step;
    }
    ADD_FAILURE() << "the worker does not come to rest";
    return Step::done();
  }
  /// An update of each of these, which nobody knows: record holes.
  void open_holes(int from, int to) {
    for (int i = from; i <= to; ++i) apply({{account(i), i, "event", false}});
    ASSERT_EQ(ledger->holes_open(), static_cast<std::size_t>(to - from + 1));
  }
  /// What ingest does with the lane.
  std::size_t drain() {
    std::size_t out = 0;
    while (auto owned = rows.pop()) {
      owned->batch.rows = owned->rows;
      out += owned->rows.size();
      EXPECT_TRUE(ledger->apply_rows(owned->batch));
    }
    return out;
  }

  /// Whether a deleted record was merged is a doubt of its own, and another task's.
  std::ptrdiff_t records_in_doubt() const {
    return std::ranges::count(ledger->holes(), ledger::Hole::Scope::Record, &ledger::Hole::scope);
  }

  FakeApi api;
  RowLane rows{4};
  std::atomic<bool> ready{false};
  int wakes = 0;
  observe::Part& part = health.add("org emea", Millis(60'000));
  std::optional<OrgWorker> worker;
};

TEST_F(OrgWorkerTest, ALoginToAnotherOrgIsFatalAndChangesNothing) {
  make("00D5f000000ZZZZEAK");
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_EQ(part.state(), PartState::Fatal);
  EXPECT_EQ(part.snapshot().sentence,
            "org emea: the login leads to org 00D5f000000AbCdEAK, the configuration says "
            "00D5f000000ZZZZEAK; refused, nothing was changed");
  EXPECT_FALSE(ready);
  EXPECT_EQ(ledger->org_id("emea"), "");
}

TEST_F(OrgWorkerTest, ALoginToAnotherOrgThanTheLedgerKnowsIsFatalToo) {
  ASSERT_TRUE(ledger->bind_org("emea", "00D5f000000ZZZZEAK"));
  make();
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_EQ(part.state(), PartState::Fatal);
  EXPECT_FALSE(ready);
}

TEST_F(OrgWorkerTest, TheOrgIsBoundItsFactsLearnedAndThenStreamsMayStart) {
  make();
  run();
  EXPECT_EQ(ledger->org_id("emea"), "00D5f000000AbCdEAK");
  const auto facts = ledger->org_facts("emea");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->region, "DE");
  EXPECT_EQ(facts->currency, "EUR");
  EXPECT_EQ(facts->object_by_prefix.size(), 2U);
  EXPECT_EQ(facts->object_by_prefix.at("a0B"), "Invoice__c");
  EXPECT_EQ(facts->record_types,
            (crm::RecordTypes{{"012000000000000AAA", "Master"}, {kUkType, "UK_Customer"}}));
  EXPECT_TRUE(ready);
  EXPECT_GE(wakes, 1);
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(OrgWorkerTest, WhatAnEarlierBuildKnewToBeHiddenIsAmongTheFacts) {
  ASSERT_TRUE(ledger::AuditBook(*ledger).keep("fields:emea:Account", "+Name\n-Tier__c\n"));
  HiddenFields hidden("emea", *ledger, clock);
  make({}, &hidden);
  run();
  EXPECT_EQ(ledger->org_facts("emea")->retired, (crm::RetiredPaths{{"Account", {"Tier__c"}}}));
}

TEST_F(OrgWorkerTest, AnOrgThatShowsNoRecordTypesIsCopiedWithoutTheirNames) {
  api.types = rejected("query RecordType: INVALID_TYPE", "INVALID_TYPE");
  make();
  run();
  EXPECT_TRUE(ready);
  EXPECT_EQ(part.state(), PartState::Ok);
  EXPECT_EQ(ledger->org_facts("emea")->record_types.size(), 1U);
}

TEST_F(OrgWorkerTest, StreamsWaitForRecordTypesThatCannotBeReadNow) {
  api.types = transient("query RecordType: HTTP 503");
  make();
  const Step step = run();
  EXPECT_FALSE(ready);
  api.types = std::vector<salesforce::RecordTypeInfo>{};
  clock.ms = step.until_ms;
  run();
  EXPECT_TRUE(ready);
}

TEST_F(OrgWorkerTest, AnOrgThatCannotBeReachedIsTriedAgainAndStreamsWait) {
  api.objects = transient("GET /sobjects: HTTP 503");
  make();
  const Step step = run();
  EXPECT_EQ(step.next, Step::Next::Wait);
  EXPECT_EQ(part.state(), PartState::Waiting);
  EXPECT_FALSE(ready);
  api.objects = std::vector<salesforce::ObjectInfo>{};
  clock.ms = step.until_ms;
  run();
  EXPECT_TRUE(ready);
}

TEST_F(OrgWorkerTest, HolesThatAreDueAreFetchedByObjectAndTheirRowsCloseThem) {
  make();
  run();
  open_holes(1, 3);
  api.records = {{account(1), row(1, "\"one\"")}, {account(2), row(2, "null")}};
  run();
  ASSERT_EQ(api.asked.size(), 1U) << "one request for all of an object";
  EXPECT_EQ(api.asked[0], (std::vector{account(1), account(2), account(3)}));
  EXPECT_EQ(api.asked_fields, (std::vector<std::string>{"Id", "SystemModstamp", "Name"}));
  EXPECT_GE(wakes, 2) << "ingest is told";
  EXPECT_EQ(drain(), 3U);
  EXPECT_EQ(records_in_doubt(), 0);
  EntryBatch found;
  ASSERT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(account(3))}, found));
  EXPECT_TRUE(found.entries()[0].meta.deleted) << "the org has no such record";
}

TEST_F(OrgWorkerTest, WhatAnEventToldWhileTheAnswerWasOnItsWayIsNotOverwritten) {
  make();
  run();
  open_holes(1, 1);
  api.records = {{account(1), row(1, "\"before it\"")}};
  api.meanwhile = [this] { apply({{account(1), 100, "told meanwhile", false}}); };
  run();
  EXPECT_EQ(drain(), 1U);
  EntryBatch found;
  ASSERT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(account(1))}, found));
  EXPECT_EQ(found.entries()[0].after.find(Section::Fields, "name")->text, "told meanwhile");
  EXPECT_TRUE(found.entries()[0].meta.complete);
}

TEST_F(OrgWorkerTest, WhatWasOnItsWayWhenAProcessEndedIsAskedForAtOnceByTheNext) {
  make();
  run();
  open_holes(1, 2);
  api.records = {{account(1), row(1, "\"one\"")}, {account(2), row(2, "\"two\"")}};
  run();
  ASSERT_EQ(api.asked.size(), 1U);
  while (rows.pop()) {
  }  // they get nowhere
  make();
  run();
  ASSERT_EQ(api.asked.size(), 2U) << "though a minute is not over";
  EXPECT_EQ(api.asked[1], (std::vector{account(1), account(2)}));
  clock.ms += 1'000;
  run();
  EXPECT_EQ(api.asked.size(), 2U) << "now they are on their way";
  EXPECT_EQ(drain(), 2U);
  EXPECT_EQ(records_in_doubt(), 0);
}

TEST_F(OrgWorkerTest, RowsThatWaitInTheLaneAreNotFetchedAgain) {
  make();
  run();
  open_holes(1, 1);
  api.records = {{account(1), row(1, "\"one\"")}};
  run();
  clock.ms += 50'000;
  run();
  EXPECT_EQ(api.asked.size(), 1U);
}

TEST_F(OrgWorkerTest, AFailedFetchIsPostponedLongerEachTimeAndNeverGivenUp) {
  make();
  run();
  open_holes(1, 1);
  api.failure = rejected("fetch Account: HTTP 400 INVALID_FIELD", "INVALID_FIELD");
  std::vector<std::int64_t> tried_at;
  for (int i = 0; i < 40'000 && tried_at.size() < 14; ++i) {
    const auto before = api.asked.size();
    const Step step = worker->step();
    if (api.asked.size() > before) tried_at.push_back(clock.ms);
    clock.ms = step.next == Step::Next::Wait ? step.until_ms : clock.ms;
  }
  ASSERT_EQ(tried_at.size(), 14U);
  EXPECT_NEAR(static_cast<double>(tried_at[1] - tried_at[0]), 5'000, 300);
  EXPECT_NEAR(static_cast<double>(tried_at[2] - tried_at[1]), 10'000, 300);
  EXPECT_NEAR(static_cast<double>(tried_at[13] - tried_at[12]), 15 * 60'000, 300);
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(OrgWorkerTest, ARowThatCannotBeReadIsAskedForLessAndLessOftenAndSaysWhy) {
  make();
  run();
  open_holes(1, 1);
  api.fields["Name"] = "date";
  api.records = {{account(1), row(1, "\"one\"")}};
  std::vector<std::int64_t> tried_at;
  for (int i = 0; i < 40'000 && tried_at.size() < 4; ++i) {
    const auto before = api.asked.size();
    const Step step = worker->step();
    if (api.asked.size() > before) tried_at.push_back(clock.ms);
    clock.ms = step.next == Step::Next::Wait ? step.until_ms : clock.ms;
  }
  ASSERT_EQ(tried_at.size(), 4U);
  EXPECT_GT(tried_at[3] - tried_at[2], tried_at[2] - tried_at[1]);
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "unreadable");
  EXPECT_NE(ledger->holes()[0].detail.find("field Name holds no date"), std::string::npos);
}

TEST_F(OrgWorkerTest, WhileTheOrgDoesNotAnswerNoHoleIsPutOff) {
  make();
  run();
  open_holes(1, 1);
  api.failure = transient("fetch Account: HTTP 503");
  const auto outage_over = clock.ms + 30 * 60'000;
  Step step = run();
  while (clock.ms < outage_over) {
    clock.ms = step.until_ms;
    step = run();
  }
  EXPECT_EQ(part.state(), PartState::Waiting);
  EXPECT_GT(api.asked.size(), 20U);
  // The org answers again: the next try closes the hole, a minute later at most.
  api.failure.reset();
  api.records = {{account(1), row(1, "\"one\"")}};
  EXPECT_LE(step.until_ms - clock.ms, 60'000);
  clock.ms = step.until_ms;
  run();
  EXPECT_EQ(drain(), 1U);
  EXPECT_EQ(records_in_doubt(), 0);
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(OrgWorkerTest, ARefusedFetchDescribesAgain) {
  make();
  run();
  open_holes(1, 1);
  api.failure = rejected("fetch Account: HTTP 400 INVALID_FIELD", "INVALID_FIELD");
  run();
  EXPECT_EQ(api.described, 1);
  EXPECT_EQ(part.state(), PartState::Ok) << "nothing is wrong with the org";
  api.failure.reset();
  api.fields.erase("Name");
  clock.ms += 6'000;
  run();
  EXPECT_EQ(api.described, 2);
  EXPECT_EQ(api.asked_fields, (std::vector<std::string>{"Id", "SystemModstamp"}));
}

TEST_F(OrgWorkerTest, ADescriptionIsKeptForAnHour) {
  make();
  run();
  apply({{account(1), 1, "event", false}});
  run();
  apply({{account(2), 2, "event", false}});
  clock.ms += 3'599'000;
  run();
  EXPECT_EQ(api.described, 1);
  apply({{account(3), 3, "event", false}});
  clock.ms += 2'000;
  run();
  EXPECT_EQ(api.described, 2);
}

TEST_F(OrgWorkerTest, AFieldThatEventsToldOfSinceIsDescribedBeforeTheNextFetch) {
  make();
  run();
  apply({{account(1), 1, "event", false}});
  run();
  apply({{account(2), 2, "event", false}});
  run();
  EXPECT_EQ(api.described, 1);
  ledger->names("emea", "Account").intern("Region__c");  // as a new schema does
  api.fields["Region__c"] = "string";
  apply({{account(3), 3, "event", false}});
  run();
  EXPECT_EQ(api.described, 2);
  EXPECT_EQ(api.asked_fields.size(), 4U) << "the new field among them";
}

TEST_F(OrgWorkerTest, ABlockedFetchMakesTheOrgRedForSixtySeconds) {
  make();
  run();
  open_holes(1, 1);
  api.failure = blocked("fetch Account: REQUEST_LIMIT_EXCEEDED");
  const Step step = run();
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_EQ(step.until_ms - clock.ms, 60'000);
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(OrgWorkerTest, ARowThatCannotBeReadDoesNotHoldUpTheOthers) {
  make();
  run();
  open_holes(1, 3);
  api.records = {
      {account(1), row(1, "\"one\"")}, {account(2), row(2, "")}, {account(3), row(3, "\"three\"")}};
  run();
  EXPECT_EQ(drain(), 2U);
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].id, account(2));
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(OrgWorkerTest, RowsThatFindTheLaneFullWaitForRoomAndNothingElseIsFetched) {
  make();
  run();
  open_holes(1, 1);
  api.records = {{account(1), row(1, "\"one\"")}};
  for (int i = 0; i < 4; ++i) {
    OwnedRows nothing;
    ASSERT_TRUE(rows.try_push(nothing));
  }
  EXPECT_EQ(run().next, Step::Next::Wait);
  apply({{account(2), 2, "event", false}});
  EXPECT_EQ(run().next, Step::Next::Wait);
  EXPECT_EQ(api.asked.size(), 1U);
  while (rows.pop()) {
  }
  run();
  EXPECT_EQ(drain(), 2U);
  EXPECT_EQ(records_in_doubt(), 0);
}

}  // namespace
}  // namespace headwater
