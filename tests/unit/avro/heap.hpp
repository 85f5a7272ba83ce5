#pragma once

#include <time.h>

#include <cstddef>

namespace headwater::avro::test {

/// What this thread took from the heap, counted by the program's own operator new (heap.cpp).
struct Heap {
  std::size_t allocations = 0;
  std::size_t bytes = 0;       ///< held now
  std::size_t bytes_peak = 0;  ///< most held since the last restart()
};
extern thread_local constinit Heap heap;

/// Starts a new measurement of allocations and peak.
inline void restart() {
  heap.allocations = 0;
  heap.bytes_peak = heap.bytes;
}

/// Of this thread, in ms: what else the machine does is not our cost.
inline double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace headwater::avro::test
