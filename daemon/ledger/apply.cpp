#include "daemon/ledger/apply.hpp"

#include <algorithm>

namespace headwater::ledger {
namespace {

/// A row's SystemModstamp may lag behind the commit that it contains by this much (ruling 4).
constexpr std::int64_t kTieSeconds = 5;

/// True if the numbers say that the event came after the row while its commit second lies in the
/// few seconds up to the row's stamp: then nothing is certain.
bool tied(const Version& event, const Version& row) {
  if (event.none() || event.is_row() || row.none() || !row.is_row() || row.at_ms == 0) return false;
  return number_less(row, event) && event.second() <= row.second() &&
         event.second() >= row.second() - kTieSeconds;
}
/// True if the row was asked for before the one that is held, and yet shows the record as it was
/// later: so does a Bulk job, which comes to a record long after it was made. Fields that an event
/// told since would be the row's, the others those of the held one: as the record never was.
bool crossed(const Version& row, const Version& held) {
  return row.is_row() && held.is_row() && number_less(row, held) && row.second() > held.second();
}
bool tied_either_way(const Version& a, const Version& b) { return tied(a, b) || tied(b, a); }

/// True if of two events of one epoch the one with the greater number was committed earlier.
bool contradict(const Version& a, const Version& b) {
  if (a.none() || b.none() || a.is_row() || b.is_row() || a.epoch != b.epoch || same(a, b)) {
    return false;
  }
  return number_less(a, b) ? a.second() > b.second() : a.second() < b.second();
}

bool raise(Version& held, const Version& version) {
  if (!newer(version, held)) return false;
  held = version;
  return true;
}

bool is_delete(ChangeType type) {
  return type == ChangeType::Delete || type == ChangeType::GapDelete ||
         type == ChangeType::Reconcile;
}

}  // namespace

std::string_view to_string(Doubt doubt) {
  switch (doubt) {
    case Doubt::None:
      return "";
    case Doubt::Incomplete:
      return "incomplete";
    case Doubt::Diff:
      return "diff";
    case Doubt::Revived:
      return "revived";
    case Doubt::Tie:
      return "tie";
    case Doubt::Clock:
      return "clock";
  }
  return "";
}

void Applier::merge_fields(RecordState& state, const Incoming& in, Outcome& out, bool& tie) {
  const Version& v = in.version;
  const Version old_base = state.base;
  const Version new_base = is_full(in.type) && newer(v, old_base) ? v : old_base;
  src_.clear();
  fv_.clear();
  auto known = state.src.cbegin();
  auto listed = in.fields.begin();
  auto entry = state.fv.cbegin();
  bool moved = !same(old_base, new_base);
  while (known != state.src.cend() || listed != in.fields.end()) {
    const bool has =
        known != state.src.cend() && (listed == in.fields.end() || known->name <= listed->name);
    const bool lists = listed != in.fields.end() && (!has || listed->name == known->name);
    const NameId name = has ? known->name : listed->name;
    Version version = has ? old_base : Version{};
    if (entry != state.fv.cend() && entry->name == name) version = (entry++)->version;
    if (lists) tie = tie || tied_either_way(v, version);
    if (lists && newer(v, version)) {
      if (!has) {
        out.replaced.push_back({name, {Tag::Absent, 0, 0, {}}});
        out.refs = out.refs || listed->value.tag == Tag::Ref;
      } else if (!(known->value == listed->value)) {
        out.replaced.push_back(*known);
        out.refs = out.refs || known->value.tag == Tag::Ref || listed->value.tag == Tag::Ref;
      }
      version = v;
      moved = true;
      src_.push_back(*listed);
    } else if (has) {
      src_.push_back(*known);
    } else {
      src_.push_back(*listed);  // cannot be: an unseen field is older than anything
    }
    if (!same(version, new_base)) fv_.push_back({name, version});
    if (has) ++known;
    if (lists) ++listed;
  }
  state.base = new_base;
  if (!moved) return;
  state.src.swap(src_);
  state.fv.swap(fv_);
  out.moved = true;
}

void Applier::apply(RecordState& state, const Incoming& in, Outcome& out) {
  out.moved = false;
  out.late = false;
  out.refs = false;
  out.doubt = Doubt::None;
  out.replaced.clear();
  const Version& v = in.version;
  const bool was_known = state.known;
  const bool full = is_full(in.type) && in.present;
  const bool deletes = is_delete(in.type) || !in.present;
  bool tie = tied_either_way(v, state.base) || tied_either_way(v, state.alive) ||
             tied_either_way(v, state.dead);
  // A row read after V was known already holds what V says: then there is no doubt left.
  const bool contained = state.base.is_row() && !number_less(state.base, v);
  const bool contradicts = !v.is_row() && !contained && contradict(v, state.newest);
  if (v.is_row()) tie = tie || tied(state.newest, v) || tied(state.touched, v);
  const bool crosses = crossed(v, state.base) || crossed(state.base, v) || crossed(v, state.dead);
  tie = tie || (full && crosses);

  out.late = newer(state.newest, v);
  if (!deletes) merge_fields(state, in, out, tie);
  if (full) {
    out.moved |= raise(state.alive, v);
    out.moved |= !state.complete;
    state.complete = true;
  } else if (deletes) {
    if (raise(state.dead, v)) {
      out.moved = true;
      state.deleted_at = in.present ? v.at_ms : 0;  // nobody says when it went
      state.deleted_by = in.type;
    }
  } else {
    const bool lists_modified =
        in.last_modified &&
        std::ranges::binary_search(in.fields, *in.last_modified, {}, &Member::name);
    if (!lists_modified) out.moved |= raise(state.touched, v);
  }
  out.moved |= raise(state.newest, v);
  out.moved |= !was_known;
  state.known = true;
  out.late = out.late && !out.replaced.empty();

  if (contradicts) out.doubt = Doubt::Clock;
  if (tie) out.doubt = Doubt::Tie;
  if (!full && !deletes) {
    if (state.deleted() && newer(v, state.dead)) out.doubt = Doubt::Revived;
    if (in.unresolved_diffs && !contained) out.doubt = Doubt::Diff;
    // The weakest doubt: a refetch that is on its way settles it, but none of the others.
    if (!state.complete && out.doubt == Doubt::None) out.doubt = Doubt::Incomplete;
  }
}

}  // namespace headwater::ledger
