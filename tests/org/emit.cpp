#include "tests/org/emit.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "schemas/core/json_members.hpp"
#include "tests/org/org.hpp"
#include "tests/org/relations.hpp"
#include "tests/org/text.hpp"

namespace headwater::org {
namespace {

std::vector<std::string> texts_of(const boost::json::object& object, std::string_view key) {
  std::vector<std::string> out;
  const auto* list = object.if_contains(key);
  if (list == nullptr || !list->is_array()) return out;
  for (const auto& item : list->get_array()) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

Result<std::vector<FieldValue>> fields_of(const ObjectDef& object,
                                          const boost::json::object& body) {
  std::vector<FieldValue> out;
  const auto* fields = body.if_contains("fields");
  if (fields == nullptr || !fields->is_object()) return out;
  for (const auto& [name, json] : fields->get_object()) {
    const auto leaf = object.find_leaf(std::string_view(name));
    if (!leaf)
      return rejected(fmt::format("emit: {} has no field {}", object.name, std::string_view(name)));
    auto value = parse_rest_value(object.leaves[*leaf].type, json);
    if (!value)
      return rejected(
          fmt::format("emit: field {}: {}", std::string_view(name), value.error().message));
    out.push_back({*leaf, std::move(*value)});
  }
  return out;
}

/// Nothing: no such op.
std::optional<DmlOp> op_of(std::string_view op) {
  if (op == "create") return DmlOp::Create;
  if (op == "update") return DmlOp::Update;
  if (op == "delete") return DmlOp::Delete;
  if (op == "undelete") return DmlOp::Undelete;
  if (op == "merge") return DmlOp::Merge;
  if (op == "empty_bin") return DmlOp::Purge;
  return std::nullopt;
}

Result<Dml> statement(Org& org, const boost::json::object& body) {
  Dml dml;
  dml.object = org.catalog().find(text_of(body, "object"));
  if (dml.object == nullptr)
    return rejected("emit: object: unknown '" + text_of(body, "object") + "'");
  const auto named = text_of(body, "op");
  const auto op = op_of(named);
  if (!op) {
    return rejected(
        "emit: op: needs create, update, delete, undelete, merge, empty_bin, convert, "
        "create_person or "
        "update_person, got '" +
        named + "'");
  }
  dml.op = *op;
  dml.ids = texts_of(body, "ids");
  if (const auto id = text_of(body, "id"); !id.empty()) dml.ids.push_back(id);
  if (dml.ids.empty() && dml.op != DmlOp::Create) return rejected("emit: ids: needs at least one");
  if (dml.ids.empty()) dml.ids.push_back(org.store().new_id(*dml.object));
  dml.silent = flag_of(body, "silent", false);
  dml.related = flag_of(body, "related", false);
  const auto children = text_of(body, "child_events", "usual");
  dml.children = children == "all"    ? ChildEvents::All
                 : children == "none" ? ChildEvents::None
                                      : ChildEvents::Usual;
  dml.into = text_of(body, "into");
  auto fields = fields_of(*dml.object, body);
  if (!fields) return fields.error();
  dml.fields = std::move(*fields);
  return dml;
}

/// One statement, or those that it is made of.
Result<void> add_statements(Org& org, const boost::json::object& body, std::vector<Dml>& out) {
  const auto op = text_of(body, "op");
  const auto add = [&](const std::vector<Dml>& more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  if (op == "convert") {
    const auto lead =
        convert_lead(org.store(), text_of(body, "id"), flag_of(body, "opportunity", true));
    if (lead.empty()) return rejected("emit: id: no such lead");
    add(lead);
  } else if (op == "create_person" || op == "update_person") {
    auto fields = fields_of(org.catalog().get("Account"), body);
    if (!fields) return fields.error();
    add(op == "create_person"
            ? create_person(org.store(), std::move(*fields))
            : update_person(org.store(), text_of(body, "id"), std::move(*fields)));
  } else {
    auto dml = statement(org, body);
    if (!dml) return dml.error();
    out.push_back(std::move(*dml));
  }
  return {};
}

Author author_of(const boost::json::object& body) {
  return {text_of(body, "user"),
          text_of(body, "origin", "com/salesforce/api/rest/67.0;client=control")};
}

Result<std::string> commit(Org& org, const std::vector<Dml>& statements, const Author& author) {
  const auto done = org.store().commit(statements, author);
  if (!done) return done.error();
  boost::json::array ids;
  for (const auto& dml : statements) {
    for (const auto& id : dml.ids) ids.push_back(boost::json::value(id));
  }
  return boost::json::serialize(boost::json::object{{"ids", ids},
                                                    {"transaction_key", done->transaction_key},
                                                    {"commit_number", done->commit_number},
                                                    {"commit_timestamp", done->commit_timestamp},
                                                    {"events", done->events}});
}

std::optional<std::string> from_hex(std::string_view hex) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

/// An event that no commit produces: gaps, wildcards, events whose bytes or schema id are wrong.
Result<std::string> raw_event(Org& org, const boost::json::object& body) {
  const auto* object = org.catalog().find(text_of(body, "object"));
  if (object == nullptr) return rejected("emit: object: unknown '" + text_of(body, "object") + "'");
  auto schema = text_of(body, "schema_id", object->schema_id);
  if (const auto* named = org.catalog().find(schema)) schema = named->schema_id;
  NewEvent event{object, std::move(schema), {}};
  auto header = org.store().new_header(author_of(body));
  if (body.contains("payload_hex")) {
    auto bytes = from_hex(text_of(body, "payload_hex"));
    if (!bytes) return rejected("emit: payload_hex: not pairs of hex digits");
    event.payload = std::move(*bytes);
  } else {
    const auto type = parse_change_type(text_of(body, "change_type", "UPDATE"));
    if (!type) return rejected("emit: change_type: unknown");
    auto fields = fields_of(*object, body);
    if (!fields) return fields.error();
    header.entity = object->name;
    header.type = *type;
    header.record_ids = texts_of(body, "record_ids");
    LeafSet shown(object->leaves.size());
    LeafSet nulled(object->leaves.size());
    std::vector<Value> values(object->leaves.size());
    for (auto& field : *fields) {
      shown[field.leaf] = true;
      nulled[field.leaf] = is_null(field.value);
      values[field.leaf] = std::move(field.value);
    }
    // Only an update lists its fields; a full image or a gap has empty lists.
    if (*type == ChangeType::Update) {
      header.changed = bitmaps(*object, shown);
      header.nulled = bitmaps(*object, nulled);
    }
    if (body.contains("changed_fields")) header.changed = texts_of(body, "changed_fields");
    if (body.contains("nulled_fields")) header.nulled = texts_of(body, "nulled_fields");
    header.diff = texts_of(body, "diff_fields");
    encode_header(event.payload, header);
    encode_body(event.payload, *object, values, shown);
  }
  std::vector<NewEvent> events{std::move(event)};
  org.bus().publish(events);
  return boost::json::serialize(boost::json::object{{"transaction_key", header.transaction_key},
                                                    {"commit_number", header.commit_number},
                                                    {"commit_timestamp", header.commit_timestamp},
                                                    {"events", 1}});
}

}  // namespace

Result<std::string> emit(Org& org, const boost::json::object& body) {
  if (const auto* raw = body.if_contains("raw")) {
    if (!raw->is_object()) return rejected("emit: raw: needs an object");
    return raw_event(org, raw->get_object());
  }
  std::vector<Dml> statements;
  if (const auto* list = body.if_contains("statements")) {
    if (!list->is_array()) return rejected("emit: statements: needs a list");
    for (const auto& item : list->get_array()) {
      if (!item.is_object()) return rejected("emit: statements: needs objects");
      if (auto ok = add_statements(org, item.get_object(), statements); !ok) return ok.error();
    }
  } else if (auto ok = add_statements(org, body, statements); !ok) {
    return ok.error();
  }
  return commit(org, statements, author_of(body));
}

}  // namespace headwater::org
