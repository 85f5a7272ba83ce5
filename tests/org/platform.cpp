#include "tests/org/platform.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "schemas/core/bytes.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/json_members.hpp"
#include "tests/org/avro_encode.hpp"
#include "tests/org/grpc_error.hpp"
#include "tests/org/store.hpp"
#include "tests/org/text.hpp"

namespace headwater::org {
namespace {

// The field types that platform events allow (Platform Events guide, "Platform Event Fields").
constexpr std::string_view kTable = R"(Order_Event__e e00
  CreatedDate created
  CreatedById ref User
  Order_Number__c text
  Sequence__c double
  Placed_At__c datetime
  Due_Date__c date
  Rush__c bool
  Note__c longtext
Stock_Alert__e e01 standard
  CreatedDate created
  CreatedById ref User
  Sku__c text
  Quantity__c double
  Urgent__c bool
)";

/// Most events that one call of the control port makes.
constexpr std::int64_t kMadeMax = 1'000'000;

bool skip_value(ByteReader& reader, std::string_view avro) {
  if (avro == "string") {
    const auto size = reader.signed_varint();
    reader.take(size < 0 ? reader.left() + 1 : static_cast<std::uint64_t>(size));
  } else if (avro == "double") {
    reader.take(8);
  } else if (avro == "boolean") {
    if (reader.byte() > 1) return false;
  } else {
    reader.signed_varint();
  }
  return reader.ok();
}

}  // namespace

bool fits_schema(const ObjectDef& event, std::string_view payload) {
  ByteReader reader(payload);
  for (const auto& field : event.event_fields) {
    const auto& definition = event.fields[field.field];
    if (!is_set_by_org(definition)) {
      const auto branch = reader.signed_varint();
      if (branch != 0 && branch != 1) return false;
      if (branch == 0) continue;
    }
    if (!skip_value(reader, avro_branch(definition.type))) return false;
  }
  return reader.ok() && reader.done();
}

PlatformEvents::PlatformEvents(Millis retention, Millis standard_retention)
    : catalog_(kTable), high_(retention), standard_(standard_retention) {}

const ObjectDef* PlatformEvents::find_topic(std::string_view topic) const {
  for (const auto& event : catalog_.objects()) {
    if (event->topic() == topic) return event.get();
  }
  return nullptr;
}

std::vector<PlatformEvents::Published> PlatformEvents::publish(const ObjectDef& event,
                                                               std::span<const Draft> drafts) {
  std::vector<Published> out;
  std::vector<NewEvent> events;
  for (const Draft& draft : drafts) {
    Published& result = out.emplace_back();
    if (draft.schema_id != event.schema_id) {
      result.refused =
          fmt::format("The schema ID {} is not one of {}.", draft.schema_id, event.name);
    } else if (draft.payload.size() > kEventBytesMax) {
      result.refused = fmt::format("The event message is larger than {} bytes.", kEventBytesMax);
    } else if (!fits_schema(event, draft.payload)) {
      result.refused = "The payload could not be decoded with the schema.";
    } else {
      events.push_back({&event,
                        event.schema_id,
                        std::string(draft.payload),
                        draft.id.empty() ? new_rpc_id() : std::string(draft.id)});
    }
  }
  const auto replays = bus_of(event).publish(events);
  std::size_t next = 0;
  for (Published& result : out) {
    if (result.refused.empty()) put_replay(result.replay_id, replays[next++]);
  }
  return out;
}

Result<std::string> PlatformEvents::encode(const ObjectDef& event,
                                           const boost::json::object& fields,
                                           std::int64_t number) const {
  std::vector<Value> values(event.leaves.size());
  values[event.leaf("CreatedDate")] = Value(clock_.now_ms());
  values[event.leaf("CreatedById")] = Value(Store::integration_user());
  for (const auto& [name, json] : fields) {
    const auto leaf = event.find_leaf(std::string_view(name));
    if (!leaf) {
      return rejected(
          fmt::format("publish: {} has no field {}", event.name, std::string_view(name)));
    }
    // `#` stands for the event's number, so that one call makes events that can be told apart.
    const auto& type = event.leaves[*leaf].type;
    auto value = json.is_string() && json.get_string() == "#"
                     ? Result<Value>(type == FieldType::Double ? Value(static_cast<double>(number))
                                                               : Value(std::to_string(number)))
                     : parse_rest_value(type, json);
    if (!value) {
      return rejected(
          fmt::format("publish: field {}: {}", std::string_view(name), value.error().message));
    }
    values[*leaf] = std::move(*value);
  }
  std::string out;
  encode_platform_event(out, event, values);
  return out;
}

Result<std::string> PlatformEvents::publish(const boost::json::object& body) {
  const auto* event = catalog_.find(text_of(body, "event"));
  if (event == nullptr) return rejected("publish: event: unknown '" + text_of(body, "event") + "'");
  const auto number = [&](std::string_view key, std::int64_t otherwise) {
    const auto* value = body.if_contains(key);
    return value != nullptr && value->is_int64() ? value->get_int64() : otherwise;
  };
  const std::int64_t count = number("count", 1), first = number("first", 0);
  if (count < 1 || count > kMadeMax)
    return rejected(fmt::format("publish: count: needs 1 to {}", kMadeMax));
  const auto* given = body.if_contains("fields");
  const auto fields =
      given != nullptr && given->is_object() ? given->get_object() : boost::json::object{};
  std::vector<NewEvent> events;
  for (std::int64_t i = 0; i < count; ++i) {
    auto payload = encode(*event, fields, first + i);
    if (!payload) return payload.error();
    NewEvent made{event, event->schema_id, std::move(*payload), new_rpc_id()};
    if (const auto uuid = text_of(body, "uuid"); !uuid.empty()) made.uuid = uuid;
    if (flag_of(body, "garbled")) made.payload.resize(made.payload.size() / 2);
    events.push_back(made);
    // At least once: a duplicate has the same EventUuid, and a replay id of its own.
    if (flag_of(body, "twice")) events.push_back(std::move(made));
  }
  const auto replays = bus_of(*event).publish(events);
  std::string last;
  put_replay(last, replays.back());
  return boost::json::serialize(boost::json::object{{"events", events.size()},
                                                    {"last_replay_id", to_hex(last)},
                                                    {"schema_id", event->schema_id}});
}

void PlatformEvents::drop_all() {
  for (Bus* bus : buses_) bus->drop_all();
}

}  // namespace headwater::org
