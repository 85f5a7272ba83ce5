#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "tests/org/bus.hpp"
#include "tests/org/schema.hpp"

namespace boost::json {
class object;
}

namespace headwater::org {

/// Largest event message (Pub/Sub API guide, "Pub/Sub API Allocations").
inline constexpr std::size_t kEventBytesMax = 1'000'000;

/// The org's platform events: their definitions, and a bus for each class of retention. High-volume
/// events are kept as long as change events, standard-volume ones for less (salesforce.md 4.2).
/// Thread-safe.
class PlatformEvents {
 public:
  PlatformEvents(Millis retention, Millis standard_retention);

  const Catalog& catalog() const { return catalog_; }
  /// The event of a topic such as `/event/Order_Event__e`; nothing if there is none.
  const ObjectDef* find_topic(std::string_view topic) const;
  Bus& bus_of(const ObjectDef& event) { return event.standard_volume ? standard_ : high_; }
  std::span<Bus* const> buses() const { return buses_; }

  /// One event of a publisher.
  struct Draft {
    std::string_view id;  ///< its EventUuid; empty: the org makes one
    std::string_view schema_id, payload;
  };
  struct Published {
    std::string replay_id;
    std::string refused;  ///< why not, or empty
  };
  /// Publishes what can be published, in order, as one step; says of each what came of it.
  std::vector<Published> publish(const ObjectDef& event, std::span<const Draft> drafts);

  /// `POST /publish`: makes events from JSON fields and publishes them, as a flow or Apex would.
  Result<std::string> publish(const boost::json::object& body);

  /// Of high-volume events, as Bus says it.
  std::string newest_position() const { return high_.newest_position(); }
  std::uint64_t published() const { return high_.published() + standard_.published(); }
  void drop_all();

 private:
  Result<std::string> encode(const ObjectDef& event,
                             const boost::json::object& fields,
                             std::int64_t number) const;

  const Catalog catalog_;
  const SystemClock clock_;
  Bus high_, standard_;
  const std::vector<Bus*> buses_{&high_, &standard_};
};

/// True if the bytes are exactly one datum of the event's schema.
bool fits_schema(const ObjectDef& event, std::string_view payload);

}  // namespace headwater::org
