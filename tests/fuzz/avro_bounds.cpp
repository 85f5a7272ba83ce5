// For any input of up to 1 MB the decoder takes at most 4 bytes for each of its own and 64 KiB, and
// at most 10 ms. A piece of the input is repeated, so that a few bytes make a megabyte.
//
// Memory is counted by our own operator new and is exact. Time is the thread's own CPU time, the
// best of three; what a sanitizer and a busy machine cost is in kSlack, so this finds what grows
// beyond its input, not what grows by a half. tests/unit/avro/hostile_test.cpp measures without
// sanitizers.

#include <time.h>

#include <algorithm>

#include "tests/fuzz/decoding.hpp"
#include "tests/fuzz/schemas.hpp"
#include "tests/unit/avro/heap.hpp"

using namespace headwater;

namespace {

constexpr std::size_t kMegabyte = 1u << 20;
constexpr double kMsMax = 10;
#if defined(HEADWATER_SANITIZED)
constexpr double kSlack = 60;
#else
constexpr double kSlack = 5;
#endif

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// Repeats a piece of `bytes` until there are up to `size_max`.
std::string stretched(std::string_view bytes,
                      std::size_t from,
                      std::size_t size,
                      std::size_t size_max) {
  from = std::min(from, bytes.size());
  const auto piece = bytes.substr(from, size);
  std::string out(bytes.substr(0, from));
  while (!piece.empty() && out.size() + bytes.size() < size_max) out += piece;
  return out.append(bytes.substr(from));
}

}  // namespace

FUZZ_TARGET(avro_bounds) {
  fuzz::Pieces pieces(input);
  const auto& plan = fuzz::picked_plan(pieces.byte());
  const auto size_max = kMegabyte >> (pieces.byte() % 12);
  const auto from = pieces.number(2);
  const auto size = pieces.byte();
  const fuzz::Exact payload(stretched(pieces.rest(), from, size, size_max));

  NameTable names;
  double best_ms = 1e9;
  for (int i = 0; i < 3 && best_ms > kMsMax; ++i) {
    avro::EventDecoder decoder(plan, names);
    avro::Scratch scratch;
    EventView event;
    const std::size_t before = avro::test::heap.bytes;
    avro::test::restart();
    const double start_ms = cpu_ms();
    const auto done = decoder.decode(payload.view(), scratch, event);
    best_ms = std::min(best_ms, cpu_ms() - start_ms);
    HEADWATER_ASSERT(avro::test::heap.bytes_peak - before <= 4 * payload.view().size() + 64 * 1024);
    fuzz::check_event(done, event, names);
  }
  HEADWATER_ASSERT(best_ms <= kSlack * kMsMax);
}
