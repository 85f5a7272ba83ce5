#include "tests/unit/avro/heap.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace headwater::avro::test {

thread_local constinit Heap heap;

namespace {

void* take(std::size_t size) {
  void* out = std::malloc(size == 0 ? 1 : size);
  if (!out) throw std::bad_alloc();
  ++heap.allocations;
  heap.bytes += malloc_usable_size(out);
  heap.bytes_peak = std::max(heap.bytes_peak, heap.bytes);
  return out;
}
void give(void* memory) noexcept {
  if (memory) heap.bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace
}  // namespace headwater::avro::test

using headwater::avro::test::give;
using headwater::avro::test::take;

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
// Sanitizers have these too, and memory must go back to where it came from.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return take(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept {
  return operator new(size, tag);
}
void operator delete(void* memory) noexcept { give(memory); }
void operator delete[](void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give(memory); }
