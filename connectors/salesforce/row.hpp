#pragma once

#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/salesforce/csv.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "schemas/core/result.hpp"
#include "schemas/model/value.hpp"

namespace headwater::salesforce {

/// One field of a record that was read, as a change event would have told it.
struct RowField {
  std::string_view path;  ///< borrowed from the description
  ValueView value;        ///< texts borrowed from the row
  bool derived = false;   ///< by a formula, or a user's preference: no event tells it by this name
};

/// A record that was read. Reused from row to row: it keeps its memory.
struct RecordRow {
  RecordId id;
  EpochMs stamp = 0;     ///< SystemModstamp; 0: not read
  bool deleted = false;  ///< IsDeleted; false if not read
  std::vector<RowField> fields;
  std::unique_ptr<std::pmr::monotonic_buffer_resource> texts =
      std::make_unique<std::pmr::monotonic_buffer_resource>();
};

/// Turns rows of one object into fields: typed by describe exactly as the event decoder types them
/// by the schema, so that a refetch of what an event told changes nothing (unified-model.md section
/// 4).
///
/// Not parsed through a document tree: its numbers are not correctly rounded in Boost 1.81, and a
/// double that differs in the last bit would be a change. Immutable; any thread, one RecordRow
/// each.
class RowDecoder {
 public:
  /// `object` must outlive it and the rows.
  explicit RowDecoder(const ObjectDescription& object);

  /// `json`: a FetchedRecord's. Fields that were not asked for are not given. Rejected: not such an
  /// object, or a value that does not fit its type (named by field, never by content). Then id,
  /// stamp and deleted are the row's all the same, as far as it has them: it stands alone.
  Result<void> decode(std::string_view json, RecordRow& out) const;
  /// The same of a row of a Bulk result, whose columns these are.
  Result<void> decode(const CsvPage& page,
                      std::size_t row,
                      std::span<const std::string> columns,
                      RecordRow& out) const;

 private:
  Error misfit(const FieldInfo& field) const;

  const ObjectDescription& object_;
  std::unordered_map<std::string_view, const FieldInfo*> by_name_;
};

/// The elements of a JSON array as they stand in the text. Transient: not one.
Result<std::vector<std::string_view>> array_elements(std::string_view json);

}  // namespace headwater::salesforce
