#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace headwater::org {

/// A field's value in the unit Avro carries it: dates and datetimes in epoch ms, times in ms of the
/// day. Which of these an int64 is, the field's type says. Null is monostate.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

inline bool is_null(const Value& value) { return value.index() == 0; }

}  // namespace headwater::org
