// Hostile payloads of known schemas: an event with sound values, or Rejected. What the decoder
// remembers from one event to the next (resolved bitmaps) changes nothing.

#include <deque>
#include <memory>

#include "tests/fuzz/decoding.hpp"
#include "tests/fuzz/schemas.hpp"

using namespace headwater;

FUZZ_TARGET(avro_event) {
  fuzz::Pieces pieces(input);
  const auto& plan = fuzz::picked_plan(pieces.byte());
  const fuzz::Exact payload(pieces.rest());
  static std::deque<std::pair<const avro::Plan*, std::unique_ptr<avro::EventDecoder>>> kept;
  static NameTable names;
  avro::EventDecoder* used = nullptr;
  for (const auto& [of, decoder] : kept) used = of == &plan ? decoder.get() : used;
  if (used == nullptr) {
    kept.emplace_back(&plan, std::make_unique<avro::EventDecoder>(plan, names));
    used = kept.back().second.get();
  }
  avro::EventDecoder fresh(plan, names);
  avro::Scratch scratch, other;
  EventView event, again;
  const auto done = fresh.decode(payload.view(), scratch, event);
  fuzz::check_event(done, event, names);
  const auto repeated = used->decode(payload.view(), other, again);
  HEADWATER_ASSERT(done.ok() == repeated.ok());
  HEADWATER_ASSERT(fuzz::same_members(event.fields, again.fields));
  HEADWATER_ASSERT(fuzz::same_members(event.diffs, again.diffs));
}
