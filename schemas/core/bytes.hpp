#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace headwater {

// Writers append to a string; ByteReader takes the same apart and never reads past its end.

inline constexpr std::size_t kVarintRoom = 10;

// write_… put the same bytes into raw memory and return where they ended.

inline char* write_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline void put_varint(std::string& out, std::uint64_t value) {
  char bytes[kVarintRoom];
  out.append(bytes, write_varint(bytes, value));
}
inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}
inline char* write_signed(char* to, std::int64_t value) { return write_varint(to, zigzag(value)); }
inline void put_signed(std::string& out, std::int64_t value) { put_varint(out, zigzag(value)); }
/// REQUIRES: room for kVarintRoom + text.size().
inline char* write_text(char* to, std::string_view text) {
  return std::copy_n(text.data(), text.size(), write_varint(to, text.size()));
}
inline void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out.append(text);
}
inline void put_byte(std::string& out, std::uint8_t byte) {
  out.push_back(static_cast<char>(byte));
}
/// Big-endian: byte order is number order, as keys need it.
inline char* write_be64(char* to, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) *to++ = static_cast<char>(value >> (56 - 8 * i));
  return to;
}
inline void put_be64(std::string& out, std::uint64_t value) {
  char bytes[8];
  out.append(bytes, write_be64(bytes, value));
}
inline char* write_double(char* to, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::memcpy(to, &bits, 8);  // little-endian on every machine we build for
  return to + 8;
}

/// Takes bytes apart. After the first read that does not fit, ok() is false for good and every read
/// gives zero or nothing: check once at the end, or before trusting a count.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool ok() const { return ok_; }
  bool done() const { return at_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  const char* position() const { return at_; }

  std::uint64_t varint() {
    if (at_ != end_ && static_cast<signed char>(*at_) >= 0) {  // one byte: nearly always
      return static_cast<unsigned char>(*at_++);
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) break;
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  std::int64_t signed_varint() { return unzigzag(varint()); }
  std::uint8_t byte() {
    if (at_ == end_) return static_cast<std::uint8_t>(fail());
    return static_cast<std::uint8_t>(*at_++);
  }
  std::string_view take(std::uint64_t size) {
    if (size > left()) {
      fail();
      return {};
    }
    const std::string_view out{at_, static_cast<std::size_t>(size)};
    at_ += size;
    return out;
  }
  std::string_view text() { return take(varint()); }
  std::uint64_t be64() {
    const auto raw = take(8);
    std::uint64_t value = 0;
    for (const char c : raw) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  double float64() {
    const auto raw = take(8);
    if (raw.size() != 8) return 0;
    std::uint64_t bits;
    std::memcpy(&bits, raw.data(), 8);
    return std::bit_cast<double>(bits);
  }

 private:
  std::uint64_t fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace headwater
