#pragma once

#include <cstdint>

namespace headwater::runtime {

/// Gives free heap back to the system.
///
/// glibc keeps for each of its arenas what the threads in it once needed at most: a materialization
/// or a compaction is over, and its 50 MiB stay. With a dozen threads these peaks add up for
/// hours and look like a leak. Used by one thread; others allocate meanwhile.
class HeapKeeper {
 public:
  /// Free memory that stays, so that busy threads need not ask the system for it again.
  static constexpr std::uint64_t kFreeKept = 32ULL << 20;

  /// Looks every 2 s, and gives back if more than that lies idle. True if it did.
  bool step(std::int64_t monotonic_ms);

 private:
  std::int64_t due_ms_ = 0;
};

/// Bytes of heap that are free but still taken from the system; 0 where that cannot be told.
std::uint64_t idle_heap_bytes();

}  // namespace headwater::runtime
