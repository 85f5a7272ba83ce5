#pragma once

#include <string>

#include "schemas/model/render.hpp"

namespace headwater {

// A platform event's entry as bytes; beside render.hpp, which has those of records. Append only,
// thread-safe. REQUIRES: entry.kind is Event.

/// `{"event":{…},"key":…,"source":{…},"ts_ms":…,"rev":…}`: the value on an events topic.
void append_event_envelope(std::string& out,
                           const EntryView& entry,
                           const EnvelopeContext& context);
/// `org/Name/uuid`, or the replay id in hex where there is no uuid: CloudEvents' id.
void append_event_id(std::string& out, const EntryView& entry);

}  // namespace headwater
