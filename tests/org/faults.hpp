#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace headwater::org {

/// What the org does wrong at the moment, set over the control port. Thread-safe.
class Faults {
 public:
  /// As a topic's refusal: the day's deliveries are used up. GetTopic answers as ever, Subscribe
  /// does not (Pub/Sub API guide, "Error Codes").
  static constexpr std::string_view kLimitExceeded = "subscription.limit.exceeded";
  static constexpr std::int64_t kDeletionLogMs = 15LL * 24 * 3'600'000;
  std::atomic<bool> keepalives_off{false};
  std::atomic<bool> half_credit_withheld{false};
  std::atomic<bool> events_held{false};       ///< keepalives come, events do not
  std::atomic<std::int64_t> latency_ms{0};    ///< before each batch of a stream
  std::atomic<int> getschema_unavailable{0};  ///< this many calls still fail
  std::atomic<int> token_failures{0};         ///< this many token requests still fail
  std::atomic<int> token_failure_status{503};
  std::atomic<int> rest_failures{0};  ///< this many REST calls still fail
  std::atomic<int> rest_failure_status{503};
  // Pages of queries and of Bulk results: this many still…
  std::atomic<int> pages_failed{0};    ///< answer 503
  std::atomic<int> pages_short{0};     ///< lack their last row
  std::atomic<int> pages_repeated{0};  ///< are the page before, under the right next locator
  std::atomic<int> pages_cut{0};       ///< end in the middle (Bulk: of a row)
  // Bulk jobs
  std::atomic<int> bulk_polls{0};    ///< status calls that a job stays InProgress for
  std::atomic<int> bulk_failed{0};   ///< this many jobs still end as Failed
  std::atomic<int> bulk_aborted{0};  ///< this many still end as Aborted
  /// How far back the log of deletions reaches: 15 days, or what its trimming left.
  std::atomic<std::int64_t> deletion_log_ms{kDeletionLogMs};
  /// The org's requests of 24 h: `api_used` counts on with every call.
  std::atomic<std::int64_t> api_used{0};
  std::atomic<std::int64_t> api_max{100'000};

  /// Takes one from the count. True: this call fails.
  static bool take(std::atomic<int>& count) {
    int left = count.load();
    while (left > 0) {
      if (count.compare_exchange_weak(left, left - 1)) return true;
    }
    return false;
  }

  /// The `error` that failing token requests answer.
  void set_token_error(std::string code) {
    const std::lock_guard lock(mutex_);
    token_error_ = std::move(code);
  }
  std::string token_error() const {
    const std::lock_guard lock(mutex_);
    return token_error_;
  }
  void refuse_topic(std::string topic, std::string code) {
    const std::lock_guard lock(mutex_);
    topics_[std::move(topic)] = std::move(code);
  }
  /// The error code that this topic is refused with, or empty.
  std::string refused_topic(const std::string& topic) const {
    const std::lock_guard lock(mutex_);
    const auto found = topics_.find(topic);
    return found == topics_.end() ? std::string{} : found->second;
  }
  /// The next replay id that a stream of this topic begins after is called expired.
  void refuse_position(std::string topic) {
    const std::lock_guard lock(mutex_);
    positions_.insert(std::move(topic));
  }
  bool take_position(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    return positions_.erase(topic) > 0;
  }
  /// The integration user may not read this object any more: it looks as if there were none.
  void withdraw_object(std::string object) {
    const std::lock_guard lock(mutex_);
    withdrawn_.insert(std::move(object));
  }
  bool withdrawn(const std::string& object) const {
    const std::lock_guard lock(mutex_);
    return withdrawn_.contains(object);
  }
  /// The user may read the object, but sees none of its records.
  void hide_records(std::string object) {
    const std::lock_guard lock(mutex_);
    hidden_.insert(std::move(object));
  }
  bool records_hidden(const std::string& object) const {
    const std::lock_guard lock(mutex_);
    return hidden_.contains(object);
  }
  /// REST prints this record's dates as words.
  void misprint(std::string id) {
    const std::lock_guard lock(mutex_);
    misprinted_.insert(std::move(id));
  }
  bool misprinted(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return misprinted_.contains(id);
  }
  void refuse_schema(std::string schema_id) {
    const std::lock_guard lock(mutex_);
    schemas_.insert(std::move(schema_id));
  }
  bool schema_refused(const std::string& schema_id) const {
    const std::lock_guard lock(mutex_);
    return schemas_.contains(schema_id);
  }
  void clear() {
    keepalives_off = half_credit_withheld = events_held = false;
    latency_ms = 0;
    getschema_unavailable = token_failures = rest_failures = 0;
    pages_failed = pages_short = pages_repeated = pages_cut = 0;
    bulk_polls = bulk_failed = bulk_aborted = 0;
    deletion_log_ms = kDeletionLogMs;
    api_used = 0;
    api_max = 100'000;
    const std::lock_guard lock(mutex_);
    token_error_ = kTokenError;
    topics_.clear();
    schemas_.clear();
    positions_.clear();
    withdrawn_.clear();
    hidden_.clear();
    misprinted_.clear();
  }

 private:
  static constexpr const char* kTokenError = "server_error";
  mutable std::mutex mutex_;
  std::string token_error_ = kTokenError;
  std::map<std::string, std::string> topics_;
  std::set<std::string> schemas_, positions_, withdrawn_, hidden_;
  std::set<std::string> misprinted_;  ///< ids
};

}  // namespace headwater::org
