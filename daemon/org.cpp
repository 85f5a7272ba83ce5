#include "daemon/org.hpp"

#include <fmt/format.h>

#include "daemon/audit/audit_task.hpp"
#include "daemon/pipeline/delete_check_task.hpp"
#include "daemon/pipeline/facts_task.hpp"
#include "daemon/pipeline/job_planner.hpp"
#include "daemon/pipeline/read_task.hpp"

namespace headwater {
namespace {

/// Rows of so many refetches wait in an ingest's second lane at most.
constexpr std::size_t kLaneBatchesMax = 4;
/// Longest a step of ingest waits for the stream.
constexpr Millis kStreamWait{1'000};
/// Of one step, after which a thread counts as stuck: the longest bounded call that it makes,
/// doubled.
constexpr Millis kIngestDeadline{180'000}, kWorkerDeadline{300'000};

/// The name is bound for ever: a login that leads elsewhere is refused before any stream opens,
/// though the file names no id.
salesforce::OrgConfig bound(salesforce::OrgConfig config, const ledger::Ledger& ledger) {
  if (config.org_id.empty()) config.org_id = ledger.org_id(config.name);
  return config;
}

}  // namespace

Org::Org(salesforce::OrgConfig the_config, const Around& around)
    : name(the_config.name),
      counts(std::make_shared<salesforce::OrgMetrics>()),
      config_(bound(std::move(the_config), around.ledger)),
      ledger_(around.ledger),
      tokens_(std::make_shared<salesforce::TokenSource>(config_, counts, around.clock)),
      quota_(std::make_shared<salesforce::QuotaGovernor>(
          name, config_.api_reserve_share, counts, around.clock)),
      api_(salesforce::make_org_client(config_, tokens_, counts, quota_)),
      reader_(salesforce::make_org_reader(config_, tokens_, counts, quota_)),
      hidden_(name, around.ledger, around.clock),
      // A ledger that knows the org can go on with its streams while REST is away.
      ready_(around.ledger.org_facts(name).has_value()),
      rows_(kLaneBatchesMax) {
  for (const auto& stream : config_.streams) add_stream(stream, around);
  add_worker(around);
}

void Org::add_stream(const salesforce::StreamConfig& stream, const Around& around) {
  auto& source = *sources.emplace_back(
      salesforce::make_subscription(config_, stream.topic, tokens_, counts, around.clock));
  auto& part = around.health.add(fmt::format("stream {} {}", name, stream.topic), kIngestDeadline);
  Ingest& ingest =
      *ingests.emplace_back(std::make_unique<Ingest>(Ingest::Parts{{name, stream.topic},
                                                                   stream.start,
                                                                   source,
                                                                   around.ledger,
                                                                   rows_,
                                                                   ready_,
                                                                   around.clock,
                                                                   part,
                                                                   around.metrics,
                                                                   &hidden_}));
  around.threads.push_back(std::make_unique<LoopThread>(
      "ingest-" + name,
      [&ingest] { return ingest.step(kStreamWait); },
      [&clock = around.clock](std::int64_t until, std::stop_token stop) {
        wait_until(until, stop, clock);
      },
      [&ingest] { ingest.stop(); }));
}

void Org::add_worker(const Around& around) {
  auto& part = around.health.add("org " + name, kWorkerDeadline);
  const auto wake = [this] {
    for (auto& source : sources) source->wake();
  };
  worker_ = std::make_unique<OrgWorker>(OrgWorker::Parts{name,
                                                         config_.org_id,
                                                         config_.region,
                                                         config_.currency,
                                                         *api_,
                                                         around.ledger,
                                                         rows_,
                                                         ready_,
                                                         wake,
                                                         around.clock,
                                                         part,
                                                         around.metrics,
                                                         &hidden_});
  around.threads.push_back(std::make_unique<LoopThread>(
      "repair-" + name,
      [this] { return worker_->step(); },
      [&clock = around.clock](std::int64_t until, std::stop_token stop) {
        wait_until(until, stop, clock);
      }));
  JobPlanner::Plan plan{config_.snapshot_objects, {}, {}, config_.pubsub.channel_settle, [this] {
                          return progress();
                        }};
  for (const auto& stream : config_.streams) {
    plan.topics.push_back(stream.topic);
    if (stream.snapshot) plan.snapshot_topics.push_back(stream.topic);
  }
  worker_->add(std::make_unique<DeleteCheckTask>(worker_->tools(), *reader_));
  worker_->add(std::make_unique<FactsTask>(worker_->tools()));
  worker_->add(std::make_unique<JobPlanner>(worker_->tools(), std::move(plan)));
  worker_->add(std::make_unique<ReadTask>(worker_->tools(), *reader_));
}

std::vector<StreamProgress> Org::progress() const {
  std::vector<StreamProgress> out;
  for (const auto& ingest : ingests) {
    if (!ingest->topic().starts_with("/data/")) continue;  // no changes of records
    const auto position = ledger_.position({name, ingest->topic()});
    out.push_back({position ? position->newest_commit_ts : 0, ingest->at_tip(), ingest->topic()});
  }
  return out;
}

void Org::add_audit(const Audits& audits) {
  audit_reader_ = salesforce::make_org_reader(config_, tokens_, counts, quota_);
  const auto whole = [this](const std::string& object) {
    return ledger_.last_snapped(name, object).has_value();
  };
  ObjectsAsked asked{config_.snapshot_objects, {}};
  bool reads_in = false;
  for (const auto& stream : config_.streams) {
    asked.topics.push_back(stream.topic);
    reads_in = reads_in || stream.snapshot;
  }
  audit::Bench bench{worker_->tools(),
                     *audit_reader_,
                     audits.options,
                     [this] { return progress(); },
                     audits.sweep_share_max};
  worker_->add(std::make_unique<audit::AuditTask>(
      audit::AuditTask::Parts{std::move(bench), audits.desk, std::move(asked), whole, reads_in}));
}

}  // namespace headwater
