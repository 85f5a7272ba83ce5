#include "schemas/core/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "schemas/core/assert.hpp"

namespace headwater {
namespace {

/// 0: copy as is; 1: needs an escape; 2: start of a multi-byte sequence or a stray byte.
constexpr std::array<std::uint8_t, 256> kClass = [] {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t i = 0; i < 0x20; ++i) table[i] = 1;
  table['"'] = table['\\'] = 1;
  for (std::size_t i = 0x80; i < 0x100; ++i) table[i] = 2;
  return table;
}();

void append_escape(std::string& out, char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\b':
      out.append("\\b");
      return;
    case '\f':
      out.append("\\f");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  const unsigned char lead = at(0);
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return tail(1) ? 2 : 0;
  if (lead < 0xf0) {
    if (!tail(1) || !tail(2)) return 0;
    if ((lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f)) return 0;
    return 3;
  }
  if (lead > 0xf4 || !tail(1) || !tail(2) || !tail(3)) return 0;
  if ((lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f)) return 0;
  return 4;
}

namespace {

/// How many bytes from `at` on may be copied as they are: looks at eight at a time. Text is plain
/// ASCII nearly always, and this scan is what rendering spends most of its time on.
std::size_t plain_length(const char* at, std::size_t size) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, at + i, 8);
    // A byte's high bit is set below if it is above 0x7f, below 0x20, a quote or a backslash (or
    // follows such a byte: the loop at the end then looks closely).
    const std::uint64_t control = word - kOnes * 0x20;
    const std::uint64_t quote = (word ^ (kOnes * '"')) - kOnes;
    const std::uint64_t backslash = (word ^ (kOnes * '\\')) - kOnes;
    if (((word | control | quote | backslash) & kHigh) != 0) break;
  }
  while (i < size && kClass[static_cast<unsigned char>(at[i])] == 0) ++i;
  return i;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size();) {
    i += plain_length(text.data() + i, text.size() - i);
    if (i == text.size()) break;
    std::size_t length = 1;
    if (kClass[static_cast<unsigned char>(text[i])] == 2) {
      length = utf8_length(text.substr(i));
      if (length != 0) {
        i += length;
        continue;
      }
      length = 1;
    }
    out.append(text, from, i - from);
    if (kClass[static_cast<unsigned char>(text[i])] == 1) {
      append_escape(out, text[i]);
    } else {
      out.append("\xEF\xBF\xBD");
    }
    i += length;
    from = i;
  }
  out.append(text, from, text.size() - from);
  out.push_back('"');
}

void append_json_number(std::string& out, std::int64_t value) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_json_number(std::string& out, double value) {
  HEADWATER_ASSERT(std::isfinite(value));
  if (value == 0) {
    out.push_back('0');
    return;
  }
  // Integers that a double holds exactly are by far the most common amounts.
  if (std::fabs(value) < 9e15 && value == std::trunc(value)) {
    append_json_number(out, static_cast<std::int64_t>(value));
    return;
  }
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  // text is [-]d[.ddd]e±xx: take it apart and lay it out as ECMAScript's Number::toString does.
  const char* at = text.data();
  if (*at == '-') {
    out.push_back('-');
    ++at;
  }
  std::array<char, 24> digits;
  int count = 0;
  for (; *at != 'e'; ++at) {
    if (*at != '.') digits[static_cast<std::size_t>(count++)] = *at;
  }
  int exponent = 0;
  std::from_chars(at + (at[1] == '+' ? 2 : 1), end, exponent);
  const int point = exponent + 1;  // decimal point stands after this many digits
  const auto size = static_cast<std::size_t>(count);
  if (point > 0 && point <= 21) {
    if (count <= point) {
      out.append(digits.data(), size).append(static_cast<std::size_t>(point - count), '0');
    } else {
      out.append(digits.data(), static_cast<std::size_t>(point)).push_back('.');
      out.append(digits.data() + point, static_cast<std::size_t>(count - point));
    }
  } else if (point > -6 && point <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits.data(), size);
  } else {
    out.push_back(digits[0]);
    if (count > 1) out.append(1, '.').append(digits.data() + 1, size - 1);
    out.append(exponent < 0 ? "e-" : "e+");
    append_json_number(out, static_cast<std::int64_t>(std::abs(exponent)));
  }
}

}  // namespace headwater
