#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "schemas/core/time.hpp"
#include "tests/org/schema.hpp"

namespace headwater::org {

/// An event to be published. `object` null: it is on /data/ChangeEvents alone.
struct NewEvent {
  const ObjectDef* object = nullptr;
  std::string schema_id;
  std::string payload;  ///< header and body, Avro
  std::string uuid = {};  ///< its id; empty: made of its replay counter
};

/// An event as a reader sees it. Borrowed: only inside the call that gives it.
struct BusEvent {
  std::string_view payload, schema_id, uuid;
  std::uint64_t replay = 0;
};

/// Writes the 10 opaque bytes of a replay counter, as Salesforce's look (salesforce.md 4.1).
void put_replay(std::string& out, std::uint64_t replay);
std::optional<std::uint64_t> parse_replay(std::string_view bytes);

/// The event bus: what was published and is still retained, in one order, for any number of
/// readers.
///
/// Replay counters grow with gaps, and start anew with each process, so that an old id is as
/// unknown here as after an org migration. A position is accepted only if this bus handed it out
/// for that topic and has not dropped it. Thread-safe.
class Bus {
 public:
  using Cursor = std::uint64_t;  ///< number of the next event to read, over all topics

  explicit Bus(Millis retention);

  /// Appends all at once and tells the listener, unless held.
  /// Their replay counters.
  std::vector<std::uint64_t> publish(std::span<NewEvent> events);
  /// Called after each publish, on the publisher's thread, without the bus's lock.
  void on_published(std::function<void()> listener);
  /// While held, published events are not shown to readers: a whole replay appears at one instant.
  void hold();
  void release();

  Cursor latest() const;
  Cursor earliest();
  /// The place after this position; nothing if it is unknown, expired or of another topic.
  std::optional<Cursor> after(std::string_view replay_id, const ObjectDef* topic);

  /// Gives up to `limit` events of the topic from `cursor` on to `take`, until that says no; moves
  /// the cursor past what was given. `topic` null: all objects.
  std::size_t read(Cursor& cursor,
                   const ObjectDef* topic,
                   std::size_t limit,
                   const std::function<bool(const BusEvent&)>& take);
  /// True if read() would give something.
  bool has_more(Cursor& cursor, const ObjectDef* topic);

  /// A position at the tip, beyond the newest event: other orgs' events share the bus. The same
  /// until something is published. Nothing if the topic has events from `cursor` on: then no such
  /// position may be told.
  std::optional<std::string> tip(Cursor& cursor, const ObjectDef* topic);

  /// Drops every event published until now; their ids are expired.
  void drop_all();
  std::uint64_t published() const;
  /// The newest position that a caught-up reader of all topics was told, or will be told next.
  std::string newest_position() const;
  std::uint64_t payload_bytes() const;

 private:
  struct Stored {
    std::uint64_t replay;
    EpochMs at;
    const ObjectDef* object;
    const std::string* schema_id;
    std::string payload, uuid;
  };
  using Mark = std::pair<std::uint64_t, const ObjectDef*>;  ///< counter and topic of a position

  std::uint64_t next_replay();
  void expire();
  std::function<void()> show();  ///< all there is to readers; gives whom to tell
  void skip_to_topic(Cursor& cursor, const ObjectDef* topic) const;
  Cursor end() const { return first_ + visible_; }

  const Millis retention_;
  const SystemClock clock_;
  mutable std::mutex mutex_;
  std::deque<Stored> events_;
  Cursor first_ = 0;         ///< number of events_.front()
  std::size_t visible_ = 0;  ///< how many of events_ readers see
  bool held_ = false;
  std::uint64_t replay_;          ///< newest counter given
  std::uint64_t gaps_ = 0;        ///< state of the little generator of gaps
  std::uint64_t tip_ = 0;         ///< position told at the tip; 0: none since the last publish
  std::uint64_t last_event_ = 0;  ///< newest event that readers see
  std::map<Mark, Cursor> marks_;  ///< positions handed out in keepalives
  std::unordered_set<std::string> schema_ids_;
  std::uint64_t published_ = 0;
  std::uint64_t payload_bytes_ = 0;
  std::function<void()> listener_;
};

}  // namespace headwater::org
