#include "schemas/core/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "schemas/core/assert.hpp"
#include "schemas/core/raw_text.hpp"

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

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

char* write_escape(char* to, char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  *to++ = '\\';
  switch (c) {
    case '"':
    case '\\':
      *to++ = c;
      return to;
    case '\b':
      *to++ = 'b';
      return to;
    case '\f':
      *to++ = 'f';
      return to;
    case '\n':
      *to++ = 'n';
      return to;
    case '\r':
      *to++ = 'r';
      return to;
    case '\t':
      *to++ = 't';
      return to;
    default:
      to = write_raw(to, "u00");
      *to++ = kHex[static_cast<unsigned char>(c) >> 4];
      *to++ = kHex[static_cast<unsigned char>(c) & 15];
      return to;
  }
}

/// True if one of eight bytes is above 0x7f, below 0x20, a quote or a backslash (or follows such a
/// byte: a closer look then decides).
bool maybe_special(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const std::uint64_t control = word - kOnes * 0x20;
  const std::uint64_t quote = (word ^ (kOnes * '"')) - kOnes;
  const std::uint64_t backslash = (word ^ (kOnes * '\\')) - kOnes;
  return ((word | control | quote | backslash) & kHigh) != 0;
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

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length =
        static_cast<unsigned char>(text.front()) < 0x80 ? 1 : utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::size_t json_string_size(std::string_view text) {
  std::size_t size = 2;
  while (!text.empty()) {
    std::size_t length = 1;
    switch (kClass[static_cast<unsigned char>(text.front())]) {
      case 0:
        ++size;
        break;
      case 1: {
        std::array<char, 6> escape;
        size += static_cast<std::size_t>(write_escape(escape.data(), text.front()) - escape.data());
        break;
      }
      default:
        length = utf8_length(text);
        size += length == 0 ? kReplacement.size() : length;
        length = std::max<std::size_t>(length, 1);
    }
    text.remove_prefix(length);
  }
  return size;
}

char* write_json_string(char* to, std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  *to++ = '"';
  while (at != end) {
    // Text is plain ASCII nearly always, and this loop is what rendering spends most time on.
    while (end - at >= 8) {
      std::uint64_t word;
      std::memcpy(&word, at, 8);
      if (maybe_special(word)) break;
      std::memcpy(to, &word, 8);
      at += 8;
      to += 8;
    }
    while (at != end && kClass[static_cast<unsigned char>(*at)] == 0) *to++ = *at++;
    if (at == end) break;
    if (kClass[static_cast<unsigned char>(*at)] == 1) {
      to = write_escape(to, *at++);
      continue;
    }
    const std::size_t length = utf8_length({at, static_cast<std::size_t>(end - at)});
    if (length == 0) {
      to = write_raw(to, kReplacement);
      ++at;
    } else {
      to = write_raw(to, {at, length});
      at += length;
    }
  }
  *to++ = '"';
  return to;
}

void append_json_string(std::string& out, std::string_view text) {
  thread_local RawText scratch;
  scratch.append_to(out, write_json_string(scratch.room(json_string_room(text.size())), text));
}

char* write_json_number(char* to, std::int64_t value) {
  return std::to_chars(to, to + kJsonNumberRoom, value).ptr;
}

void append_json_number(std::string& out, std::int64_t value) {
  std::array<char, kJsonNumberRoom> text;
  out.append(text.data(), write_json_number(text.data(), value));
}

void append_json_number(std::string& out, double value) {
  std::array<char, kJsonNumberRoom> text;
  out.append(text.data(), write_json_number(text.data(), value));
}

char* write_json_number(char* to, double value) {
  HEADWATER_ASSERT(std::isfinite(value));
  if (value == 0) {
    *to++ = '0';
    return to;
  }
  // Integers that a double holds exactly are by far the most common amounts.
  if (std::fabs(value) < 9e15 && value == std::trunc(value)) {
    return write_json_number(to, static_cast<std::int64_t>(value));
  }
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  // text is [-]d[.ddd]e±xx: take it apart and lay it out as ECMAScript's Number::toString does.
  const char* at = text.data();
  if (*at == '-') *to++ = *at++;
  std::array<char, 24> digits;
  int count = 0;
  for (; *at != 'e'; ++at) {
    if (*at != '.') digits[static_cast<std::size_t>(count++)] = *at;
  }
  int exponent = 0;
  std::from_chars(at + (at[1] == '+' ? 2 : 1), end, exponent);
  const int point = exponent + 1;  // decimal point stands after this many digits
  const std::string_view all(digits.data(), static_cast<std::size_t>(count));
  if (point > 0 && point <= 21) {
    if (count <= point) return std::fill_n(write_raw(to, all), point - count, '0');
    to = write_raw(to, all.substr(0, static_cast<std::size_t>(point)));
    *to++ = '.';
    return write_raw(to, all.substr(static_cast<std::size_t>(point)));
  }
  if (point > -6 && point <= 0) {
    return write_raw(std::fill_n(write_raw(to, "0."), -point, '0'), all);
  }
  *to++ = all[0];
  if (count > 1) {
    *to++ = '.';
    to = write_raw(to, all.substr(1));
  }
  to = write_raw(to, exponent < 0 ? "e-" : "e+");
  return write_json_number(to, static_cast<std::int64_t>(std::abs(exponent)));
}

}  // namespace headwater
