#include <fmt/format.h>

#include <algorithm>

#include "daemon/pipeline/delete_check_task.hpp"
#include "tests/unit/pipeline/fixture.hpp"
#include "tests/unit/pipeline/no_api.hpp"

namespace headwater {
namespace {

using test::account;

/// Answers queries for deleted accounts with what a test wrote down.
class FakeReader final : public salesforce::OrgReader {
 public:
  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t,
                                      const salesforce::CallTerms& terms) override {
    asked.push_back(selection);
    priority = terms.priority;
    if (failure) return *failure;
    salesforce::QueryPage page;
    for (const auto& [id, rest] : rows) {
      if (selection.where.find(id) == std::string::npos) continue;
      page.records.push_back(fmt::format(R"({{"attributes":{{}},"Id":"{}",{}}})", id, rest));
    }
    page.total = page.records.size();
    if (meanwhile) std::exchange(meanwhile, {})();
    return page;
  }
  Result<salesforce::QueryPage> query_next(const std::string&,
                                           const salesforce::CallTerms&) override {
    return rejected("no more pages");
  }
  Result<salesforce::OrgLimits> limits(const salesforce::CallTerms&) override {
    return salesforce::OrgLimits{};
  }
  Result<std::uint64_t> count(const salesforce::Selection&, const salesforce::CallTerms&) override {
    return std::uint64_t{0};
  }
  Result<salesforce::DeletionLog> deletions(const std::string&,
                                            EpochMs,
                                            EpochMs,
                                            const salesforce::CallTerms&) override {
    return rejected("no log");
  }
  Result<salesforce::BulkJob> create_job(const salesforce::Selection&,
                                         const salesforce::CallTerms&) override {
    return no_jobs();
  }
  Result<salesforce::BulkJob> job(const std::string&, const salesforce::CallTerms&) override {
    return no_jobs();
  }
  Result<salesforce::BulkJob> wait_for_job(const std::string&,
                                           const salesforce::CallTerms&) override {
    return no_jobs();
  }
  Result<salesforce::BulkPage> job_page(const std::string&,
                                        std::span<const std::string>,
                                        const std::string&,
                                        std::size_t,
                                        const salesforce::CallTerms&) override {
    return no_jobs();
  }
  Result<void> abort_job(const std::string&, const salesforce::CallTerms&) override { return {}; }
  Result<void> delete_job(const std::string&, const salesforce::CallTerms&) override { return {}; }

  std::map<std::string, std::string> rows;  ///< id -> the rest of its row
  std::optional<Error> failure;
  std::function<void()> meanwhile;  ///< happens while the next answer is on its way
  std::vector<salesforce::Selection> asked;
  salesforce::Priority priority = salesforce::Priority::Snapshot;

 private:
  static Error no_jobs() { return rejected("no jobs here"); }
};

class DeleteCheckTest : public test::PipelineTest {
 protected:
  void remove(int from, int to, std::int64_t number = 10'000) {
    std::vector<std::string> ids;
    for (int i = from; i <= to; ++i) ids.push_back(account(i));
    const std::vector<std::string_view> views(ids.begin(), ids.end());
    EventView view;
    view.type = ChangeType::Delete;
    view.entity = "Account";
    view.record_ids = views;
    view.version.commit_number = number + from;
    view.version.sequence = 1;
    view.commit_ts = 1'772'366'400'000 + (number + from) * 1'000;
    ledger::IngestBatch batch;
    batch.stream = {"emea", test::kTopic};
    batch.events = {&view, 1};
    ASSERT_TRUE(ledger->apply(batch));
  }
  /// Until the task has nothing to do now.
  Step run() {
    for (int i = 0; i < 100; ++i) {
      const auto step = task.step();
      EXPECT_TRUE(step) << step.error().message;
      if (!step || step->next != Step::Next::Again) return step ? *step : Step::done();
    }
    ADD_FAILURE() << "the task does not come to rest";
    return Step::done();
  }
  std::string merged_into(int number) {
    EntryBatch batch;
    const auto found = ledger->get({"emea", "Account", *RecordId::parse(account(number))}, batch);
    return found && *found ? std::string(batch.entries()[0].merged_into) : "?";
  }

  test::NoApi api;
  FakeReader reader;
  RowLane rows{4};
  ObjectBook book{"emea", api, *ledger_of(), clock};
  Outbox outbox{rows, [] {}};
  OrgTools tools{"emea", api, *ledger_of(), book, outbox, clock, metrics};
  DeleteCheckTask task{tools, reader};

 private:
  /// Members are made before SetUp().
  ledger::Ledger* ledger_of() {
    if (!ledger) open();
    return ledger.get();
  }
  void SetUp() override {}
};

TEST_F(DeleteCheckTest, DeletedRecordsAreAskedForInOneQueryAndAMergeIsTold) {
  create_accounts(1, 5);
  remove(1, 3);
  reader.rows[account(1)] = R"("IsDeleted":true,"MasterRecordId":")" + account(4) + '"';
  reader.rows[account(2)] = R"("IsDeleted":true,"MasterRecordId":null)";
  run();
  ASSERT_EQ(reader.asked.size(), 1U);
  EXPECT_TRUE(reader.asked[0].with_deleted);
  EXPECT_EQ(reader.asked[0].object, "Account");
  EXPECT_EQ(reader.asked[0].where,
            fmt::format("Id IN ('{}','{}','{}')", account(1), account(2), account(3)));
  EXPECT_EQ(reader.priority, salesforce::Priority::Repair);
  EXPECT_EQ(merged_into(1), account(4));
  EXPECT_EQ(merged_into(2), "");
  EXPECT_EQ(merged_into(3), "") << "out of the recycle bin: no more can be learned";
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(DeleteCheckTest, FurtherOnesWaitForEachOther) {
  create_accounts(1, 9);
  remove(1, 1);
  run();
  for (int i = 2; i <= 9; ++i) {
    remove(i, i);
    EXPECT_EQ(run().next, Step::Next::Wait);
  }
  EXPECT_EQ(reader.asked.size(), 1U) << "asked a moment ago";
  clock.ms += 5'000;
  run();
  EXPECT_EQ(reader.asked.size(), 2U);
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(DeleteCheckTest, ADeletionThatCameWhileTheAnswerWasOnItsWayIsAskedForByItself) {
  create_accounts(1, 2);
  remove(1, 1);
  reader.rows[account(1)] = R"("IsDeleted":true,"MasterRecordId":null)";
  reader.meanwhile = [this] {
    apply({{account(1), 20'000, "back", true}});
    remove(1, 1, 20'001);
    reader.rows[account(1)] = R"("IsDeleted":true,"MasterRecordId":")" + account(2) + '"';
  };
  run();
  clock.ms += 5'000;
  run();
  EXPECT_EQ(merged_into(1), account(2));
}

TEST_F(DeleteCheckTest, AFailureIsAskedAgainAndNothingIsToldMeanwhile) {
  create_accounts(1, 2);
  remove(1, 1);
  reader.failure = transient("no network");
  ASSERT_TRUE(task.step()) << "its children";
  for (int i = 0; i < 3; ++i) {
    const auto step = task.step();
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error().kind, ErrorKind::Transient);
    EXPECT_EQ(ledger->holes_open(), 1U);
  }
  reader.failure.reset();
  reader.rows[account(1)] = R"("IsDeleted":true,"MasterRecordId":")" + account(2) + '"';
  run();
  EXPECT_EQ(merged_into(1), account(2));
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(DeleteCheckTest, ARowThatCannotBeReadDecidesNothing) {
  create_accounts(1, 2);
  remove(1, 1);
  for (const auto* bad : {R"("MasterRecordId":null)", R"("IsDeleted":true,"MasterRecordId":"x")"}) {
    reader.rows[account(1)] = bad;
    run();
    EXPECT_EQ(ledger->holes_open(), 1U) << bad;
    clock.ms += 60'000;
  }
}

TEST_F(DeleteCheckTest, ThousandsAreAskedForAtOnceInSeveralQueries) {
  create_accounts(1, 1'500);
  remove(1, 1'500);
  run();
  for (const auto& selection : reader.asked) {
    EXPECT_LE(std::ranges::count(selection.where, ','), 399);
  }
  clock.ms += 5'000;
  run();
  clock.ms += 5'000;
  run();
  EXPECT_EQ(ledger->holes_open(), 0U);
}

}  // namespace
}  // namespace headwater
