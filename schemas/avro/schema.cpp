#include "schemas/avro/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>

namespace headwater::avro {
namespace {

namespace json = boost::json;

constexpr std::size_t kPrimitives = 8;
constexpr std::string_view kTypeNames[] = {"null",
                                           "boolean",
                                           "int",
                                           "long",
                                           "float",
                                           "double",
                                           "bytes",
                                           "string",
                                           "record",
                                           "enum",
                                           "array",
                                           "map",
                                           "union",
                                           "fixed"};
constexpr std::size_t kJsonDepthMax = 4 * kSchemaDepthMax;  // one type takes up to three levels

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

Error refuse(std::string what) {
  return rejected("avro: cannot use the schema: " + std::move(what));
}

std::size_t add_sizes(std::size_t a, std::size_t b) {
  return a > std::numeric_limits<std::size_t>::max() - b ? std::numeric_limits<std::size_t>::max()
                                                         : a + b;
}

/// Text of a member, nothing if it is missing or not a string.
std::optional<std::string_view> text_of(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains({key.data(), key.size()});
  if (!found || !found->is_string()) return std::nullopt;
  return view(found->get_string());
}

class Parser {
 public:
  Parser() {
    for (std::size_t i = 0; i < kPrimitives; ++i) {
      Node node;
      node.type = static_cast<Type>(i);
      node.widthless = node.type == Type::Null;
      node.least = node.widthless              ? 0
                   : node.type == Type::Double ? 8
                   : node.type == Type::Float  ? 4
                                               : 1;
      nodes_.push_back(std::move(node));
    }
  }

  Result<Schema> run(const json::value& document) {
    auto root = parse(document, "", 0);
    if (!root) return std::move(root).error();
    return Schema{std::move(nodes_), *root};
  }

 private:
  // `space` is the namespace of the nearest named type around.
  Result<NodeId> parse(const json::value& value, std::string_view space, std::size_t depth) {
    if (depth > kSchemaDepthMax) {
      return refuse(fmt::format("types are nested deeper than {}", kSchemaDepthMax));
    }
    if (value.is_string()) return reference(view(value.get_string()), space);
    if (value.is_array()) return parse_union(value.get_array(), space, depth);
    if (value.is_object()) return parse_object(value.get_object(), space, depth);
    return refuse("a type is neither a name, a list nor an object");
  }

  Result<NodeId> reference(std::string_view name, std::string_view space) {
    if (const auto primitive = find_primitive(name)) return *primitive;
    const bool full = name.find('.') != std::string_view::npos;
    auto found =
        full || space.empty() ? named_.end() : named_.find(fmt::format("{}.{}", space, name));
    if (found == named_.end()) found = named_.find(std::string(name));
    if (found == named_.end()) {
      return refuse(fmt::format("type \"{}\" is used but not defined before", name));
    }
    if (!found->second) return refuse(fmt::format("type \"{}\" contains itself", found->first));
    return *found->second;
  }

  static std::optional<NodeId> find_primitive(std::string_view name) {
    for (std::size_t i = 0; i < kPrimitives; ++i) {
      if (kTypeNames[i] == name) return static_cast<NodeId>(i);
    }
    return std::nullopt;
  }

  Result<NodeId> parse_object(const json::object& object,
                              std::string_view space,
                              std::size_t depth) {
    const auto* type = object.if_contains("type");
    if (!type) return refuse("a type object has no \"type\"");
    if (!type->is_string()) return parse(*type, space, depth + 1);
    const auto name = view(type->get_string());
    if (name == "record" || name == "error") return parse_record(object, space, depth);
    if (name == "enum") return parse_enum(object, space);
    if (name == "fixed") return parse_fixed(object, space);
    if (name == "array") return parse_items(object, "items", Type::Array, space, depth);
    if (name == "map") return parse_items(object, "values", Type::Map, space, depth);
    return reference(name, space);
  }

  Result<NodeId> add(Node node) {
    if (nodes_.size() >= kSchemaNodesMax) {
      return refuse(fmt::format("it has more than {} types", kSchemaNodesMax));
    }
    nodes_.push_back(std::move(node));
    return static_cast<NodeId>(nodes_.size() - 1);
  }

  /// Full name of a type being defined; reserves it, so that a second definition is refused.
  Result<std::string> define(const json::object& object, std::string_view space) {
    const auto name = text_of(object, "name");
    if (!name || name->empty()) return refuse("a record, enum or fixed has no name");
    std::string full(*name);
    if (name->find('.') == std::string_view::npos) {
      const auto own = text_of(object, "namespace").value_or(space);
      if (!own.empty()) full = fmt::format("{}.{}", own, *name);
    }
    if (find_primitive(full))
      return refuse(fmt::format("\"{}\" names a primitive type anew", full));
    if (!named_.emplace(full, std::nullopt).second) {
      return refuse(fmt::format("type \"{}\" is defined twice", full));
    }
    return full;
  }

  Result<NodeId> parse_record(const json::object& object,
                              std::string_view space,
                              std::size_t depth) {
    auto full = define(object, space);
    if (!full) return std::move(full).error();
    const auto dot = full->rfind('.');
    const std::string inner = dot == std::string::npos ? "" : full->substr(0, dot);
    const auto* fields = object.if_contains("fields");
    if (!fields || !fields->is_array())
      return refuse(fmt::format("record \"{}\" has no fields", *full));
    Node node;
    node.type = Type::Record;
    node.name = *full;
    for (const auto& item : fields->get_array()) {
      auto field = parse_field(item, *full, inner, depth);
      if (!field) return std::move(field).error();
      node.fields.push_back(*std::move(field));
    }
    if (auto done = finish_record(node); !done) return std::move(done).error();
    auto id = add(std::move(node));
    if (id) named_[*full] = *id;
    return id;
  }

  Result<Field> parse_field(const json::value& item,
                            const std::string& record,
                            std::string_view space,
                            std::size_t depth) {
    if (++fields_ > kSchemaFieldsMax) {
      return refuse(fmt::format("its records have more than {} fields", kSchemaFieldsMax));
    }
    const auto* object = item.if_object();
    const auto name = object ? text_of(*object, "name") : std::nullopt;
    if (!name || name->empty()) return refuse(fmt::format("a field of \"{}\" has no name", record));
    const auto* type = object->if_contains("type");
    if (!type) return refuse(fmt::format("field \"{}\" of \"{}\" has no type", *name, record));
    auto node = parse(*type, space, depth + 1);
    if (!node) return std::move(node).error();
    return Field{std::string(*name), std::string(text_of(*object, "doc").value_or("")), *node};
  }

  Result<void> finish_record(Node& node) {
    node.sorted.resize(node.fields.size());
    std::iota(node.sorted.begin(), node.sorted.end(), std::uint16_t{0});
    std::sort(node.sorted.begin(), node.sorted.end(), [&](auto a, auto b) {
      return node.fields[a].name < node.fields[b].name;
    });
    for (std::size_t i = 1; i < node.sorted.size(); ++i) {
      const auto& name = node.fields[node.sorted[i]].name;
      if (name == node.fields[node.sorted[i - 1]].name) {
        return refuse(fmt::format("record \"{}\" has field \"{}\" twice", node.name, name));
      }
    }
    for (std::size_t i = 0; i < node.fields.size(); ++i) {
      const Node& part = nodes_[node.fields[i].node];
      node.least = add_sizes(node.least, part.least);
      if (!part.widthless) node.wide.push_back(static_cast<std::uint16_t>(i));
    }
    node.widthless = node.wide.empty();
    return {};
  }

  Result<NodeId> parse_enum(const json::object& object, std::string_view space) {
    auto full = define(object, space);
    if (!full) return std::move(full).error();
    const auto* symbols = object.if_contains("symbols");
    if (!symbols || !symbols->is_array() || symbols->get_array().empty()) {
      return refuse(fmt::format("enum \"{}\" has no symbols", *full));
    }
    Node node;
    node.type = Type::Enum;
    node.name = *full;
    node.least = 1;
    std::set<std::string_view> seen;
    for (const auto& symbol : symbols->get_array()) {
      if (!symbol.is_string())
        return refuse(fmt::format("a symbol of \"{}\" is not a string", *full));
      const auto text = view(symbol.get_string());
      if (!seen.insert(text).second) {
        return refuse(fmt::format("enum \"{}\" has a symbol twice: \"{}\"", *full, text));
      }
      node.symbols.emplace_back(text);
    }
    auto id = add(std::move(node));
    if (id) named_[*full] = *id;
    return id;
  }

  Result<NodeId> parse_fixed(const json::object& object, std::string_view space) {
    auto full = define(object, space);
    if (!full) return std::move(full).error();
    const auto* size = object.if_contains("size");
    const auto* bytes = size ? size->if_int64() : nullptr;
    if (!bytes || *bytes <= 0 || *bytes > static_cast<std::int64_t>(kSchemaBytesMax)) {
      return refuse(
          fmt::format("the size of fixed \"{}\" is not between 1 and {}", *full, kSchemaBytesMax));
    }
    Node node;
    node.type = Type::Fixed;
    node.name = *full;
    node.size = node.least = static_cast<std::size_t>(*bytes);
    auto id = add(std::move(node));
    if (id) named_[*full] = *id;
    return id;
  }

  Result<NodeId> parse_items(const json::object& object,
                             std::string_view key,
                             Type type,
                             std::string_view space,
                             std::size_t depth) {
    const auto* items = object.if_contains({key.data(), key.size()});
    if (!items) return refuse(fmt::format("a {} has no \"{}\"", to_string(type), key));
    auto part = parse(*items, space, depth + 1);
    if (!part) return std::move(part).error();
    Node node;
    node.type = type;
    node.least = 1;
    node.parts = {*part};
    return add(std::move(node));
  }

  Result<NodeId> parse_union(const json::array& branches,
                             std::string_view space,
                             std::size_t depth) {
    if (branches.empty()) return refuse("a union has no branches");
    Node node;
    node.type = Type::Union;
    node.least = std::numeric_limits<std::size_t>::max();
    std::set<std::string> seen;  // at most one branch of each kind; named types: of each name
    for (const auto& branch : branches) {
      auto part = parse(branch, space, depth + 1);
      if (!part) return std::move(part).error();
      const Node& of = nodes_[*part];
      if (of.type == Type::Union) return refuse("a union has a union as its branch");
      const std::string kind = of.name.empty() ? std::string(to_string(of.type)) : of.name;
      if (!seen.insert(kind).second) return refuse(fmt::format("a union has {} twice", kind));
      node.parts.push_back(*part);
      node.least = std::min(node.least, of.least);
    }
    node.least = add_sizes(node.least, 1);
    return add(std::move(node));
  }

  std::vector<Node> nodes_;
  std::unordered_map<std::string, std::optional<NodeId>> named_;  // nothing: being defined
  std::size_t fields_ = 0;
};

}  // namespace

std::string_view to_string(Type type) { return kTypeNames[static_cast<std::size_t>(type)]; }

Result<Schema> Schema::parse(std::string_view text) {
  if (text.size() > kSchemaBytesMax) {
    return refuse(
        fmt::format("it has {} bytes, at most {} are taken", text.size(), kSchemaBytesMax));
  }
  json::monotonic_resource arena;
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::error_code code;
  const auto document = json::parse({text.data(), text.size()}, code, &arena, options);
  if (code) return refuse("it is not JSON: " + code.message());
  return Parser().run(document);
}

}  // namespace headwater::avro
