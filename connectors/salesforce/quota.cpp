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
  if (max_ <= 0 && refusal_.empty()) return {};
  const auto left = max_ - used_;
  if (refusal_.empty() && static_cast<double>(left) > floor(priority) * static_cast<double>(max_)) {
    ++used_;  // until an answer tells: calls on the wire count
    return {};
  }
  const auto now = clock_.monotonic_ms();
  if (now >= probe_at_ms_) {
    probe_at_ms_ = now + kProbeEvery.count();
    return {};
  }
  ++metrics_->api_refused[static_cast<std::size_t>(priority)];
  return blocked(withheld(priority), std::string(kQuotaReserved));
}

std::string QuotaGovernor::withheld(Priority priority) const {
  const auto left = std::max<std::int64_t>(max_ - used_, 0);
  const auto minutes = kProbeEvery.count() / 60'000;
  if (refusal_.empty())
    return fmt::format(
        "org {}: {} of its {} API requests of 24 hours are left, and {} work leaves {:.0f} "
        "% untouched (api_reserve_percent): not sent, asking again within {} minutes",
        org_,
        left,
        max_,
        to_string(priority),
        floor(priority) * 100,
        minutes);
  return fmt::format(
      "org {}: it refused a request ({}){}: {} work is not sent, asking again within {} minutes",
      org_,
      refusal_,
      max_ > 0 ? fmt::format("; it told of {} left of {}", left, max_) : "",
      to_string(priority),
      minutes);
}

void QuotaGovernor::note(std::int64_t used, std::int64_t max) {
  metrics_->api_used = used;
  metrics_->api_max = max;
  const std::lock_guard lock(mutex_);
  used_ = used;
  max_ = max;
  refusal_.clear();
  probe_at_ms_ = clock_.monotonic_ms() + kProbeEvery.count();
}

void QuotaGovernor::note_exhausted(std::string said) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(said);
  probe_at_ms_ = clock_.monotonic_ms() + kProbeEvery.count();
}

}  // namespace headwater::salesforce
