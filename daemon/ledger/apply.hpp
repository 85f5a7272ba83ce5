#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/ledger/record.hpp"

namespace headwater::ledger {

/// What is applied to one record: an event, or a row read from the org.
struct Incoming {
  ChangeType type = ChangeType::Update;
  Version version;                 ///< epoch given; at_ms = commit time, or a row's SystemModstamp
  std::span<const Member> fields;  ///< sorted by name
  bool unresolved_diffs = false;   ///< of text diffs some could not be made values (TextDiffs)
  bool present = true;             ///< of a row: false, the org has no such record
  std::optional<NameId> last_modified;  ///< number of LastModifiedDate, if the object has one
};

/// Why a record must be read again. In this order the first that holds is the hole's cause.
enum class Doubt : std::uint8_t {
  None,
  Incomplete,  ///< an UPDATE of a record of which we do not know all
  Diff,        ///< a text diff that was not made from the text we hold
  Revived,     ///< an UPDATE newer than the deletion
  Tie,         ///< committed within the seconds before a row was saved: order unknown
  Clock,       ///< commit time and version contradict each other
};
std::string_view to_string(Doubt doubt);

/// What apply() did. Reused, so that its memory is.
struct Outcome {
  bool moved = false;  ///< the state changed, be it only a version
  bool late = false;   ///< older than the newest known, and yet a field changed
  bool refs = false;   ///< a reference is among what changed
  Doubt doubt = Doubt::None;
  std::vector<Member> replaced;  ///< changed fields with their old values; Absent: there was none
};

/// The apply rule of unified-model.md section 3, with rulings 4 and 6 of design.md section 10:
///
///   full image and V > base:  every known field keeps its version, then base = V
///   each listed field:        if V > version(field): value and version are taken
///   full image:               alive = max(alive, V);  DELETE: dead = max(dead, V)
///   UPDATE without LastModifiedDate: touched = max(touched, V)
///
/// Idempotent and order-free: any order and repetition of the same inputs gives the same state.
/// Pure but for scratch memory: one thread.
class Applier {
 public:
  void apply(RecordState& state, const Incoming& in, Outcome& out);

 private:
  void merge_fields(RecordState& state, const Incoming& in, Outcome& out, bool& tie);
  std::vector<Member> src_;
  std::vector<FieldVersion> fv_;
};

}  // namespace headwater::ledger
