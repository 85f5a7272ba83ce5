#pragma once

#include <functional>
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
/// The value that conditions, orders and answers show: the record's own, or `made` if it is made up
/// of others. REQUIRES: not a compound.
const Value& rest_field_value(const ObjectDef& object,
                              const Record& record,
                              const RestField& field,
                              Value& made);

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
/// Calls `visit` with the records that the query selects, in its order (by id if it has none),
/// under the store's lock. A query by id, ORDER BY Id or none, reads only what it gives: its `Id >
/// x`, ids named by = or IN, and its LIMIT spare the others. Others look at every record, and copy
/// those that they give.
void select(const Store& store,
            const Query& query,
            bool with_deleted,
            const std::function<void(const Record&)>& visit);

}  // namespace headwater::org
