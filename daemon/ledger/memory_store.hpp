#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

struct MemoryOp {
  Family family;
  std::string key;
  std::optional<std::string> value;  // nothing: erase
  std::string to;                    // not empty: erase [key, to)
};

/// What outlives a MemoryStore: the disk of a test or of the simulator. A crash keeps what was
/// synced, and of the rest a prefix, write by write, as a log that is cut somewhere does.
class MemoryDisk {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;
  using Tables = std::array<Table, kFamilies>;

  /// The power is lost: of the writes that were not synced only the first `kept` are there.
  void crash(std::size_t kept = 0);
  /// Writes that a crash may keep or lose.
  std::size_t unsynced() const;
  /// A disk with what a crash would leave on this one: a backup, or a clone of the machine.
  std::shared_ptr<MemoryDisk> copy(std::size_t kept = 0) const;
  /// The n-th write from now on (1: the next) fails, as does every later one until the next crash()
  /// or open. 0: none. `found`: the next open finds it all the same, as after a sync that failed;
  /// a crash may. Otherwise it is torn: nothing of it reaches the disk.
  void tear_write(std::size_t n, bool found = false);
  std::size_t writes() const;  ///< successful ones
  std::size_t puts(Family family) const;

 private:
  friend class MemoryStore;
  friend class MemoryScan;
  using Ops = std::vector<MemoryOp>;
  static void apply(Tables& tables, const Ops& ops);
  void reopen();

  mutable std::mutex mutex_;
  Tables now_, synced_;
  std::vector<Ops> unsynced_;  // what now_ has more than synced_, in order
  std::optional<Ops> failed_;  // a write that failed, and will be found
  std::array<std::size_t, kFamilies> puts_{};
  std::size_t writes_ = 0;
  std::size_t tear_in_ = 0;
  bool tear_found_ = false;
  bool broken_ = false;
};

/// The twin of RocksDB: the same contract over std::map. One contract suite runs over both.
std::unique_ptr<Store> open_memory_store(std::shared_ptr<MemoryDisk> disk);

}  // namespace headwater::ledger
