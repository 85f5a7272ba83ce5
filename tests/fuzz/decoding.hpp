#pragma once

#include <string>

#include "schemas/avro/event_decoder.hpp"
#include "tests/fuzz/json.hpp"

namespace headwater::fuzz {

/// What holds of every decoded event, and of every refusal.
inline void check_event(const Result<void>& done, const EventView& event, const NameTable& names) {
  if (!done) {
    HEADWATER_ASSERT(done.error().kind == ErrorKind::Rejected &&
                     done.error().code == "undecodable");
    HEADWATER_ASSERT(event.fields.empty() && event.diffs.empty());
    return;
  }
  std::string json;
  for (const auto members : {event.fields, event.diffs}) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      HEADWATER_ASSERT(members[i].name < names.size());
      HEADWATER_ASSERT(i == 0 || members[i - 1].name < members[i].name);
      json.clear();
      append_json_value(json, members[i].value);
      HEADWATER_ASSERT(is_utf8(json));
      parsed(json);
    }
  }
}

inline bool same_members(std::span<const Member> a, std::span<const Member> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Member& x, const Member& y) {
    return x.name == y.name && x.value == y.value;
  });
}

}  // namespace headwater::fuzz
