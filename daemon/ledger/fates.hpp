#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/model/version.hpp"

namespace headwater::ledger {

// What became of deleted records. An event says that a record went; it does not say that it was
// merged, nor what happened to the records that refer to it (unified-model.md section 7). Both are
// asked for afterwards: a hole of scope Deletion stands until they are known.
//
//   parent_deleted, parent_restored   records that refer to it are put in doubt, page by page
//   ancestor_restored                 the same, for a living child of a record that came back
//   delete_check                      then the org is asked whether it was merged, if it can be

/// Causes of holes of scope Deletion, in their order.
inline constexpr std::string_view kParentDeleted = "parent_deleted";
inline constexpr std::string_view kParentRestored = "parent_restored";
inline constexpr std::string_view kAncestorRestored = "ancestor_restored";
inline constexpr std::string_view kDeleteCheck = "delete_check";

/// Objects that merge.
bool has_fate(std::string_view object);

/// What the org says of a record that went.
struct Fate {
  enum class Kind : std::uint8_t {
    Deleted,  ///< in the recycle bin, or out of it
    Merged,   ///< into `master`
    Alive     ///< it is back
  };
  RecordId id;
  Kind kind = Kind::Deleted;
  std::string master;  ///< 18 characters
};

/// Answers to one query, all of one object.
struct FateBatch {
  std::string org, object;
  Version noted;  ///< from note_version(), taken before the query was sent
  std::vector<Fate> fates;
};

}  // namespace headwater::ledger
