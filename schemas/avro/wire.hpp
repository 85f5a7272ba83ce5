#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace headwater::avro {

/// Why bytes are not a datum of their schema.
enum class Fault : std::uint8_t {
  None,
  Truncated,
  Varint,
  IntRange,
  Length,
  Boolean,
  NotFinite,
  Branch,
  Symbol,
  BlockCount,
  BlockSize,
  ZeroWidth,
  Trailing,
  ChangeType,
};
std::string_view to_string(Fault fault);  ///< completes "the datum …"

/// Takes Avro's binary encoding apart and never reads past its end. After the first fault every
/// read gives zero or nothing, so a caller may check once per value; only loops check each time
/// round.
class Input {
 public:
  explicit Input(std::string_view bytes)
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool ok() const { return fault_ == Fault::None; }
  Fault fault() const { return fault_; }
  std::size_t fault_offset() const { return fault_offset_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  const char* at() const { return at_; }

  void fail(Fault fault) {
    if (fault_ == Fault::None) {
      fault_ = fault;
      fault_offset_ = static_cast<std::size_t>(at_ - begin_);
    }
    at_ = end_;
  }

  std::int64_t read_long() {
    if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) {  // nearly always
      const auto byte = static_cast<unsigned char>(*at_++);
      return static_cast<std::int64_t>(byte >> 1) ^ -static_cast<std::int64_t>(byte & 1);
    }
    return read_long_slow();
  }
  std::int32_t read_int() {
    const auto value = read_long();
    if (value < std::numeric_limits<std::int32_t>::min() ||
        value > std::numeric_limits<std::int32_t>::max()) {
      fail(Fault::IntRange);
      return 0;
    }
    return static_cast<std::int32_t>(value);
  }
  bool read_boolean() {
    if (at_ == end_) return fail(Fault::Truncated), false;
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte > 1) return fail(Fault::Boolean), false;
    ++at_;
    return byte == 1;
  }
  /// JSON and our sinks have no NaN and no infinities, and neither has Salesforce.
  double read_double() {
    std::uint64_t bits = 0;
    if (!read_raw(&bits, sizeof bits)) return 0;
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) return fail(Fault::NotFinite), 0;
    return value;
  }
  double read_float() {
    std::uint32_t bits = 0;
    if (!read_raw(&bits, sizeof bits)) return 0;
    const auto value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) return fail(Fault::NotFinite), 0;
    return static_cast<double>(value);
  }
  std::string_view read_fixed(std::size_t size) {
    if (size > left()) return fail(Fault::Length), std::string_view{};
    const std::string_view out{at_, size};
    at_ += size;
    return out;
  }
  /// A string or bytes.
  std::string_view read_text() {
    const auto size = read_long();
    if (size < 0) return fail(Fault::Length), std::string_view{};
    return read_fixed(static_cast<std::size_t>(size));
  }
  /// A branch or symbol number below `count`.
  std::size_t read_index(std::size_t count, Fault fault) {
    const auto index = read_long();
    if (index < 0 || static_cast<std::uint64_t>(index) >= count) return fail(fault), 0;
    return static_cast<std::size_t>(index);
  }

  /// Some items of an array or map; Avro writes any number of blocks.
  struct Block {
    std::uint64_t count = 0;    ///< 0: the array has ended
    const char* end = nullptr;  ///< where the items must end, if the writer said so
  };
  /// REQUIRES: `least` is the fewest bytes of an item. Refuses counts that the bytes left cannot
  /// hold.
  Block open_block(std::size_t least) {
    Block block;
    const auto count = read_long();
    block.count =
        count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
    if (count < 0) {
      const auto size = read_long();
      if (size < 0 || static_cast<std::uint64_t>(size) > left())
        return fail(Fault::BlockSize), Block{};
      block.end = at_ + size;
    }
    if (block.count == 0) return block;
    if (least == 0) return fail(Fault::ZeroWidth), Block{};
    if (block.count > left() / least) return fail(Fault::BlockCount), Block{};
    return block;
  }
  void close_block(const Block& block) {
    if (ok() && block.end && at_ != block.end) fail(Fault::BlockSize);
  }

 private:
  std::int64_t read_long_slow() {
    std::uint64_t value = 0;
    const char* at = at_;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (at == end_) return fail(Fault::Truncated), 0;
      const auto byte = static_cast<unsigned char>(*at++);
      if (shift == 63 && byte > 1) break;  // beyond 64 bits
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        at_ = at;
        return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
      }
    }
    return fail(Fault::Varint), 0;
  }
  bool read_raw(void* out, std::size_t size) {
    if (size > left()) return fail(Fault::Truncated), false;
    std::memcpy(out, at_, size);  // Avro is little-endian, and so is every machine we build for
    at_ += size;
    return true;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  std::size_t fault_offset_ = 0;
  Fault fault_ = Fault::None;
};

/// Calls `each(std::string_view)` for every item of an encoded array of strings.
/// REQUIRES: `encoded` was stepped over without a fault before.
template <typename Each>
void for_each_string(std::string_view encoded, Each each) {
  Input in(encoded);
  for (auto block = in.open_block(1); block.count > 0; block = in.open_block(1)) {
    for (std::uint64_t i = 0; i < block.count; ++i) each(in.read_text());
  }
}

}  // namespace headwater::avro
