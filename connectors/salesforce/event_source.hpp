#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// One event as it came: an Avro datum and where it stands. Borrowed until the next call of next().
struct FetchedEvent {
  std::string_view payload, schema_id, replay_id, uuid;
};

/// What next() saw.
struct Fetched {
  enum class What : std::uint8_t {
    Response,  ///< events, or none: a keepalive
    Woken,     ///< by wake() or the deadline
    Ended,     ///< the stream is over; end says why. Subscribe again from the stored position
  };
  What what = What::Woken;
  std::vector<FetchedEvent> events;
  std::string_view latest_replay_id;
  std::int32_t pending = 0;  ///< credit left after this response, as the server counts
  Error end;                 ///< error.code: the `error-code` trailer without its prefix, or empty
};

enum class Start : std::uint8_t { Latest, Earliest, After };

/// Events of one topic. Owned and called by one ingest thread; only wake() may be called from
/// others. A fake in the simulator implements the same.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// Opens a stream and asks for the first `credit` events. After: strictly after `position`.
  virtual Result<void> subscribe(Start start, const ReplayId& position, std::size_t credit) = 0;
  /// Adds credit. REQUIRES: subscribed and outstanding + events <= 100.
  virtual void request(std::size_t events) = 0;
  /// Waits for the next thing, at most until `until_ms` on the monotonic clock.
  virtual void next(std::int64_t until_ms, Fetched& out) = 0;
  /// Makes next() return Woken. Any thread.
  virtual void wake() = 0;
  /// Ends the stream, drains it and waits for its end. No-op if there is none.
  virtual void cancel() = 0;
  /// The Avro schema. Transient: unavailable, ask again; Rejected: refused for good.
  virtual Result<std::string> fetch_schema(std::string_view schema_id) = 0;
};

}  // namespace headwater::salesforce
