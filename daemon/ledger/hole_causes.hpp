#pragma once

#include <string_view>

#include "daemon/ledger/ledger.hpp"

namespace headwater::ledger {

// Causes of holes that more than one part of the daemon must know. They are part of the on-disk
// format.

/// Of an object: too many of its records vanished at once, so that nothing was deleted. Of a
/// record: it is one of them.
inline constexpr std::string_view kMassDelete = "mass_delete";
/// Of a stream: its object was switched off in Change Data Capture. Of an object: the streams that
/// bring several tell of it no more.
inline constexpr std::string_view kSwitchedOff = "switched_off";
/// Of an object: the org does not show it to our user any more, and sends it no events of it.
inline constexpr std::string_view kHidden = "hidden";
/// True if it stands for a time in which the streams told nothing of its object.
inline bool is_silence(const Hole& hole) {
  return hole.scope == Hole::Scope::Object && (hole.cause == kSwitchedOff || hole.cause == kHidden);
}

/// Of an object: the org shows our user a field of it again. What was read or told while it did not
/// lacks the field's values.
inline constexpr std::string_view kFieldHidden = "field_hidden";

/// True if it is of a time that has no end until it is given one: what was saved in it answers it.
inline bool is_timed(const Hole& hole) {
  return is_silence(hole) || (hole.scope == Hole::Scope::Object && hole.cause == kFieldHidden);
}

/// Of a record: the org showed it, and a value of its row does not fit the field's type.
inline constexpr std::string_view kUnreadableRow = "unreadable";
/// Of an object: it has living records, and reading it fails as if it were not there.
inline constexpr std::string_view kUnreadable = "audit_unreadable";

/// Of a sink: history that its target is never told, as it is given states instead.
inline constexpr std::string_view kSinkHistory = "sink_history";

/// An object has one hole for all causes but these: what closes that one does not answer them.
inline constexpr bool has_own_hole(std::string_view cause) {
  return cause == kMassDelete || cause == kSwitchedOff || cause == kHidden || cause == kFieldHidden;
}

}  // namespace headwater::ledger
