#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "connectors/salesforce/org_api.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/object_book.hpp"
#include "daemon/pipeline/row_lane.hpp"
#include "daemon/pipeline/step.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

/// Rows on their way to the second lane. What finds the lane full waits here; meanwhile no task is
/// asked for more. The org worker's thread.
class Outbox {
 public:
  /// `wake`: called when the lane has rows.
  Outbox(RowLane& lane, std::function<void()> wake) : lane_(lane), wake_(std::move(wake)) {}
  void send(OwnedRows rows) {
    unsent_.push_back(std::move(rows));
    flush();
  }
  /// True if nothing waits for room any more.
  bool flush() {
    if (unsent_.empty()) return true;
    bool sent = false;
    for (; !unsent_.empty() && lane_.try_push(unsent_.front()); sent = true) unsent_.pop_front();
    if (sent) wake_();
    return unsent_.empty();
  }
  bool empty() const { return unsent_.empty(); }

 private:
  RowLane& lane_;
  const std::function<void()> wake_;
  std::deque<OwnedRows> unsent_;
};

/// What the tasks of one org share.
struct OrgTools {
  std::string org;
  salesforce::OrgApi& api;
  ledger::Ledger& ledger;
  ObjectBook& objects;
  Outbox& outbox;
  const Clock& clock;
  observe::Metrics& metrics;

  /// Records of the object that live in the ledger.
  std::uint64_t living(std::string_view object) const {
    std::uint64_t alive = 0;
    for (const auto& count : ledger.counts()) {
      if (count.org == org && count.object == object) alive += count.alive;
    }
    return alive;
  }
};

/// One kind of REST work of an org: fetching records in doubt, reading objects in, auditing. The
/// org worker asks its tasks in their order and begins again with the first after each piece of
/// work, so what matters more is never behind what matters less. One thread.
class OrgTask {
 public:
  virtual ~OrgTask() = default;
  /// For logs.
  virtual std::string_view name() const = 0;
  /// One bounded piece of work: a page, a few calls. Again: something was done, and there may be
  /// more. Wait: nothing to do before then, yet it may be asked sooner and says the same. An Error
  /// is shown as the org's, and this task alone is asked again after a pause; Fatal ends the
  /// worker.
  virtual Result<Step> step() = 0;
};

}  // namespace headwater
