#include "config/mapping_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "config/mapping_places.hpp"
#include "config/mapping_sections.hpp"
#include "config/text_file.hpp"
#include "schemas/core/sha256.hpp"
#include "schemas/crm/expression.hpp"

namespace headwater::config {
namespace {

using crm::EntityMapping;
using crm::FieldMapping;
using crm::FieldType;

constexpr std::pair<std::string_view, FieldType> kTypes[] = {
    {"text", FieldType::Text},
    {"bool", FieldType::Bool},
    {"int", FieldType::Int},
    {"decimal", FieldType::Decimal},
    {"date", FieldType::Date},
    {"timestamp", FieldType::Timestamp},
    {"time", FieldType::Time},
    {"ref", FieldType::Ref},
    {"text[]", FieldType::TextArray},
    {"email", FieldType::Email},
    {"phone", FieldType::Phone},
    {"url", FieldType::Url},
    {"address", FieldType::Address},
    {"geo", FieldType::Geo},
    {"json", FieldType::Json},
    {"enum", FieldType::Enum},
};

/// Keys of the record's head: no field may take them.
constexpr std::string_view kHeadNames[] = {
    "key", "org", "object", "id", "entity", "bu", "customer", "meta"};

std::string type_name(FieldType type) {
  const auto at = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& known) {
    return known.second == type;
  });
  return std::string(at->first);
}

FieldType type_of(std::string_view name) {
  const auto at = std::find_if(
      std::begin(kTypes), std::end(kTypes), [&](const auto& known) { return known.first == name; });
  return at->second;
}

bool is_snake_case(std::string_view name) {
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), part);
}

/// Salesforce's names, and relations named after them.
bool is_api_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto part = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), part);
}

FieldMapping* find_field(EntityMapping& entity, std::string_view name) {
  const auto at = std::find_if(entity.fields.begin(), entity.fields.end(), [&](const auto& field) {
    return field.name == name;
  });
  return at == entity.fields.end() ? nullptr : &*at;
}

/// One load: the built-in file, then those on top of it.
class Loader {
 public:
  /// `tables` name what the build adds to the files.
  explicit Loader(std::string_view tables) : source_(fmt::format("{}\n", tables)) {}

  void read(const MappingText& file, bool builtin, Problems& problems);
  std::shared_ptr<const crm::Mapping> build() &&;

 private:
  void read_entity(Node& parent, const std::string& key, bool custom);
  std::string object_of(Node& node, const std::string& key, bool custom);
  void read_fields(Node node, EntityMapping& out);
  FieldMapping read_field(Node node, const std::string& name, const FieldMapping* replaced);
  void read_relations(Node node, EntityMapping& out);
  void read_sort(Node& node, EntityMapping& out);
  FieldMapping* builtin_field(const EntityMapping& entity, std::string_view name);

  Places* places_ = nullptr;  // of the file at hand
  std::string file_;
  bool builtin_ = false;
  EntityMapping common_;
  std::map<std::string, EntityMapping> builtins_;  // by entity
  std::map<std::string, EntityMapping> entities_;  // by object
  std::map<std::string, std::string> mapped_in_;   // object -> file on top that maps it
  OrgBlocks orgs_;
  std::int64_t builtin_rev_ = 0, own_rev_ = 0;
  std::string source_;  // tables, then each file's size and text
};

void Loader::read(const MappingText& file, bool builtin, Problems& problems) {
  Places places(file.text);
  places_ = &places;
  builtin_ = builtin;
  file_ = file.name;
  Node root = Node::parse(file.name, file.text, places.problems());
  if (!root.has("version")) root.problem("version", "is required: this build reads version 1");
  root.integer("version", 1, 1, 1);
  if (!root.has("mapping_rev")) {
    root.problem("mapping_rev", "is required: a number that grows with every edit");
  }
  const auto rev = root.integer("mapping_rev", 1, 1, 0xffff'ffff);
  std::int64_t& kept_rev = builtin ? builtin_rev_ : own_rev_;
  kept_rev = std::max(kept_rev, rev);
  read_orgs(root, orgs_);
  check_bu_rules(root, places);
  if (builtin) read_fields(root.child("common").child("fields"), common_);
  for (const bool custom : {false, true}) {
    Node section = root.child(custom ? "custom" : "entities");
    for (const auto& key : section.keys()) read_entity(section, key, custom);
  }
  check_pii(root);
  check_identity(root);
  root.finish();
  for (auto& problem : places.placed()) problems.add(std::move(problem));
  places_ = nullptr;
  source_ += fmt::format("{}\n{}\n", file.text.size(), file.text);
}

std::string Loader::object_of(Node& node, const std::string& key, bool custom) {
  if (!custom) return node.text("object");
  const std::string entity = node.text("entity", "custom:" + key);
  if (entity != "custom:" + key) node.problem("entity", "must be custom:" + key);
  return key;
}

void Loader::read_entity(Node& parent, const std::string& key, bool custom) {
  Node node = parent.child(key);
  EntityMapping out;
  const auto base = builtins_.find(key);
  if (node.one_of("base", "", {"builtin"}) == "builtin") {
    if (base == builtins_.end()) {
      node.problem("base", fmt::format("there is no built-in entity {}", key));
    } else {
      out = base->second;
    }
  }
  const std::string object = object_of(node, key, custom);
  if (!custom && !is_snake_case(key)) {
    parent.problem(key, "an entity's name has a-z, 0-9 and _, and starts with a letter");
  }
  if (!object.empty() && !is_api_name(object)) node.problem("object", "is not an API name");
  if (base != builtins_.end() && base->second.object != object) {
    node.problem("object", fmt::format("must be {}: {} is built in", base->second.object, key));
  }
  const auto other = entities_.find(object);
  const std::string entity = custom ? "custom:" + key : key;
  if (other != entities_.end() && other->second.entity != entity) {
    parent.problem(key, fmt::format("{} is the entity {} already", object, other->second.entity));
  }
  if (!builtin_) {
    const auto [at, first] = mapped_in_.try_emplace(object, file_);
    if (!first) parent.problem(key, fmt::format("{} is mapped in {} already", object, at->second));
  }
  out.entity = entity;
  out.object = object;
  read_fields(node.child("fields"), out);
  read_relations(node.child("relations"), out);
  if (node.has("drop_extra")) out.drop_extra = node.texts("drop_extra");
  read_sort(node, out);
  check_validation(node, *places_);
  if (builtin_) builtins_[key] = out;
  entities_[object] = std::move(out);
}

/// The built-in field of that name, common ones included: its column keeps its type.
FieldMapping* Loader::builtin_field(const EntityMapping& entity, std::string_view name) {
  const auto at = builtins_.find(entity.entity);
  FieldMapping* own = at == builtins_.end() ? nullptr : find_field(at->second, name);
  return own != nullptr ? own : find_field(common_, name);
}

void Loader::read_fields(Node node, EntityMapping& out) {
  for (const auto& name : node.keys()) {
    if (!is_snake_case(name)) {
      node.problem(name, "a field's name has a-z, 0-9 and _, and starts with a letter");
    }
    if (std::find(std::begin(kHeadNames), std::end(kHeadNames), name) != std::end(kHeadNames)) {
      node.problem(name,
                   fmt::format("{} stands in every record's head: name the field otherwise", name));
    }
    FieldMapping field = read_field(node.child(name), name, builtin_field(out, name));
    if (FieldMapping* replaced = find_field(out, name)) {
      *replaced = std::move(field);
    } else {
      out.fields.push_back(std::move(field));
    }
  }
}

FieldMapping Loader::read_field(Node node, const std::string& name, const FieldMapping* replaced) {
  static const std::vector<std::string> kTypeNames = [] {
    std::vector<std::string> names;
    for (const auto& [known, type] : kTypes) names.emplace_back(known);
    return names;
  }();
  FieldMapping out;
  out.name = name;
  out.expr = std::make_shared<const crm::Expression>(read_expression(node, "expr", *places_));
  const std::string usual = type_name(replaced != nullptr ? replaced->type : FieldType::Text);
  out.type = type_of(node.one_of("type", usual, kTypeNames));
  if (replaced != nullptr && replaced->builtin && !builtin_ && out.type != replaced->type) {
    node.problem("type",
                 fmt::format("must be {}: the column of a built-in field keeps its type", usual));
  }
  out.values = node.texts("values");
  if (replaced != nullptr && out.values.empty()) out.values = replaced->values;
  if (out.type == FieldType::Enum && out.values.empty()) {
    node.problem("values", "is required: the values that the enum allows");
  }
  if (out.type != FieldType::Enum && node.has("values"))
    node.problem("values", "fits type enum only");
  out.unit = node.one_of("unit", "", {"currency", "percent"});
  out.required = node.boolean("required", false);
  out.derived = node.boolean("derived", false);
  out.pii = node.one_of(
      "pii", "", {"email", "phone", "name", "address", "birthdate", "gov_id", "free_text", "none"});
  out.column = node.boolean("column", false);
  out.index = node.boolean("index", false);
  out.builtin = builtin_ || (replaced != nullptr && replaced->builtin);
  return out;
}

void Loader::read_relations(Node node, EntityMapping& out) {
  for (const auto& name : node.keys()) {
    if (!is_api_name(name)) {
      node.problem(name, "a relation's name has letters, digits and _, and starts with a letter");
    }
    Node relation = node.child(name);
    const auto path = read_expression(relation, "from", *places_);
    if (!path.is_bare() && !path.paths().empty()) {
      relation.problem("from", "must be a field, as in Account__c");
    }
    crm::RelationMapping read{name, path.root().text, relation.text("section", "")};
    const auto at = std::find_if(out.relations.begin(),
                                 out.relations.end(),
                                 [&](const auto& known) { return known.name == name; });
    if (at != out.relations.end()) {
      *at = std::move(read);
    } else {
      out.relations.push_back(std::move(read));
    }
  }
}

void Loader::read_sort(Node& node, EntityMapping& out) {
  if (!node.has("sort")) return;
  out.sort = node.text("sort");
  const FieldMapping* field = find_field(out, out.sort);
  if (field == nullptr) field = find_field(common_, out.sort);
  if (field == nullptr) {
    node.problem("sort", fmt::format("the entity has no field {}", out.sort));
  } else if (field->type != FieldType::Date && field->type != FieldType::Timestamp) {
    node.problem("sort", "must be a field of type date or timestamp");
  }
}

std::shared_ptr<const crm::Mapping> Loader::build() && {
  std::vector<EntityMapping> entities;
  for (auto& [object, entity] : entities_) entities.push_back(std::move(entity));
  const auto rev = static_cast<std::uint32_t>(own_rev_ != 0 ? own_rev_ : builtin_rev_);
  std::string digest = sha256_hex(source_);  // before the source moves away
  return crm::Mapping::build(std::move(entities),
                             std::move(common_),
                             rev,
                             std::move(digest),
                             std::move(source_),
                             std::move(orgs_));
}

std::shared_ptr<const crm::Mapping> parse_all(std::string_view tables,
                                              const std::string& builtin,
                                              const std::vector<MappingText>& files,
                                              Problems& problems) {
  const std::size_t before = problems.list().size();
  Loader loader(tables);
  loader.read({"builtin.yaml", builtin}, true, problems);
  for (const auto& file : files) loader.read(file, false, problems);
  if (problems.list().size() != before) return nullptr;
  return std::move(loader).build();
}

}  // namespace

std::shared_ptr<const crm::Mapping> parse_mapping(const std::vector<MappingText>& files,
                                                  Problems& problems) {
  return parse_all(crm::projection_tables(), std::string(crm::builtin_yaml()), files, problems);
}

Result<std::shared_ptr<const crm::Mapping>> read_mapping(const std::string& source) {
  const auto broken = rejected("mapping: the kept text is not what a mapping's source looks like");
  std::string_view rest = source;
  const auto line = [&] {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view out = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return out;
  };
  const std::string tables(line());
  std::vector<MappingText> files;
  while (!rest.empty()) {
    const std::string_view digits = line();
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (error != std::errc{} || size >= rest.size() || rest[size] != '\n') return broken;
    files.push_back(
        {fmt::format("mapping file {}", files.size()), std::string(rest.substr(0, size))});
    rest.remove_prefix(size + 1);
  }
  if (files.empty()) return broken;
  const std::string builtin = std::move(files.front().text);
  files.erase(files.begin());
  Problems problems;
  auto mapping = parse_all(tables, builtin, files, problems);
  if (!mapping) {
    const std::string all = problems.str();
    return rejected("mapping: this build cannot read the kept text any more: " +
                    all.substr(0, all.find('\n')));
  }
  return mapping;
}

std::shared_ptr<const crm::Mapping> load_mapping(const std::vector<std::string>& paths,
                                                 Problems& problems) {
  std::vector<MappingText> files;
  bool all = true;
  for (const auto& path : paths) {
    if (auto text = read_text_file(path, problems)) {
      files.push_back({path, std::move(*text)});
    } else {
      all = false;
    }
  }
  auto mapping = parse_mapping(files, problems);
  return all ? mapping : nullptr;
}

}  // namespace headwater::config
