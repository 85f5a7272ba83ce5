#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace headwater {

/// Appends the number with at least `width` digits, zeros in front. REQUIRES: width <= 20.
inline void append_digits(std::string& out, std::uint64_t value, std::size_t width) {
  std::array<char, 20> digits;
  std::size_t at = digits.size();
  for (; value != 0 || digits.size() - at < width; value /= 10) {
    digits[--at] = static_cast<char>('0' + value % 10);
  }
  out.append(digits.data() + at, digits.size() - at);
}

}  // namespace headwater
