#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "schemas/core/json_text.hpp"  // is_utf8, which every target of JSON asks for too
#include "tests/fuzz/fuzz.hpp"

namespace headwater::fuzz {

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
