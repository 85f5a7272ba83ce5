// For any input of up to 1 MB the decoder takes at most 4 bytes for each of its own and 64 KiB, and
// at most 10 ms. A piece of the input is repeated, so that a few bytes make a megabyte.
//
// Memory is counted by our own operator new and is exact. Time is the thread's own CPU time, the
// best of some; what a sanitizer and a busy machine cost is in kSlack, so this finds what grows
// beyond its input, not what grows by a half. tests/unit/avro/hostile_test.cpp measures without
// sanitizers.

#include <algorithm>

#include "schemas/avro/platform_decoder.hpp"
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
constexpr double kSlack = 2;  // caches and cores are shared
#endif

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

/// `make`: gives a decoder.
template <typename Event, typename Make, typename Check>
void expect_bounded(std::string_view payload, const Make& make, const Check& check) {
  double best_ms = 1e9;
  for (int i = 0; i < 20 && best_ms > kMsMax; ++i) {
    auto decoder = make();
    avro::Scratch scratch;
    Event event;
    const std::size_t before = avro::test::heap.bytes;
    avro::test::restart();
    const double start_ms = avro::test::cpu_ms();
    const auto done = decoder.decode(payload, scratch, event);
    best_ms = std::min(best_ms, avro::test::cpu_ms() - start_ms);
    HEADWATER_ASSERT(avro::test::heap.bytes_peak - before <= 4 * payload.size() + 64 * 1024);
    check(done, event);
  }
  HEADWATER_ASSERT(best_ms <= kSlack * kMsMax);
}

}  // namespace

FUZZ_TARGET(avro_bounds) {
  fuzz::Pieces pieces(input);
  const auto which = pieces.byte();
  const auto size_max = kMegabyte >> (pieces.byte() % 12);
  const auto from = pieces.number(2);
  const auto size = pieces.byte();
  const fuzz::Exact payload(stretched(pieces.rest(), from, size, size_max));

  NameTable names;
  expect_bounded<EventView>(
      payload.view(),
      [&] { return avro::EventDecoder(fuzz::picked_plan(which), names); },
      [&](const auto& done, const auto& event) { fuzz::check_event(done, event, names); });
  expect_bounded<PlatformEventView>(
      payload.view(),
      [&] { return avro::PlatformDecoder(fuzz::picked_platform_plan(which)); },
      [](const auto&, const auto&) {});  // platform_event.cpp looks at what comes out
}
