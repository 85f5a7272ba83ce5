#include "daemon/pipeline/delivery_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace headwater {
namespace {

constexpr std::string_view kCause = "delivery_limit";
/// Events stay on the bus for so long (Pub/Sub API guide, "Event Message Durability").
constexpr EpochMs kRetentionMs = Millis(std::chrono::hours{72}).count();

}  // namespace

Result<void> DeliveryLimit::reached(const Error& error) {
  const auto position = ledger_.position(stream_);
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Stretch;
  hole.org = stream_.org;
  hole.topic = stream_.topic;
  hole.cause = kCause;
  hole.to_ts = clock_.now_ms();
  if (position) hole.from_ts = std::max(position->newest_commit_ts, position->stored_at);
  hole.detail =
      fmt::format("{}; events wait on the bus, nothing is lost until {}",
                  error.message,
                  format_datetime((hole.from_ts == 0 ? hole.to_ts : hole.from_ts) + kRetentionMs));
  may_be_open_ = true;
  return ledger_.open_hole(hole);
}

Result<void> DeliveryLimit::over() {
  if (!may_be_open_) return {};
  for (const auto& hole : ledger_.wide_holes(stream_.org)) {
    if (hole.cause != kCause || hole.topic != stream_.topic) continue;
    const auto closed = ledger_.close_hole(
        hole,
        {ledger::Closing::How::Repaired,
         "headwater",
         fmt::format("the stream went on after its stored position at {}: what waited on the bus "
                     "comes in order",
                     format_datetime(clock_.now_ms())),
         clock_.now_ms()});
    if (!closed) return closed;
  }
  may_be_open_ = false;
  return {};
}

}  // namespace headwater
