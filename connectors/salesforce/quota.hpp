#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "connectors/salesforce/metrics.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// How much a REST call matters to us. What can wait gives way first.
enum class Priority : std::uint8_t {
  Repair,    ///< closes a hole: login facts, refetch by id, gap repair
  Snapshot,  ///< reads objects in, resync
  Audit,     ///< compares: verify, audit
};
inline constexpr std::size_t kPriorities = 3;
const char* to_string(Priority priority);

/// Code of the Error for a call that was not sent, so that others find some of the allowance left.
inline constexpr std::string_view kQuotaReserved = "QUOTA_RESERVED";

/// Shares an org's daily API requests between us and the company's other tools: one per org, asked
/// before every REST call. Any thread.
///
///   left = allowance - used, as the header Sforce-Limit-Info told last
///   a call is sent while left > floor(priority) * allowance
///   floor: Repair the reserve itself; Snapshot and Audit 10 % and 30 % of the rest above it
///
/// Who sends nothing learns nothing: every kProbeEvery one call is sent all the same, whose answer
/// tells the new count. Before the first answer nothing is known and everything is sent.
class QuotaGovernor {
 public:
  static constexpr Millis kProbeEvery = std::chrono::minutes{5};

  /// `org`: for messages. `reserve_share`: 0 to 1. `metrics` and `clock` must outlive it.
  QuotaGovernor(std::string org,
                double reserve_share,
                std::shared_ptr<OrgMetrics> metrics,
                const Clock& clock);

  /// Blocked, code kQuotaReserved: not now. Says what is left and when it is tried again.
  Result<void> admit(Priority priority);
  /// What an answer told.
  void note(std::int64_t used, std::int64_t max);
  /// The org refused a call for its allowance, in these words: nothing is left, whatever it
  /// counted.
  void note_exhausted(std::string said);

  /// Least share of the allowance that must be left for a call of this priority.
  double floor(Priority priority) const;

 private:
  std::string withheld(Priority priority) const;

  const std::string org_;
  const double reserve_share_;
  const std::shared_ptr<OrgMetrics> metrics_;
  const Clock& clock_;

  std::mutex mutex_;
  std::int64_t used_ = 0, max_ = 0;  // max 0: not yet told
  std::string refusal_;              // the org's words; empty: it refuses nothing
  std::int64_t probe_at_ms_ = 0;     // a call that is below its floor is sent from then on
};

}  // namespace headwater::salesforce
