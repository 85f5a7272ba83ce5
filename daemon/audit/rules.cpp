#include "daemon/audit/rules.hpp"

#include <algorithm>

namespace headwater::audit {
namespace {

bool lives(const std::optional<OrgRow>& row) { return row && !row->deleted; }
bool lives(const ledger::Standing* standing) { return standing != nullptr && !standing->deleted; }

/// An absence has no stamp: of a record that the ledger was told of since the first one the second
/// may be another, after a return, and its event on its way.
bool same_sight(const Sight& then, const Sight& now, const ledger::Standing* after) {
  if (then.row && now.row)
    return then.row->stamp == now.row->stamp && then.row->deleted == now.row->deleted;
  return !then.row && !now.row && (after == nullptr || after->rev <= then.head);
}

/// Geocoding and lead conversion change a record and do not tell when, nor by whom (salesforce.md
/// section 8): of a record that was not saved since, the ledger has an old date, and nothing was
/// lost. Another user at the very same date is a change of its own, whose event was.
constexpr std::string_view kModifiedAt = "LastModifiedDate", kModifiedBy = "LastModifiedById";

bool stood_still(const ledger::Standing* before, const ledger::Standing* after) {
  if (before == nullptr || after == nullptr) return before == after;
  return before->rev == after->rev && same(before->newest, after->newest);
}

}  // namespace

std::string_view cause_of(What what) {
  switch (what) {
    case What::Nothing:
      return "";
    case What::Missing:
      return "audit_missing";
    case What::Stale:
      return "audit_stale";
    case What::Gone:
      return "audit_gone";
    case What::Held:
      return "sink_drift";
  }
  return "";
}

What suspect(const std::optional<OrgRow>& row, const ledger::Standing* standing) {
  if (lives(row) && !lives(standing)) return What::Missing;
  if (!lives(row) && lives(standing)) return What::Gone;
  if (lives(row) && row->stamp / 1000 > standing->known_to / 1000) return What::Stale;
  return What::Nothing;
}

bool passed(std::span<const StreamProgress> streams,
            const Sight& sight,
            Millis margin,
            EpochMs now) {
  Moment moment{sight.seen_at + margin.count()};
  if (sight.row) moment.org = sight.row->stamp + margin.count();
  return !streams.empty() && std::ranges::all_of(streams, [&](const StreamProgress& stream) {
    return is_past(stream, moment, now, margin);
  });
}

Unheard unheard(EpochMs stamp, const ledger::Standing& standing) {
  return stamp / 1000 > standing.known_to / 1000 ? Unheard::Differs : Unheard::Passes;
}

Difference differing(std::span<const salesforce::RowField> row,
                     std::span<const Member> image,
                     const NameTable& names,
                     Unheard unheard,
                     std::size_t most) {
  Difference out;
  bool older = false, by_another = false;
  for (const auto& field : row) {
    if (out.fields.size() == most) break;
    const auto name = names.find(field.path);
    const auto at = name ? std::ranges::lower_bound(image, *name, {}, &Member::name) : image.end();
    const bool held = at != image.end() && at->name == *name;
    const bool passes = unheard == Unheard::Passes && !field.derived;
    if (held ? at->value == field.value : passes || field.value.is_null()) continue;
    const bool may_go_untold = unheard == Unheard::Passes;
    if (may_go_untold && field.path == kModifiedAt)
      older = true;
    else if (may_go_untold && field.path == kModifiedBy)
      by_another = true;
    else if (field.derived)
      out.derived = true;
    else
      out.fields.emplace_back(field.path);
  }
  if (by_another && !older && out.fields.size() < most) out.fields.emplace_back(kModifiedBy);
  out.derived = out.derived || older;
  return out;
}

Verdict judge(const SecondLook& look, What& what) {
  const bool alive = lives(look.now.row) && lives(look.after);
  what = suspect(look.now.row, look.after);
  // A newer stamp alone is no difference: what was saved may be what the ledger holds.
  if (alive) what = look.fields_differ ? What::Stale : What::Nothing;
  if (what == What::Nothing) return Verdict::Right;
  if (look.hole_open || (look.after != nullptr && look.after->doubted)) return Verdict::Known;
  if (!stood_still(look.before, look.after)) return Verdict::Moves;
  return same_sight(look.then, look.now, look.after) ? Verdict::Proven : Verdict::Moves;
}

}  // namespace headwater::audit
