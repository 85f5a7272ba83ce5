#include "daemon/runtime/heap.hpp"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace headwater::runtime {
namespace {

constexpr std::int64_t kEveryMs = 2'000;

}  // namespace

std::uint64_t idle_heap_bytes() {
  // Resident and not of a file, in pages (proc(5)): mallinfo2 alone goes on counting as free what
  // was given back.
  std::uint64_t size = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t taken = resident > shared ? (resident - shared) * page : 0;
  const struct mallinfo2 heap = mallinfo2();
  const std::uint64_t used = heap.uordblks + heap.hblkhd;
  return taken > used ? taken - used : 0;
}

bool HeapKeeper::step(std::int64_t monotonic_ms) {
  if (monotonic_ms < due_ms_) return false;
  due_ms_ = monotonic_ms + kEveryMs;
  return idle_heap_bytes() > kFreeKept && malloc_trim(0) == 1;
}

}  // namespace headwater::runtime
