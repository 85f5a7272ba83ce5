// Hostile payloads of a platform event: fields that are JSON and read the same twice, or Rejected.

#include "schemas/avro/platform_decoder.hpp"
#include "tests/fuzz/json.hpp"
#include "tests/fuzz/schemas.hpp"

using namespace headwater;

FUZZ_TARGET(platform_event) {
  fuzz::Pieces pieces(input);
  const auto& plan = fuzz::picked_platform_plan(pieces.byte());
  const fuzz::Exact payload(pieces.rest());
  avro::PlatformDecoder decoder(plan);
  avro::Scratch scratch;
  PlatformEventView event, again;
  const auto done = decoder.decode(payload.view(), scratch, event);
  HEADWATER_ASSERT(done.ok() == decoder.decode(payload.view(), scratch, again).ok());
  if (!done) {
    HEADWATER_ASSERT(done.error().kind == ErrorKind::Rejected &&
                     done.error().code == "undecodable");
    return;
  }
  HEADWATER_ASSERT(event.fields == again.fields && event.created_at == again.created_at);
  HEADWATER_ASSERT(is_utf8(event.fields));
  fuzz::parsed(std::string(event.fields));
}
