#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/ledger/ledger.hpp"

namespace headwater {

/// A person wants a quarantined row tried again.
struct RetryRequest {
  ledger::QuarantineRow row;
  std::string by;  ///< who, for the evidence
  /// What came of it, in a sentence. Called once, on the thread that tried.
  std::function<void(const Result<std::string>&)> done;
};

/// Such wishes on their way to the thread that can fulfil them: a sink's, or an ingest's. Bounded.
class RetryLane {
 public:
  /// False, and nothing taken, if there is no room: `done` is the caller's to call.
  bool try_push(RetryRequest& request) {
    const std::lock_guard lock(mutex_);
    if (lane_.size() >= kMost) return false;
    lane_.push_back(std::move(request));
    return true;
  }
  std::optional<RetryRequest> pop() {
    const std::lock_guard lock(mutex_);
    if (lane_.empty()) return std::nullopt;
    RetryRequest request = std::move(lane_.front());
    lane_.pop_front();
    return request;
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return lane_.empty();
  }

 private:
  static constexpr std::size_t kMost = 100;
  mutable std::mutex mutex_;
  std::deque<RetryRequest> lane_;
};

}  // namespace headwater
