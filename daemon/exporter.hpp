#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "connectors/salesforce/metrics.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"

namespace headwater {

/// The page /metrics. Most metrics are set by whoever counts; those of the ledger, of the orgs'
/// clients and of the parts' health are read when the page is asked for. Any thread.
class Exporter {
 public:
  struct OrgCounts {
    std::string org;
    std::shared_ptr<const salesforce::OrgMetrics> counts;
  };
  struct Parts {
    observe::Metrics& metrics;
    ledger::Ledger& ledger;
    const observe::Health& health;
    std::string version;
    EpochMs started_at = 0;
  };
  Exporter(Parts parts, std::vector<OrgCounts> orgs)
      : parts_(std::move(parts)), orgs_(std::move(orgs)) {}

  std::string text();

 private:
  void refresh();
  void refresh_org(const OrgCounts& org);

  Parts parts_;
  const std::vector<OrgCounts> orgs_;
  std::mutex holes_mutex_;
};

}  // namespace headwater
