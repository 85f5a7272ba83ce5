#pragma once

#include <cstddef>

namespace headwater::salesforce {

/// Most events outstanding on one Subscribe stream, over all its requests.
/// Source: Pub/Sub API guide, "Pull Subscription and Flow Control".
inline constexpr std::size_t kEventsRequestedMax = 100;

/// Decides how many events to ask for, so that nothing arrives without room and the stream never
/// runs dry.
///
///   W = min(100, room)
///   ask for W - outstanding as soon as outstanding <= W / 2
///
/// Pure: told what was asked, what came and how much room there is. Why not always ask for 100:
/// behind a stalled journal, events would wait in gRPC's buffers, outside every bound. Why not wait
/// for zero: each round trip would then pass with nothing on its way. Counts by itself rather than
/// by the server's `pending_num_requested`, which does not know of requests still on the wire. Used
/// by the ingest thread only.
class Credit {
 public:
  /// Events to ask for now, 0: nothing. `room`: events that fit, those outstanding included. Never
  /// fails.
  std::size_t request(std::size_t room) const;
  /// REQUIRES: outstanding() + events <= kEventsRequestedMax.
  void requested(std::size_t events);
  /// More than was asked for is the server's fault and counts as all.
  void received(std::size_t events);
  /// A new stream: nothing is outstanding.
  void reset() { outstanding_ = 0; }
  std::size_t outstanding() const { return outstanding_; }

 private:
  std::size_t outstanding_ = 0;  // asked for, not yet received
};

}  // namespace headwater::salesforce
