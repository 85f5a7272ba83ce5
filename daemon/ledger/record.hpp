#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/raw_text.hpp"
#include "schemas/model/entry.hpp"

namespace headwater::ledger {

struct FieldVersion {
  NameId name = 0;
  Version version;
};

/// All that the ledger knows of one record (unified-model.md sections 3 and 13). Texts borrow: from
/// the bytes it was decoded from, or from the event that was applied. Reused: clear() keeps the
/// memory.
///
/// Invariant: the version of a field is that in `fv`, else `base` if the field is in `src`, else
/// none.
struct RecordState {
  bool known = false;         ///< there is a state, however little it says
  bool complete = false;      ///< a full image was applied
  bool refetch_owed = false;  ///< a record hole is open

  Version base, alive, dead;
  Version touched;  ///< newest UPDATE that did not list LastModifiedDate
  Version newest;   ///< of all that was applied, events and rows

  EpochMs deleted_at = 0;
  ChangeType deleted_by = ChangeType::Delete;
  std::string_view merged_into;

  /// What sinks were told last: the newest entry's own. rev 0: nothing yet.
  Meta meta;
  EpochMs ts_ms = 0;
  std::string_view bu;
  Origin origin;

  std::vector<Member> src;       ///< raw image, sorted by name
  std::vector<FieldVersion> fv;  ///< sorted by name; only where it differs from base

  bool deleted() const { return newer(dead, alive); }
  /// The newest commit second, or SystemModstamp, of anything that was applied.
  EpochMs known_to() const { return std::max({newest.at_ms, base.at_ms, alive.at_ms}); }
  /// When the record was last saved without telling LastModifiedDate; 0: that date is the later
  /// one.
  EpochMs touched_at(std::optional<NameId> last_modified) const;
  Version field_version(NameId name) const;  ///< none if never seen
  void clear();
};

/// Turns states into bytes and back. Holds scratch memory: one thread.
class RecordCodec {
 public:
  void encode(const RecordState& state, std::string& out);
  /// Texts borrow from `bytes`. False if they are not a state of a format we know.
  bool decode(std::string_view bytes, RecordState& state);
  /// The rev alone, for scans in rev order.
  static Rev rev_of(std::string_view bytes);

 private:
  std::size_t number_of(const Version& version);
  std::vector<Version> versions_;
  std::vector<std::size_t> numbers_;  // of fv's versions
  RawText scratch_;
};

std::string_view delete_reason(ChangeType type);

}  // namespace headwater::ledger
