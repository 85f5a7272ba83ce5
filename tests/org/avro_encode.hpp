#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/org/schema.hpp"

namespace headwater::org {

/// In the order of the schema's enum symbols.
enum class ChangeType : std::uint8_t {
  Create,
  Update,
  Delete,
  Undelete,
  GapCreate,
  GapUpdate,
  GapDelete,
  GapUndelete,
  GapOverflow,
  Snapshot,
};

/// `GAP_UPDATE` and its like; nothing for any other word.
std::optional<ChangeType> parse_change_type(std::string_view symbol);

/// A set of leaves of one object, by index.
using LeafSet = std::vector<bool>;

/// ChangeEventHeader, as far as it is not computed from the leaf sets.
struct EventHeader {
  std::string entity;
  std::vector<std::string> record_ids;
  ChangeType type = ChangeType::Update;
  std::string origin, transaction_key;
  std::int32_t sequence = 1;
  std::int64_t commit_timestamp = 0;  ///< epoch ms
  std::int64_t commit_number = 0;
  std::string commit_user;
  std::vector<std::string> nulled, diff, changed;  ///< bitmap strings
};

/// `0x` and upper-case hex, whole bytes, most significant first; bit i = field i. Empty if no bit
/// is set.
std::string bitmap(const std::vector<bool>& bits);
/// Bitmap strings of these leaves: the top-level one first, then one per compound
/// (salesforce.md 6.1).
std::vector<std::string> bitmaps(const ObjectDef& object, const LeafSet& leaves);

/// Appends the header as an Avro record.
void encode_header(std::string& out, const EventHeader& header);
/// Appends all fields but the header: leaves of `shown` with their values, all others null. A
/// compound whose shown parts are all null is null itself.
void encode_body(std::string& out,
                 const ObjectDef& object,
                 std::span<const Value> values,
                 const LeafSet& shown);
/// Appends a platform event: the two fields that every one has, then optional ones.
void encode_platform_event(std::string& out, const ObjectDef& event, std::span<const Value> values);

}  // namespace headwater::org
