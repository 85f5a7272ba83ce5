#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ledger/ledger.hpp"

namespace headwater {

/// Rows read from the org with the memory that they borrow from.
struct OwnedRows {
  ledger::RowBatch batch;         ///< rows points into `rows`
  std::vector<ledger::Row> rows;  ///< their fields point into `members`
  std::vector<std::vector<Member>> members;
  std::deque<std::string> texts;                ///< what the values' text borrows from
  std::optional<ledger::JobProgress> progress;  ///< what they mean for the job that read them
};

/// Ingest's second lane: what repair read, waiting to be applied by the ingest thread after events.
/// Bounded: a full lane makes repair wait.
class RowLane {
 public:
  explicit RowLane(std::size_t batches_max) : batches_max_(batches_max) {}

  /// False, and `rows` untouched, if there is no room.
  bool try_push(OwnedRows& rows) {
    const std::lock_guard lock(mutex_);
    if (lane_.size() >= batches_max_) return false;
    lane_.push_back(std::move(rows));
    return true;
  }
  std::optional<OwnedRows> pop() {
    const std::lock_guard lock(mutex_);
    if (lane_.empty()) return std::nullopt;
    OwnedRows rows = std::move(lane_.front());
    lane_.pop_front();
    return rows;
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return lane_.empty();
  }

 private:
  const std::size_t batches_max_;
  mutable std::mutex mutex_;
  std::deque<OwnedRows> lane_;
};

}  // namespace headwater
