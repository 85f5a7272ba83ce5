#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace headwater {

/// Writes the number with at least `width` digits, zeros in front. REQUIRES: width <= 20, room for
/// 20.
inline char* write_digits(char* to, std::uint64_t value, std::size_t width) {
  std::array<char, 20> digits;
  std::size_t at = digits.size();
  for (; value != 0 || digits.size() - at < width; value /= 10) {
    digits[--at] = static_cast<char>('0' + value % 10);
  }
  return std::copy(digits.begin() + static_cast<std::ptrdiff_t>(at), digits.end(), to);
}
inline void append_digits(std::string& out, std::uint64_t value, std::size_t width) {
  std::array<char, 20> digits;
  out.append(digits.data(), write_digits(digits.data(), value, width));
}

}  // namespace headwater
