#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/backoff.hpp"
#include "daemon/pipeline/row_lane.hpp"
#include "daemon/pipeline/step.hpp"

namespace headwater {

/// REST work of one org.
///
///   first: log in, bind our name to the org's id, learn the key prefixes that relations need
///          (streams may start now)
///   then:  holes of records that are due -> describe (kept an hour, or until a new field shows) ->
///   note the version
///          -> fetch by id -> second lane
///
/// A row carries the version noted before its query, so events that are newer win in any order;
/// applying it closes the hole. Rows that find the lane full wait for room, and the next query with
/// them. A refetch that fails is postponed, never given up. One thread.
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
  };
  explicit OrgWorker(Parts parts);

  Step step();

 private:
  struct Object {
    salesforce::ObjectDescription description;
    std::vector<std::string> fields;
    std::int64_t described_at = 0;  ///< monotonic ms
    std::size_t names = 0;          ///< that the ledger knew of the object, these included
  };

  Step bring_up();
  Result<void> learn_facts();
  Step refetch();
  Result<void> refetch_object(const std::string& object, const std::vector<ledger::Hole>& holes);
  bool deliver();
  Result<Object*> describe(const std::string& object);
  OwnedRows rows_of(const Object& object, const std::vector<salesforce::FetchedRecord>& records);
  Step pause(const Error& error);

  Parts parts_;
  Backoff backoff_;
  observe::Counter refetched_, failed_;
  std::unordered_map<std::string, Object> objects_;
  std::optional<OwnedRows> unsent_;  // read, but the lane was full
  bool up_ = false;
  std::int64_t retry_at_ = 0;
};

}  // namespace headwater
