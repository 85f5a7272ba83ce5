#pragma once

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
  std::atomic<std::uint64_t> schema_fetches{0};
};

}  // namespace headwater::salesforce
