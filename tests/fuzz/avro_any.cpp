// A hostile payload of a hostile schema: `{"name": …}` of one field, a line end, then its value.

#include "tests/fuzz/decoding.hpp"
#include "tests/unit/avro/builder.hpp"

using namespace headwater;

FUZZ_TARGET(avro_any) {
  fuzz::Pieces pieces(input);
  const auto plan = avro::Plan::parse(avro::test::event_schema(pieces.until('\n')));
  if (!plan) return;
  // The header is sound, so that the bytes reach the field.
  const fuzz::Exact payload(avro::test::header(0).raw(pieces.rest()).out);
  NameTable names;
  avro::EventDecoder decoder(*plan, names);
  avro::Scratch scratch;
  EventView event;
  fuzz::check_event(decoder.decode(payload.view(), scratch, event), event, names);
}
