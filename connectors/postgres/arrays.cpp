#include "connectors/postgres/arrays.hpp"

#include <cstring>

#include "schemas/core/bytes.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::postgres {
namespace {

constexpr std::size_t kHeaderBytes = 20;  // dimensions, flags, element type, count, lower bound
constexpr std::size_t kEmptyBytes = 12;   // the first three
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void put_be32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

/// True if every byte is ASCII and none is NUL: the common case, eight bytes at a time.
bool plain_ascii(std::string_view text) {
  constexpr std::uint64_t kHigh = 0x8080808080808080, kOnes = 0x0101010101010101;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    // A NUL byte borrows: its high bit is set after the subtraction.
    if (((word | (word - kOnes)) & kHigh) != 0) return false;
  }
  for (; left > 0; ++at, --left) {
    if (static_cast<signed char>(*at) <= 0) return false;
  }
  return true;
}

}  // namespace

std::string_view array_type(Element element) {
  switch (element) {
    case Element::Bool:
      return "boolean[]";
    case Element::Int8:
      return "bigint[]";
    case Element::Int4:
      return "integer[]";
    case Element::Text:
      return "text[]";
    case Element::Date:
      return "date[]";
    case Element::Time:
      return "time[]";
    case Element::Timestamptz:
      return "timestamptz[]";
    case Element::Jsonb:
      return "jsonb[]";
  }
  return "?";
}

void append_clean_text(std::string& out, std::string_view text) {
  if (plain_ascii(text)) {
    out.append(text);
    return;
  }
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<signed char>(text[i]);
    const std::size_t length = c > 0 ? 1 : c == 0 ? 0 : utf8_length(text.substr(i));
    if (length != 0) {
      i += length;
      continue;
    }
    out.append(text, from, i - from).append(kReplacement);
    from = ++i;
  }
  out.append(text, from, text.size() - from);
}

void clean_json_tail(std::string& out, std::size_t from) {
  constexpr std::string_view kNul = "\\u0000";
  for (std::size_t at = out.find(kNul, from); at != std::string::npos;
       at = out.find(kNul, at + 1)) {
    std::size_t slashes =
        0;  // before this one: an odd number of them escapes it, and `u0000` is plain text
    while (at > from + slashes && out[at - slashes - 1] == '\\') ++slashes;
    if (slashes % 2 == 0) out.replace(at, kNul.size(), "\\ufffd");
  }
}

void ArrayBuffer::clear() {
  bytes_.assign(kHeaderBytes, '\0');
  count_ = 0;
  written_ = 0;
  has_null_ = false;
}

void ArrayBuffer::put_pending_nulls() {
  if (written_ == count_) return;
  bytes_.append(std::size_t{4} * (count_ - written_), '\xff');
  written_ = count_;
  has_null_ = true;
}

void ArrayBuffer::add_bool(bool value) {
  begin_value();
  put_be32(bytes_, 1);
  bytes_.push_back(value ? '\1' : '\0');
}

void ArrayBuffer::add_int4(std::int32_t value) {
  begin_value();
  put_be32(bytes_, 4);
  put_be32(bytes_, static_cast<std::uint32_t>(value));
}

void ArrayBuffer::add_int8(std::int64_t value) {
  begin_value();
  put_be32(bytes_, 8);
  put_be64(bytes_, static_cast<std::uint64_t>(value));
}

void ArrayBuffer::add_text(std::string_view text) {
  append_clean_text(begin_element(), text);
  end_element();
}

void ArrayBuffer::begin_value() {
  put_pending_nulls();
  ++count_;
  ++written_;
}

std::string& ArrayBuffer::begin_element() {
  begin_value();
  element_at_ = bytes_.size();
  bytes_.append(4, '\0');
  return bytes_;
}

void ArrayBuffer::end_element() {
  put_length(element_at_, static_cast<std::uint32_t>(bytes_.size() - element_at_ - 4));
}

std::string_view ArrayBuffer::finish() {
  put_length(0, written_ == 0 ? 0 : 1);
  put_length(4, has_null_ ? 1 : 0);
  put_length(8, static_cast<std::uint32_t>(element_));
  put_length(12, written_);
  put_length(16, 1);
  // An array without dimensions ends before the length of its first.
  return written_ == 0 ? std::string_view(bytes_).substr(0, kEmptyBytes) : bytes_;
}

void ArrayBuffer::put_length(std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes_[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

}  // namespace headwater::postgres
