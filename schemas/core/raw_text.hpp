#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace headwater {

/// The bytes as they are. REQUIRES: room for text.size(). Returns where it ended.
inline char* write_raw(char* to, std::string_view text) {
  return std::copy_n(text.data(), text.size(), to);
}

/// Memory to write into without a check per byte. The hot writers (`write_…` functions, which take
/// a char* and return where they ended) need a bound for what they will write, ask for that much
/// room here, and append what came out to a string in one piece. Not thread-safe: one a thread.
class RawText {
 public:
  /// At least `bytes` of room, never zeroed. What the call before gave is no longer valid.
  char* room(std::size_t bytes) {
    // Bounds are pessimistic and single texts can be large: such room is not kept.
    if (bytes > size_ || (size_ > kKept && bytes <= kKept)) {
      size_ = std::max(bytes, kLeast);
      memory_ = std::make_unique_for_overwrite<char[]>(size_);
    }
    return memory_.get();
  }
  /// Appends what was written from the start of room() up to `end`.
  void append_to(std::string& out, const char* end) const {
    out.append(memory_.get(), static_cast<std::size_t>(end - memory_.get()));
  }

 private:
  static constexpr std::size_t kLeast = std::size_t{16} << 10;
  static constexpr std::size_t kKept = std::size_t{256} << 10;
  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0;
};

}  // namespace headwater
