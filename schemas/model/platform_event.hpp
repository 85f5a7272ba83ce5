#pragma once

#include <cstdint>
#include <string_view>

#include "schemas/core/time.hpp"

namespace headwater {

/// One decoded platform event (`Order_Event__e`): a flat record without a ChangeEventHeader, told
/// once and about nothing but itself. Borrowed as EventView is, valid until the next response is
/// decoded. Source: Platform Events guide, "Platform Event Fields".
struct PlatformEventView {
  std::string_view name;        ///< the event's API name; names its Kafka topic
  EpochMs created_at = 0;       ///< CreatedDate; 0: the event has none
  std::string_view created_by;  ///< CreatedById, or empty
  std::string_view schema_id, replay_id;
  std::string_view
      event_uuid;            ///< Salesforce may leave it out, and publish one event twice under it
  std::string_view fields;   ///< every field as canonical JSON, members sorted by bytes
  std::string_view payload;  ///< the datum as sent: tells a repeat from another event
};

}  // namespace headwater
