#include "connectors/salesforce/quota.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace headwater::salesforce {

const char* to_string(Priority priority) {
  switch (priority) {
    case Priority::Repair:
      return "repair";
    case Priority::Snapshot:
      return "snapshot";
    case Priority::Audit:
      return "audit";
  }
  return "?";
}

QuotaGovernor::QuotaGovernor(std::string org,
                             double reserve_share,
                             std::shared_ptr<OrgMetrics> metrics,
                             const Clock& clock)
    : org_(std::move(org)),
      reserve_share_(reserve_share),
      metrics_(std::move(metrics)),
      clock_(clock) {}

double QuotaGovernor::floor(Priority priority) const {
  static constexpr std::array<double, kPriorities> kAbove{0.0, 0.1, 0.3};
  return reserve_share_ + (1 - reserve_share_) * kAbove[static_cast<std::size_t>(priority)];
}

Result<void> QuotaGovernor::admit(Priority priority) {
  const std::lock_guard lock(mutex_);
  if (max_ <= 0) return {};
  const auto left = max_ - used_;
  if (static_cast<double>(left) > floor(priority) * static_cast<double>(max_)) {
    ++used_;  // until an answer tells: calls on the wire count
    return {};
  }
  const auto now = clock_.monotonic_ms();
  if (now >= probe_at_ms_) {
    probe_at_ms_ = now + kProbeEvery.count();
    return {};
  }
  ++metrics_->api_refused[static_cast<std::size_t>(priority)];
  return blocked(
      fmt::format(
          "org {}: {} of its {} API requests of 24 hours are left, and {} work leaves {:.0f} "
          "% untouched (api_reserve_percent): not sent, asking again within {} minutes",
          org_,
          std::max<std::int64_t>(left, 0),
          max_,
          to_string(priority),
          floor(priority) * 100,
          kProbeEvery.count() / 60'000),
      std::string(kQuotaReserved));
}

void QuotaGovernor::note(std::int64_t used, std::int64_t max) {
  metrics_->api_used = used;
  metrics_->api_max = max;
  const std::lock_guard lock(mutex_);
  used_ = used;
  max_ = max;
  probe_at_ms_ = clock_.monotonic_ms() + kProbeEvery.count();
}

void QuotaGovernor::note_exhausted() {
  const std::lock_guard lock(mutex_);
  // An org that never told its allowance: any number will do, as long as nothing is left.
  if (max_ <= 0) max_ = 1;
  used_ = max_;
  probe_at_ms_ = clock_.monotonic_ms() + kProbeEvery.count();
}

}  // namespace headwater::salesforce
