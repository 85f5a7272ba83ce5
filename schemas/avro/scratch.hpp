#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace headwater::avro {

/// Memory for what the events of one response need beside the response's own bytes. clear() makes
/// it all free again and keeps it, so that the steady state allocates nothing. One thread.
class Scratch {
 public:
  /// Kept by clear(); one extraordinary response does not hold more than this for ever.
  static constexpr std::size_t kKeptBytesMax = 16u << 20;

  /// Room for `count` values, which the caller constructs.
  template <typename T>
  T* uninitialized(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  /// The same, default-initialized.
  template <typename T>
  std::span<T> array(std::size_t count) {
    T* first = uninitialized<T>(count);
    std::uninitialized_default_construct_n(first, count);
    return {first, count};
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* out = static_cast<char*>(allocate(text.size()));
    std::memcpy(out, text.data(), text.size());
    return {out, text.size()};
  }
  /// Ends the life of everything given out.
  void clear() {
    if (bytes_ > kKeptBytesMax) {
      chunks_.clear();
      bytes_ = 0;
    }
    chunk_ = used_ = 0;
  }
  std::size_t capacity_bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kChunkBytes = 16u << 10;
  static constexpr std::size_t kAlign = alignof(std::max_align_t);

  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };

  void* allocate(std::size_t size) {
    size = (size + kAlign - 1) / kAlign * kAlign;
    if (chunk_ < chunks_.size() && size <= chunks_[chunk_].size - used_) return take(size);
    // The current chunk is full: the next kept one that is large enough, else a new one.
    const std::size_t next = chunks_.empty() ? 0 : std::min(chunk_ + 1, chunks_.size());
    std::size_t found = next;
    while (found < chunks_.size() && chunks_[found].size < size) ++found;
    if (found == chunks_.size()) {
      const std::size_t bytes = std::max(size, kChunkBytes);
      chunks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[bytes]), bytes});
      bytes_ += bytes;
    }
    std::swap(chunks_[next], chunks_[found]);
    chunk_ = next;
    used_ = 0;
    return take(size);
  }
  void* take(std::size_t size) {
    void* out = chunks_[chunk_].bytes.get() + used_;
    used_ += size;
    return out;
  }

  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0, used_ = 0, bytes_ = 0;
};

}  // namespace headwater::avro
