#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "schemas/core/json_text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace headwater::fuzz {

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80 ? 1 : utf8_length(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

/// What we wrote must read back, by somebody else's reader.
inline boost::json::value parsed(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 128;
  boost::system::error_code failed;
  auto value = boost::json::parse({text.data(), text.size()}, failed, {}, options);
  HEADWATER_ASSERT(!failed);
  return value;
}

}  // namespace headwater::fuzz
