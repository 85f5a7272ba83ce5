#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headwater {

/// A peer's text made fit for a message, a log line or JSON: one line of UTF-8. What is cut off
/// after about `bytes_max` bytes is told by an ellipsis.
std::string shown(std::string_view text, std::size_t bytes_max = 300);

}  // namespace headwater
