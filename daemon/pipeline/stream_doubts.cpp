#include "daemon/pipeline/stream_doubts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/salesforce/errors.hpp"
#include "daemon/pipeline/stream_progress.hpp"

namespace headwater {

EpochMs complete_until(const ledger::StreamPosition& position) {
  return position.replay_id.empty() ? position.stored_at
                                    : std::min(position.newest_commit_ts, position.stored_at);
}

Result<void> StreamDoubts::refused(const Error& error) {
  const bool limit = salesforce::recovery(error) == salesforce::Recovery::Quota;
  if (!limit && error.code != "topic.not.found") return {};
  const auto position = ledger_.position(stream_);
  // A topic that never worked is a mistake of the configuration, and its part says so.
  if (!limit && (!position || position->replay_id.empty())) return {};
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Stretch;
  hole.org = stream_.org;
  hole.topic = stream_.topic;
  hole.cause = limit ? kDeliveryLimit : kSwitchedOff;
  hole.detail = error.message;
  if (position) {
    hole.from_ts = limit ? std::max(position->newest_commit_ts, position->stored_at)
                         : complete_until(*position);
  }
  if (limit) {
    hole.to_ts = clock_.now_ms();
    hole.detail += fmt::format(
        "; events wait on the bus, nothing is lost until {}",
        format_datetime((hole.from_ts == 0 ? hole.to_ts : hole.from_ts) + kRetentionMs));
  }
  may_be_open_ = true;
  return ledger_.open_hole(hole);
}

Result<void> StreamDoubts::works() {
  if (!may_be_open_) return {};
  const EpochMs now = clock_.now_ms();
  for (auto& hole : ledger_.wide_holes(stream_.org)) {
    if (hole.topic != stream_.topic) continue;
    if (hole.cause == kSwitchedOff && hole.to_ts == 0) {
      hole.to_ts = now;
      hole.detail = fmt::format("the topic is there again since {}", format_datetime(now));
      if (auto ended = ledger_.open_hole(hole); !ended) return ended;
    } else if (hole.cause == kDeliveryLimit) {
      const auto lost = lost_stretch();
      const auto told =
          lost ? fmt::format(
                     "deliveries were given again at {}, but the stored position was lost "
                     "by then: what may be missing is hole {}",
                     format_datetime(now),
                     lost->rev.value)
               : fmt::format(
                     "the stream went on after its stored position at {}: what waited on "
                     "the bus comes in order",
                     format_datetime(now));
      const auto closed =
          ledger_.close_hole(hole, {ledger::Closing::How::Repaired, "headwater", told, now});
      if (!closed) return closed;
    }
  }
  may_be_open_ = false;
  return {};
}

std::optional<ledger::Hole> StreamDoubts::lost_stretch() const {
  for (auto& hole : ledger_.wide_holes(stream_.org)) {
    if (hole.topic == stream_.topic && hole.cause == kExpired) return std::move(hole);
  }
  return std::nullopt;
}

}  // namespace headwater
