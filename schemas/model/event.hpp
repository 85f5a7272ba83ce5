#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "schemas/model/image.hpp"
#include "schemas/model/version.hpp"

namespace headwater {

/// What happened. The first ten are Salesforce's `changeType` symbols in their Avro order; the rest
/// are ours. The numbers are part of the ledger's on-disk format.
enum class ChangeType : std::uint8_t {
  Create = 0,
  Update = 1,
  Delete = 2,
  Undelete = 3,
  GapCreate = 4,
  GapUpdate = 5,
  GapDelete = 6,
  GapUndelete = 7,
  GapOverflow = 8,
  Snapshot = 9,
  Refetch = 10,
  Merge = 11,
  Reconcile = 12,
  Remap = 13,
  Inherit = 14,
  Purge = 15,
};
std::string_view to_string(ChangeType type);                       ///< `CREATE`, `GAP_UPDATE`, …
bool parse_change_type(std::string_view symbol, ChangeType& out);  ///< Salesforce's ten only

/// True for what carries all fields of a record: an unlisted field is then null, not unknown.
constexpr bool is_full(ChangeType type) {
  return type == ChangeType::Create || type == ChangeType::Undelete ||
         type == ChangeType::Snapshot || type == ChangeType::Refetch;
}

/// One decoded event, ready to be applied to each of its records. Everything is borrowed from the
/// response it came in and from the decoder's scratch memory, valid until the next response is
/// decoded.
struct EventView {
  ChangeType type = ChangeType::Update;
  std::string_view entity;                       ///< `entityName`: the object's API name
  std::span<const std::string_view> record_ids;  ///< as sent; may hold wildcards and dummies
  Version version;                               ///< epoch 0: the ledger gives it
  EpochMs commit_ts = 0;
  std::string_view commit_user, change_origin, transaction_key, schema_id, replay_id, event_uuid;
  /// Fields that the event speaks of, sorted by name number: all of the schema if is_full(type),
  /// else those in changedFields and nulledFields. A field carried as a text diff is in `diffs`
  /// instead.
  std::span<const Member> fields;
  std::span<const Member> diffs;  ///< value = the unified diff's text
  std::size_t payload_bytes = 0;
};

}  // namespace headwater
