#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "connectors/salesforce/org.hpp"
#include "daemon/audit/desk.hpp"
#include "daemon/audit/options.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/ingest.hpp"
#include "daemon/pipeline/org_worker.hpp"
#include "daemon/runtime/loop_thread.hpp"

namespace headwater {

/// One configured org and what works for it: its clients, an ingest per stream, and the worker that
/// repairs, reads in and audits. Where its parts meet: the ledger, the lane of rows from the worker
/// to the ingests, and `ready`.
struct Org {
  /// Outlives the org; a thread for each stream and one for the worker are added, not started.
  struct Around {
    ledger::Ledger& ledger;
    const Clock& clock;
    observe::Health& health;
    observe::Metrics& metrics;
    std::vector<std::unique_ptr<LoopThread>>& threads;
  };
  struct Audits {
    audit::Desk& desk;
    const audit::AuditOptions& options;
    double sweep_share_max = 0;
  };
  Org(salesforce::OrgConfig the_config, const Around& around);
  /// Behind all other work of the org. Before the threads start.
  void add_audit(const Audits& audits);

  const std::string name;
  const std::shared_ptr<salesforce::OrgMetrics> counts;
  std::vector<std::unique_ptr<salesforce::EventSource>> sources;
  std::vector<std::unique_ptr<Ingest>> ingests;

 private:
  void add_stream(const salesforce::StreamConfig& stream, const Around& around);
  void add_worker(const Around& around);
  std::vector<StreamProgress> progress() const;

  salesforce::OrgConfig config_;
  ledger::Ledger& ledger_;
  std::shared_ptr<salesforce::TokenSource> tokens_;
  std::shared_ptr<salesforce::QuotaGovernor> quota_;
  std::unique_ptr<salesforce::OrgApi> api_;
  std::unique_ptr<salesforce::OrgReader> reader_, audit_reader_;
  HiddenFields hidden_;
  std::atomic<bool> ready_;
  RowLane rows_;
  std::unique_ptr<OrgWorker> worker_;
};

}  // namespace headwater
