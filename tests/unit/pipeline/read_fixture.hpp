#pragma once

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "daemon/pipeline/job_planner.hpp"
#include "daemon/pipeline/org_worker.hpp"
#include "daemon/pipeline/read_task.hpp"
#include "schemas/model/render.hpp"
#include "tests/unit/pipeline/fake_reader.hpp"

namespace headwater::test {

/// An org, its worker with the tasks that plan readings and do them, and the second lane by hand.
class ReadTaskTest : public PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    make();
  }
  void make() {
    worker.emplace(OrgWorker::Parts{
        "emea", "", "", "", org, *ledger, rows, ready, [] {}, clock, part, metrics});
    worker->add(std::make_unique<JobPlanner>(worker->tools(), plan));
    worker->add(std::make_unique<ReadTask>(worker->tools(), org));
  }
  ledger::ReadJob ask(ledger::ReadJob job = {}) {
    job.org = "emea";
    job.object = "Account";
    auto added = ledger->add_job(job);
    EXPECT_TRUE(added);
    return *added;
  }
  static ledger::Hole overflow() {
    ledger::Hole hole;
    hole.scope = ledger::Hole::Scope::Object;
    hole.org = "emea";
    hole.object = "Account";
    hole.cause = "overflow";
    return hole;
  }
  static ledger::Hole lost_stretch() {
    ledger::Hole hole;
    hole.scope = ledger::Hole::Scope::Stretch;
    hole.org = "emea";
    hole.topic = "/data/ChangeEvents";
    hole.cause = "expired";
    return hole;
  }
  ledger::ReadJob now(const ledger::ReadJob& job) { return ledger->job(job.number).value(); }
  /// Its first page is given for the second one too.
  void repeat_first_page() {
    org.spoil_page = [this](salesforce::QueryPage& first) {
      org.spoil_page = [first](salesforce::QueryPage& second) { second = first; };
    };
  }
  /// What ingest does with one batch of the lane.
  bool apply_one() {
    auto owned = rows.pop();
    if (!owned) return false;
    owned->batch.rows = owned->rows;
    owned->batch.progress = owned->progress ? &*owned->progress : nullptr;
    EXPECT_TRUE(ledger->apply_rows(owned->batch));
    return true;
  }
  /// One step of the org's tasks, all that is in ingest's second lane, and over a pause.
  void turn() {
    const Step step = worker->step();
    while (apply_one()) {
    }
    if (step.next == Step::Next::Wait) clock.ms = std::max(clock.ms + 1, step.until_ms);
  }
  /// Runs the org's tasks and ingest's second lane until the job is in one of these states, over
  /// every pause.
  void run_until(const ledger::ReadJob& job, std::initializer_list<ledger::ReadJob::State> states) {
    for (int i = 0; i < 3'000; ++i) {
      const Step step = worker->step();
      while (apply_one()) {
      }
      if (std::ranges::find(states, now(job).state) != states.end()) return;
      if (step.next == Step::Next::Wait) clock.ms = std::max(clock.ms + 1, step.until_ms);
    }
    ADD_FAILURE() << "job is " << to_string(now(job).state) << ": " << now(job).error;
  }
  void run_to_end(const ledger::ReadJob& job) {
    run_until(job,
              {ledger::ReadJob::State::Done,
               ledger::ReadJob::State::Failed,
               ledger::ReadJob::State::Cancelled});
  }
  /// What the job says first of what goes wrong with it.
  std::string trouble(const ledger::ReadJob& job) {
    for (int i = 0; i < 500 && now(job).error.empty(); ++i) turn();
    return now(job).error;
  }
  std::string image(int number) {
    EntryBatch found;
    EXPECT_TRUE(*ledger->get({"emea", "Account", *RecordId::parse(account(number))}, found));
    std::string out;
    append_record_json(out, found.entries()[0]);
    return out;
  }
  std::uint64_t alive() {
    for (const auto& count : ledger->counts()) {
      if (count.object == "Account") return count.alive;
    }
    return 0;
  }

  FakeOrg org;
  RowLane rows{4};
  std::atomic<bool> ready{false};
  observe::Part& part = health.add("org emea", Millis(60'000));
  JobPlanner::Plan plan;
  std::optional<OrgWorker> worker;
};

/// A minute of the stream was lost, a day after what the test set up.
class LostStretchTest : public ReadTaskTest {
 protected:
  void lose_a_minute() {
    clock.ms += Millis(std::chrono::hours{24}).count();
    ASSERT_TRUE(ledger->save_position(stream, ReplayId("before")));
    lost = lost_stretch();
    lost.from_ts = clock.now_ms();
    clock.ms += 60'000;
    lost.opened_at = lost.to_ts = clock.now_ms();
  }

  const ledger::StreamKey stream{"emea", "/data/ChangeEvents"};
  ledger::Hole lost;
};

}  // namespace headwater::test
