#pragma once

#include <string_view>

namespace headwater {

/// True for the topic of a platform event or of a channel of such, `/event/Order_Event__e`; all
/// others carry change events (Platform Events guide, "Subscribe with the Pub/Sub API").
inline bool is_platform_topic(std::string_view topic) { return topic.starts_with("/event/"); }

}  // namespace headwater
