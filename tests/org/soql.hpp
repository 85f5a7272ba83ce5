#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"
#include "tests/org/store.hpp"

namespace headwater::org {

/// A field as REST clients name it.
struct RestField {
  enum class Kind : std::uint8_t { Id, Leaf, JoinedName, Compound };
  Kind kind = Kind::Leaf;
  std::string name;
  std::size_t leaf = 0;   ///< Leaf
  std::size_t field = 0;  ///< Compound: index into ObjectDef::fields
  FieldType type = FieldType::Text;
};
/// Nothing if the object has no such field.
std::optional<RestField> find_rest_field(const ObjectDef& object, std::string_view name);
/// The value that conditions and orders look at. REQUIRES: not a compound.
Value rest_field_value(const ObjectDef& object, const Record& record, const RestField& field);

/// The SOQL that this org understands: SELECT fields | count() FROM X [WHERE c AND …] [ORDER BY f
/// [DESC], …] [LIMIT n], with c one of `f op literal` (= != < <= > >=), `f [NOT] IN (…)` and `(c
/// AND …)`. Text compares byte by byte.
struct Query {
  struct Condition {
    RestField field;
    std::string op;  ///< upper case; IN, NOT IN
    std::vector<Value> values;
  };
  struct Order {
    RestField field;
    bool descending = false;
  };
  const ObjectDef* object = nullptr;
  bool count = false;
  std::vector<RestField> fields;
  std::vector<Condition> where;
  std::vector<Order> order_by;
  std::optional<std::size_t> limit;
};

/// Rejected, code MALFORMED_QUERY, INVALID_TYPE or INVALID_FIELD.
Result<Query> parse_query(const Catalog& catalog, std::string_view soql);
/// What a user is told who may not read the object, or names one that is none.
Error no_such_object(std::string_view object);
/// The records that the query selects, in its order.
std::vector<Record> select(const Store& store, const Query& query, bool with_deleted);

}  // namespace headwater::org
