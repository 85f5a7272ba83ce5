#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "schemas/core/assert.hpp"

namespace headwater::fuzz {

/// Takes any bytes. Aborts, by HEADWATER_ASSERT, where what it promises does not hold.
using Target = void (*)(std::string_view input);

struct Named {
  std::string_view name;
  Target run;
};
/// The targets that are linked into this program.
std::vector<Named>& targets();

struct Registration {
  Registration(std::string_view name, Target run) { targets().push_back({name, run}); }
};

/// Defines a target: FUZZ_TARGET(avro_schema) { … input … }. One per file, of the file's name.
#define FUZZ_TARGET(name)                                                            \
  static void run_##name(std::string_view input);                                    \
  static const ::headwater::fuzz::Registration registered_##name(#name, run_##name); \
  static void run_##name(std::string_view input)

/// Takes an input apart into what a target needs. What is not there any more is zero or empty.
class Pieces {
 public:
  explicit Pieces(std::string_view input) : left_(input) {}

  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (; bytes > 0 && !left_.empty(); --bytes) {
      value = value << 8 | static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
    }
    return value;
  }
  /// A byte for the length, then that many.
  std::string_view text() { return take(byte()); }
  std::string_view take(std::size_t bytes) {
    const auto out = left_.substr(0, bytes);
    left_.remove_prefix(out.size());
    return out;
  }
  /// Up to the separator, which is dropped.
  std::string_view until(char separator) {
    const auto out = left_.substr(0, left_.find(separator));
    left_.remove_prefix(std::min(out.size() + 1, left_.size()));
    return out;
  }
  bool empty() const { return left_.empty(); }
  std::string_view rest() { return take(left_.size()); }

 private:
  std::string_view left_;
};

/// A copy on the heap, exactly as long, so that the sanitizer sees any step beyond it.
class Exact {
 public:
  explicit Exact(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {
    bytes_.shrink_to_fit();
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

}  // namespace headwater::fuzz
