#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace headwater {

// Members of a parsed JSON object that others wrote: one that is missing or of another type is
// `otherwise`. For .cpp files of rooms that link Boost.JSON.

inline std::string text_of(const boost::json::object& object,
                           std::string_view key,
                           std::string_view otherwise = {}) {
  const auto* value = object.if_contains(key);
  return std::string(value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                            : otherwise);
}

inline bool flag_of(const boost::json::object& object,
                    std::string_view key,
                    bool otherwise = false) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

}  // namespace headwater
