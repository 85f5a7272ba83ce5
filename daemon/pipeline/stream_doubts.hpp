#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/ledger/ledger.hpp"

namespace headwater {

/// Holes of a stream that the org refuses for a reason of its own (salesforce.md sections 3.2, 9):
///
///   delivery_limit  the day's deliveries are used up. Events stay on the bus for 72 hours: nothing
///                   is lost yet, and a person should know until when. It closes when the stream
///                   goes on after its stored position; should that be lost by then, the lost
///                   position has a hole of its own
///   switched_off    a topic that worked is not there any more: its object was switched off in
///                   Change Data Capture, and what changes is told to nobody. Once it works again
///                   the hole has an end, and is repaired by reading the object
///
/// Repeats renew a hole. The ingest thread.
class StreamDoubts {
 public:
  StreamDoubts(ledger::StreamKey stream, ledger::Ledger& ledger, const Clock& clock)
      : stream_(std::move(stream)), ledger_(ledger), clock_(clock) {}

  /// The org refused or ended the stream with this error. Nothing happens for any other.
  Result<void> refused(const Error& error);
  /// The stream works.
  Result<void> works();
  /// The open hole that a lost position left.
  std::optional<ledger::Hole> lost_stretch() const;

 private:
  const ledger::StreamKey stream_;
  ledger::Ledger& ledger_;
  const Clock& clock_;
  bool may_be_open_ = true;  // also from before a restart
};

/// Since when a stream with this position may lack something. What was told last may lie hours
/// behind the time at which it was stored, and an event that claims to come from the future must
/// not shorten a doubt.
EpochMs complete_until(const ledger::StreamPosition& position);

inline constexpr std::string_view kExpired = "expired";  ///< a position that was lost
inline constexpr std::string_view kDeliveryLimit = "delivery_limit";
using ledger::kSwitchedOff;

}  // namespace headwater
