#include "tests/org/deployment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "tests/org/org.hpp"
#include "tests/org/text.hpp"

namespace headwater::org {
namespace {

using boost::json::object;

std::string text_of(const object& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  return std::string(value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                            : std::string_view());
}

const object* object_of(const object& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
}

bool set_flag(const object& body, std::string_view key, bool& flag) {
  const auto* value = body.if_contains(key);
  if (value == nullptr || !value->is_bool()) return false;
  flag = value->get_bool();
  return true;
}

/// A field as a line of the object table.
Result<std::string> line_of(const object& field) {
  const auto name = text_of(field, "name"), type = text_of(field, "type");
  const auto known = field_type(type);
  if (!name.ends_with("__c") || !known || is_compound(*known))
    return rejected(fmt::format("schema: no custom field {} of type {} can be made", name, type));
  bool formula = false;
  set_flag(field, "formula", formula);
  std::string out = fmt::format(" {}{} {}", formula ? "~" : "", name, type);
  const auto* targets = field.if_contains("refers_to");
  if (targets == nullptr || !targets->is_array()) return out;
  for (const auto& target : targets->get_array()) {
    if (!target.is_string()) return rejected("schema: refers_to: needs names");
    out += out.ends_with(type) ? ' ' : ',';
    out += std::string_view(target.get_string());
  }
  return out;
}

/// As far as one type's values can be told by another one; else null.
Value converted(FieldType from, FieldType to, const Value& value) {
  if (is_null(value)) return value;
  std::string text;
  if (const auto* was = std::get_if<std::string>(&value)) {
    text = *was;
  } else {
    append_rest_value(text, from, value);
    std::erase(text, '"');
  }
  if (avro_branch(to) == "string") return text;
  auto parsed = parse_literal(to, text);
  return parsed ? std::move(*parsed) : Value{};
}

Result<void> create(Org& org, const object& body) {
  const auto name = text_of(body, "create"), prefix = text_of(body, "prefix");
  if (!name.ends_with("__c") || prefix.size() != 3 || org.catalog().find(name) != nullptr)
    return rejected(fmt::format("schema: no object {} with prefix {} can be made", name, prefix));
  std::string table = fmt::format(
      "{} {}\n OwnerId ref Group,User\n Name text\n CreatedDate created\n CreatedById ref User\n"
      " LastModifiedDate datetime\n LastModifiedById ref User\n",
      name,
      prefix);
  const auto* fields = body.if_contains("fields");
  if (fields != nullptr && fields->is_array()) {
    for (const auto& field : fields->get_array()) {
      auto line = line_of(field.is_object() ? field.get_object() : object{});
      if (!line) return line.error();
      table += *line + "\n";
    }
  }
  table += " ~SystemModstamp datetime\n ~IsDeleted bool\n";
  org.catalog().add(table, [&] { org.store().adopt(*org.catalog().objects().back()); });
  return {};
}

FieldDef* added_field(ObjectDef& object, std::string_view name) {
  const auto at = std::ranges::find_if(object.fields, [name](const FieldDef& field) {
    return field.name == name && field.added && !field.gone;
  });
  return at == object.fields.end() ? nullptr : &*at;
}

/// Field-level security takes a field from the integration user, or gives it back.
Result<void> show(ObjectDef& object, std::string_view name, bool hidden) {
  const auto field = std::ranges::find_if(
      object.fields, [name](const FieldDef& it) { return it.name == name && !it.gone; });
  if (field == object.fields.end()) return rejected(fmt::format("schema: no field {}", name));
  field->hidden = hidden;
  return {};
}

/// What changes of an object's definition.
Result<void> alter(Org& org, ObjectDef& object, const boost::json::object& body) {
  if (set_flag(body, "deploying", object.deploying) || set_flag(body, "captured", object.captured))
    return {};
  if (const auto* field = object_of(body, "add")) {
    auto line = line_of(*field);
    if (!line) return line.error();
    if (object.find_leaf(text_of(*field, "name"))) return rejected("schema: it is there already");
    object.fields.push_back(org.catalog().field(*line));
    object.fields.back().added = true;
    set_flag(*field, "formula", object.fields.back().calculated);
    return {};
  }
  if (body.contains("hide")) return show(object, text_of(body, "hide"), true);
  if (body.contains("show")) return show(object, text_of(body, "show"), false);
  const auto* rename = object_of(body, "rename");
  const auto* retype = object_of(body, "retype");
  const auto name = rename != nullptr   ? text_of(*rename, "from")
                    : retype != nullptr ? text_of(*retype, "name")
                                        : text_of(body, "remove");
  auto* field = added_field(object, name);
  if (field == nullptr) return rejected("schema: no field was added as " + name);
  if (rename != nullptr) {
    const auto to = text_of(*rename, "to");
    if (!to.ends_with("__c") || object.find_leaf(to))
      return rejected("schema: no field can be named " + to);
    field->name = to;
  } else if (retype != nullptr) {
    const auto type = field_type(text_of(*retype, "type"));
    if (!type || is_compound(*type)) return rejected("schema: no field can be of that type");
    field->type = *type;
  } else {
    field->gone = true;
  }
  return {};
}

/// Formulas have another value from now on, which nothing tells.
Result<void> recalculate(Org& org, const ObjectDef& definition, const object& formula) {
  const auto leaf = definition.find_leaf(text_of(formula, "name"));
  if (!leaf) return rejected("schema: no field " + text_of(formula, "name"));
  auto value = parse_literal(definition.leaves[*leaf].type, text_of(formula, "value"));
  if (!value) return rejected("schema: the field cannot have that value");
  org.store().convert(definition, *leaf, [&](const Value&) { return *value; });
  return {};
}

}  // namespace

Result<void> deploy(Org& org, const object& body) {
  if (body.contains("create")) return create(org, body);
  const auto name = text_of(body, "object");
  if (org.catalog().find(name) == nullptr) return rejected("schema: no object " + name);
  if (const auto* formula = object_of(body, "recalculate"))
    return recalculate(org, org.catalog().get(name), *formula);
  Result<void> done;
  std::vector<FieldType> types;
  org.catalog().change(
      name,
      [&](ObjectDef& definition) {
        for (const auto& leaf : definition.leaves) types.push_back(leaf.type);
        done = alter(org, definition, body);
      },
      [&](const ObjectDef& definition) {
        org.store().adopt(definition);
        for (std::size_t i = 0; i < types.size(); ++i) {
          const auto to = definition.leaves[i].type;
          if (types[i] == to) continue;
          org.store().convert(
              definition, i, [&](const Value& value) { return converted(types[i], to, value); });
        }
      });
  return done;
}

}  // namespace headwater::org
