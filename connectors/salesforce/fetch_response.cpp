#include "connectors/salesforce/fetch_response.hpp"

#include "schemas/core/bytes.hpp"

namespace headwater::salesforce {
namespace {

// Protobuf's wire types. Source: protobuf.dev, "Encoding".
enum WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

/// One field of a message: `text` for kLength, `number` for kVarint.
struct Field {
  std::uint64_t number_of = 0;
  std::uint8_t type = 0;
  std::string_view text;
  std::uint64_t number = 0;
};

/// Calls `on_field` for each field. False if the bytes are no message.
template <typename OnField>
bool each_field(std::string_view bytes, OnField on_field) {
  ByteReader reader(bytes);
  while (reader.ok() && !reader.done()) {
    const std::uint64_t key = reader.varint();
    Field field;
    field.number_of = key >> 3;
    field.type = static_cast<std::uint8_t>(key & 7);
    switch (field.type) {
      case kVarint:
        field.number = reader.varint();
        break;
      case kFixed64:
        reader.take(8);
        break;
      case kLength:
        field.text = reader.text();
        break;
      case kFixed32:
        reader.take(4);
        break;
      default:
        return false;
    }
    if (!reader.ok() || field.number_of == 0 || !on_field(field)) return false;
  }
  return reader.ok();
}

bool read_producer_event(std::string_view bytes, FetchedEvent& out) {
  return each_field(bytes, [&](const Field& field) {
    if (field.type != kLength) return true;
    if (field.number_of == 1) out.uuid = field.text;
    if (field.number_of == 2) out.schema_id = field.text;
    if (field.number_of == 3) out.payload = field.text;
    return true;
  });
}

bool read_consumer_event(std::string_view bytes, FetchedEvent& out) {
  return each_field(bytes, [&](const Field& field) {
    if (field.type != kLength) return true;
    if (field.number_of == 1) return read_producer_event(field.text, out);
    if (field.number_of == 2) out.replay_id = field.text;
    return true;
  });
}

}  // namespace

bool read_fetch_response(std::string_view bytes, Fetched& out) {
  out.events.clear();
  out.latest_replay_id = {};
  out.pending = 0;
  return each_field(bytes, [&](const Field& field) {
    if (field.number_of == 1 && field.type == kLength) {
      return read_consumer_event(field.text, out.events.emplace_back());
    }
    if (field.number_of == 2 && field.type == kLength) out.latest_replay_id = field.text;
    if (field.number_of == 4 && field.type == kVarint) {
      out.pending = static_cast<std::int32_t>(field.number);
    }
    return true;
  });
}

}  // namespace headwater::salesforce
