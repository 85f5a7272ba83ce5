#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

/// What outlives a MemoryStore: the disk of a test or of the simulator. A crash keeps what was
/// synced and loses the rest, as a real one may.
class MemoryDisk {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;

  /// Everything that was not synced is gone.
  void crash();
  /// A disk with what is durable on this one: a backup, or a clone of the machine.
  std::shared_ptr<MemoryDisk> copy() const;
  /// The n-th write from now on (1: the next) is torn: nothing of it reaches the disk and it fails,
  /// as does every later one until crash(). 0: none.
  void tear_write(std::size_t n);
  std::size_t writes() const;  ///< successful ones
  std::size_t puts(Family family) const;

 private:
  friend class MemoryStore;
  friend class MemoryScan;
  mutable std::mutex mutex_;
  std::array<Table, kFamilies> now_, synced_;
  std::array<std::size_t, kFamilies> puts_{};
  std::size_t writes_ = 0;
  std::size_t tear_in_ = 0;
  bool broken_ = false;
  bool all_synced_ = true;
};

/// The twin of RocksDB: the same contract over std::map. One contract suite runs over both.
std::unique_ptr<Store> open_memory_store(std::shared_ptr<MemoryDisk> disk);

}  // namespace headwater::ledger
