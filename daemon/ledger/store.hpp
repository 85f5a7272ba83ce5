#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"

namespace headwater::ledger {

/// The ledger's key spaces (unified-model.md section 13). The numbers are an index, not a format.
enum class Family : std::uint8_t {
  Meta = 0,
  Records = 1,
  Journal = 2,
  Holes = 3,
  Quarantine = 4,
  BackRefs = 5
};
inline constexpr std::size_t kFamilies = 6;

/// Changes that are written together or not at all. Bytes are copied by each call.
class StoreBatch {
 public:
  virtual ~StoreBatch() = default;
  virtual void put(Family family, std::string_view key, std::string_view value) = 0;
  virtual void erase(Family family, std::string_view key) = 0;
  /// Every key with from <= key < to.
  virtual void erase_range(Family family, std::string_view from, std::string_view to) = 0;
};

/// Walks a family forward in key order. Sees at least what was there when it was opened. Views live
/// until next(). One thread.
class StoreScan {
 public:
  virtual ~StoreScan() = default;
  virtual bool valid() const = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual void next() = 0;
  virtual Result<void> status() const = 0;  ///< ask once valid() is false
};

/// One value of a get_sorted(). Reused, so that its memory is.
struct Found {
  bool found = false;
  std::string value;
};

/// Ordered bytes in families, with atomic writes: RocksDB in production, its memory twin in tests.
/// Thread-safe; write() is called by one thread at a time. Every error is Fatal: after a failed
/// sync nobody knows what is on the disk, so the process leaves and opens it again.
class Store {
 public:
  virtual ~Store() = default;
  virtual std::unique_ptr<StoreBatch> batch() = 0;
  /// Applies and empties the batch; `sync`: durable when it returns.
  virtual Result<void> write(StoreBatch& batch, bool sync) = 0;
  /// True if the key exists; its value is then in `value`.
  virtual Result<bool> get(Family family, std::string_view key, std::string& value) = 0;
  /// REQUIRES: keys ascending. out[i] belongs to keys[i]; `out` only grows.
  virtual Result<void> get_sorted(Family family,
                                  std::span<const std::string_view> keys,
                                  std::vector<Found>& out) = 0;
  virtual std::unique_ptr<StoreScan> scan(Family family, std::string_view from) = 0;
  /// Bytes of a family on disk and in memory, roughly.
  virtual std::uint64_t approximate_bytes(Family family) = 0;
  virtual void flush() noexcept = 0;
};

/// Opens or creates a RocksDB store. Fatal: corrupt, unreadable, newer format.
Result<std::unique_ptr<Store>> open_rocks_store(const std::string& directory);

}  // namespace headwater::ledger
