#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"

namespace headwater::avro {

// Bounds on a schema. It comes over the network, so every one of them is enforced while parsing.
inline constexpr std::size_t kSchemaBytesMax = 4u << 20;
inline constexpr std::size_t kSchemaDepthMax = 32;      ///< types inside types
inline constexpr std::size_t kSchemaFieldsMax = 4'000;  ///< of all records together
inline constexpr std::size_t kSchemaNodesMax = 20'000;

enum class Type : std::uint8_t {
  Null,
  Boolean,
  Int,
  Long,
  Float,
  Double,
  Bytes,
  String,  // primitives: node number = type number
  Record,
  Enum,
  Array,
  Map,
  Union,
  Fixed,
};
std::string_view to_string(Type type);

/// Place of a type in Schema::nodes.
using NodeId = std::uint16_t;

struct Field {
  std::string name;
  std::string doc;  ///< Salesforce's `<role>:<type>[:<field id>]`, or empty
  NodeId node = 0;
};

/// One type. A named type that is referred to by name is the same node in every place.
struct Node {
  Type type = Type::Null;
  std::string name;                   ///< full name of a record, enum or fixed
  std::vector<Field> fields;          ///< record
  std::vector<std::uint16_t> sorted;  ///< record: field numbers by the bytes of their names
  std::vector<std::uint16_t>
      wide;  ///< record: numbers of the fields that can take any bytes at all
  std::vector<std::string> symbols;  ///< enum
  std::vector<NodeId> parts;         ///< union: its branches; array, map: the type of the items
  std::size_t size = 0;              ///< fixed: bytes
  std::size_t least = 0;             ///< fewest bytes that a value takes
  bool widthless = false;  ///< every value takes no bytes: null, and records of nothing else
};

/// An Avro 1.x schema as a tree without cycles. All that Avro allows is taken, except what contains
/// itself: no change event does, and without cycles every walk is bounded by the schema.
struct Schema {
  std::vector<Node> nodes;
  NodeId root = 0;

  /// Rejected: not JSON, not a schema, beyond a bound. The message says which and where.
  static Result<Schema> parse(std::string_view json);

  const Node& at(NodeId id) const { return nodes[id]; }
};

}  // namespace headwater::avro
