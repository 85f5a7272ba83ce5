#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/backoff.hpp"
#include "daemon/pipeline/org_task.hpp"
#include "daemon/pipeline/row_lane.hpp"
#include "daemon/pipeline/step.hpp"

namespace headwater {

/// REST work of one org.
///
///   first: log in, bind our name to the org's id, learn key prefixes and record types, which
///          images need (streams may start now)
///   then:  the first task that has something to do does one piece of it, and again from the first
///
/// Rows that find the lane full wait for room, and all tasks with them. A task that fails pauses
/// alone; the org's part shows why. One thread.
class OrgWorker {
 public:
  struct Parts {
    std::string org;
    std::string org_id;            ///< expected; empty: learned
    std::string region, currency;  ///< the org's, for images
    salesforce::OrgApi& api;
    ledger::Ledger& ledger;
    RowLane& rows;
    std::atomic<bool>& ready;    ///< set once the org is bound and its facts are known
    std::function<void()> wake;  ///< the lane has rows
    const Clock& clock;
    observe::Part& health;
    observe::Metrics& metrics;
    HiddenFields* hidden = nullptr;  ///< is told what the org shows of each object
  };
  /// Its first task closes holes of records.
  explicit OrgWorker(Parts parts);

  /// What further tasks are made with.
  OrgTools& tools() { return tools_; }
  /// Behind all that were added before. Before the first step().
  void add(std::unique_ptr<OrgTask> task);

  Step step();

 private:
  struct Slot {
    std::unique_ptr<OrgTask> task;
    Backoff backoff;
    std::int64_t retry_at = 0;  ///< monotonic ms; after a failure
    bool failing = false;
  };

  Step bring_up();
  Result<void> learn_facts();
  void tell_health();
  /// Shows the error; how long to leave it alone.
  Millis failed(const Error& error, Backoff& backoff);

  Parts parts_;
  ObjectBook objects_;
  Outbox outbox_;
  OrgTools tools_;
  std::vector<Slot> slots_;
  Backoff backoff_;  // of the login
  bool up_ = false;
  std::int64_t retry_at_ = 0;
};

}  // namespace headwater
