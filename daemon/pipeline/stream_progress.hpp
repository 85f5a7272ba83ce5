#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "schemas/core/time.hpp"

namespace headwater {

/// Events stay on the bus for so long (Pub/Sub API guide, "Event Message Durability").
inline constexpr EpochMs kRetentionMs = Millis(std::chrono::hours{72}).count();

/// How far a stream of record changes is: all that was committed until then has come, as far as can
/// be told.
struct StreamProgress {
  EpochMs newest_commit = 0;  ///< of any event that was applied; the org's clock
  EpochMs at_tip = 0;         ///< when it last said that it has no more; our clock
  std::string topic = {};
};

/// A moment that streams may be past.
struct Moment {
  EpochMs ours = 0;                 ///< our clock
  std::optional<EpochMs> org = {};  ///< the org's, if it told
};

/// True if the stream has told all that was committed before the moment: an event that was
/// committed later has come, or the stream said later that it has no more. What lies ahead of our
/// clock proves nothing, for one of the two is wrong; an event may by `slack`, or if the org told
/// the moment.
inline bool is_past(const StreamProgress& stream, const Moment& moment, EpochMs now, Millis slack) {
  const bool comparable = moment.org || stream.newest_commit <= now + slack.count();
  return (comparable && stream.newest_commit > moment.org.value_or(moment.ours)) ||
         (stream.at_tip > moment.ours && stream.at_tip <= now);
}

}  // namespace headwater
