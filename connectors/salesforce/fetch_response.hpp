#pragma once

#include <string_view>

#include "connectors/salesforce/event_source.hpp"

namespace headwater::salesforce {

/// Takes the bytes of a FetchResponse (schemas/proto/pubsub_api.proto) apart without copying any:
/// events, latest_replay_id and pending of `out` borrow from `bytes`. Unknown fields are skipped,
/// of one that occurs twice the last counts, as protobuf's own reader does; that reader makes four
/// strings an event, which cost more than decoding it. False if the bytes are no such message.
bool read_fetch_response(std::string_view bytes, Fetched& out);

}  // namespace headwater::salesforce
