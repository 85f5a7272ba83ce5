#pragma once

#include <string>

#include "connectors/postgres/arrays.hpp"
#include "connectors/postgres/plan.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "schemas/model/value.hpp"

namespace headwater::postgres {

/// Element type of the array that a column's values travel in.
Element element_of(ColumnType type);

/// Appends one value to its column's array. Rejected, and nothing appended: it has another type, or
/// Postgres has no such date or time.
Result<void> add_value(ArrayBuffer& out, ColumnType type, const ValueView& value);
Result<void> add_timestamp(ArrayBuffer& out, EpochMs ms);
/// Null for 0 and for what is out of range: for times that are only shown.
void add_timestamp_or_null(ArrayBuffer& out, EpochMs ms);

/// A jsonb element: version byte, then the text that `write` appends.
template <typename Write>
void add_json(ArrayBuffer& out, Write write) {
  std::string& bytes = out.begin_element();
  bytes.push_back('\1');
  const std::size_t from = bytes.size();
  write(bytes);
  clean_json_tail(bytes, from);
  out.end_element();
}

}  // namespace headwater::postgres
