#pragma once

#include <string>
#include <string_view>

#include "tests/org/store.hpp"

namespace headwater::org {

/// The org's record types. They are setup, not data: queried like any object, but no change event
/// tells of them. Thread-safe.
class RecordTypes {
 public:
  explicit RecordTypes(std::uint64_t seed);

  /// A further type of an object; its id.
  Result<std::string> add(std::string_view object, std::string_view developer_name);
  Result<void> rename(const std::string& id, std::string_view developer_name);
  /// What a record is given that is created without a type: a person account its own, others one of
  /// the object's two. Null: the object has none.
  Value default_of(const ObjectDef& object, const Record& record) const;

  /// RecordType alone.
  const Store& store() const { return store_; }

 private:
  Result<void> save(DmlOp op, const std::string& id, std::vector<FieldValue> fields);
  std::string added(std::string_view object, std::string_view developer_name);

  const Catalog catalog_;
  const ObjectDef& type_;
  Bus bus_;  // nobody listens
  Store store_;
  const std::string business_, partner_, person_, support_, complaint_;
};

}  // namespace headwater::org
