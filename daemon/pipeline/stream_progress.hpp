#pragma once

#include <chrono>
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

}  // namespace headwater
