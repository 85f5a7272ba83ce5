#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/salesforce/row.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/pipeline/stream_progress.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"
#include "schemas/model/image.hpp"

namespace headwater::audit {

// When the ledger is wrong about a record, and when that is certain. Pure.

/// The field by which rows of a query of everything tell the recycle bin's from the living.
inline constexpr std::string_view kDeletedField = "IsDeleted";

/// A record as the org shows it; nothing: not even in the recycle bin.
struct OrgRow {
  EpochMs stamp = 0;     ///< SystemModstamp
  bool deleted = false;  ///< in the recycle bin
};

enum class What : std::uint8_t {
  Nothing,  ///< the ledger is right
  Missing,  ///< it lives in the org; the ledger lacks it or holds it for deleted
  Stale,    ///< both have it, but the org's is newer or has other fields
  Gone,     ///< it lives in the ledger alone
  Held,     ///< a sink holds it wrongly: of sinks' audits only
};
/// A hole's cause: `audit_missing audit_stale audit_gone sink_drift`; empty for Nothing.
std::string_view cause_of(What what);

/// What ids and stamps alone tell. A stamp after everything that the ledger knows of a record is
/// Stale: SystemModstamp is set before its transaction commits, so it never lies after the second
/// of the event that tells it.
What suspect(const std::optional<OrgRow>& row, const ledger::Standing* standing);

/// What the org showed of a record, and when we saw it.
struct Sight {
  std::optional<OrgRow> row;
  EpochMs seen_at = 0;  ///< our clock, after the answer came
  Rev head = {};        ///< the ledger's, before it was asked for
};
/// True if every stream is past what was seen, by `margin`: the event that tells it would have
/// come. When a record was saved the org tells; of one that is nowhere to be seen no time is known
/// but ours.
bool passed(std::span<const StreamProgress> streams,
            const Sight& sight,
            Millis margin,
            EpochMs now);

/// What a field says of which the raw image has nothing. Events never carry some fields that REST
/// shows (formulas, IsPersonAccount): their absence is no loss by itself.
enum class Unheard : std::uint8_t {
  Passes,   ///< it is not compared
  Differs,  ///< it is null to the ledger: the record was saved after all that the ledger knows of
            ///< it
};
Unheard unheard(EpochMs stamp, const ledger::Standing& standing);
/// What a row and the raw image differ in.
struct Difference {
  std::vector<std::string> fields;  ///< paths: an event must have told of these
  /// A formula's value, or when it was last modified. No event tells the one, nor every event the
  /// other, so nothing was lost; yet readers see an old value.
  bool derived = false;
};
/// The row's typed values against the raw image; at most `most` of the fields are named.
Difference differing(std::span<const salesforce::RowField> row,
                     std::span<const Member> image,
                     const NameTable& names,
                     Unheard unheard,
                     std::size_t most);

/// A second look at a suspect: the record read anew, and the ledger before and after that.
struct SecondLook {
  Sight then, now;
  const ledger::Standing* before = nullptr;
  const ledger::Standing* after = nullptr;
  bool fields_differ = false;  ///< `now`'s row against `after`'s image; both alive
  bool hole_open = false;      ///< the doubt is known already
};
enum class Verdict : std::uint8_t {
  Right,   ///< no difference, or no longer one
  Known,   ///< a hole is open for it: refetched in any case
  Moves,   ///< something changed meanwhile: look again once the streams are past `now`
  Proven,  ///< the streams are past it, it stood still, and the ledger is wrong
};
/// REQUIRES: every stream has passed `then`.
Verdict judge(const SecondLook& look, What& what);

}  // namespace headwater::audit
