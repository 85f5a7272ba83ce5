#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace headwater::salesforce {

/// What one org's clients count. Written by any of them, read by the metrics page.
struct OrgMetrics {
  std::atomic<std::uint64_t> token_refreshes_ok{0};
  std::atomic<std::uint64_t> token_refreshes_failed{0};
  std::atomic<std::uint64_t> api_calls{
      0};  ///< REST requests sent; each counts against the org's allowance
  std::atomic<std::uint64_t> api_errors{0};  ///< of these: no answer, or one above 299
  std::atomic<std::int64_t> api_used{
      -1};                                ///< the org's requests of the last 24 h; -1: not yet told
  std::atomic<std::int64_t> api_max{-1};  ///< its allowance; -1: not yet told
  /// Calls that were not sent, to leave requests to others; by Priority.
  std::array<std::atomic<std::uint64_t>, 3> api_refused{};
  std::atomic<std::uint64_t> rows_read{0};          ///< by query, REST or Bulk
  std::atomic<std::uint64_t> bulk_jobs_created{0};  ///< 10,000 are allowed in 24 h
  std::atomic<std::uint64_t> schema_fetches{0};
};

}  // namespace headwater::salesforce
