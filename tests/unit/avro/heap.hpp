#pragma once

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

}  // namespace headwater::avro::test
