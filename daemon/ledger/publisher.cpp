#include "daemon/ledger/publisher.hpp"

#include <cstring>

#include "schemas/core/sha256.hpp"
#include "schemas/model/render.hpp"

namespace headwater::ledger {

std::string_view keep(std::pmr::memory_resource& arena, std::string_view text) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(arena.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

Op op_of(const Meta& before, bool deleted, ChangeType type) {
  if (deleted) return Op::Delete;
  const bool held_alive = before.rev.value != 0 && !before.deleted;
  if (type == ChangeType::Create || type == ChangeType::Undelete) {
    return held_alive ? Op::Update : Op::Create;
  }
  if (type == ChangeType::Snapshot || type == ChangeType::Refetch) return Op::Read;
  return held_alive ? Op::Update : Op::Read;
}

void fill_entry(EntryView& entry, const RecordState& state) {
  entry.merged_into = state.merged_into;
  if (state.meta.deleted) {
    entry.deleted_at = state.deleted_at;
    entry.delete_reason =
        state.merged_into.empty() ? delete_reason(state.deleted_by) : std::string_view("merge");
  }
}

bool Publisher::publish(StoreBatch& batch,
                        ObjectProjector& projector,
                        RecordState& state,
                        const Change& change,
                        std::pmr::memory_resource& arena) {
  const NameTable& names = projector.names();
  const ImageView after = change.after->image(names);
  const Meta before = state.meta;
  const bool had = before.rev.value != 0;
  const bool deleted = state.deleted();
  ImageView old;
  old.names = &names;
  if (change.before != nullptr) old = diff_image(change.before->image(names), after, arena);
  std::uint64_t hash = before.hash;
  // An equal compact image needs no rendering: its bytes, and so its hash, are the same.
  if (change.before == nullptr || !old.empty() || change.before->bu != change.after->bu) {
    json_.clear();
    append_hash_input(json_, change.after->bu, after);
    hash = sha256_head(json_);
  }
  const std::string_view was_retired =
      change.before != nullptr ? change.before->retired : change.after->retired;
  if (had && hash == before.hash && before.deleted == deleted &&
      before.complete == state.complete && before.violations == change.after->violations &&
      was_retired == change.after->retired && !change.merge_news && !change.force &&
      !change.replaced) {
    return false;
  }
  const std::string_view before_bu = state.bu;
  if (state.bu != change.after->bu) state.bu = keep(arena, change.after->bu);
  state.meta.rev = journal_.next();
  state.meta.version = change.version;
  state.meta.commit_ts = change.commit_ts;
  state.meta.hash = hash;
  state.meta.mapping_rev = projector.mapping_rev();
  state.meta.complete = state.complete;
  state.meta.deleted = deleted;
  state.meta.violations = keep(arena, change.after->violations);
  state.ts_ms = clock_.now_ms();
  state.origin = change.origin;

  EntryView entry;
  entry.rkey = change.rkey;
  entry.id = change.id;
  entry.entity = projector.entity();
  entry.bu = state.bu;
  entry.meta = state.meta;
  entry.meta.retired = change.after->retired;
  entry.ts_ms = state.ts_ms;
  entry.late = change.late;
  entry.op = op_of(before, deleted, change.origin.type);
  // Told anew, or without knowing what sinks hold: a read replaces all that they have.
  if (!deleted && (change.force || (entry.op == Op::Update && change.before == nullptr))) {
    entry.op = Op::Read;
  }
  entry.origin = change.origin;
  entry.changed_source = change.changed;
  entry.nulled_source = change.nulled;
  entry.sort_at = change.after->sort_at;
  fill_entry(entry, state);
  entry.merged_from = change.merged_from;
  entry.after.names = &names;
  if (deleted) {
    // The whole last image; of a record never seen its bare key, with nothing in the fields.
    entry.has_before = true;
    entry.before = before;
    entry.before.retired = change.after->retired;  // as `old`
    entry.before_bu = had ? before_bu : state.bu;
    entry.before_sort_at = change.after->sort_at;
    entry.old = after;
  } else {
    entry.after = after;
    entry.has_before = change.before != nullptr && had && !before.deleted &&
                       entry.op != Op::Create && !change.force;
    if (entry.has_before) {
      entry.before = before;
      entry.before.retired = was_retired;
      entry.before_bu = before_bu;
      entry.before_sort_at = change.before->sort_at;
      entry.old = old;
    }
  }
  bytes_.clear();
  put_entry(bytes_, entry);
  journal_.put(batch, state.meta.rev, bytes_);
  return true;
}

void Publisher::publish_gone(StoreBatch& batch,
                             const ObjectProjector& from,
                             RecordState& state,
                             const Change& change) {
  EntryView entry;
  entry.rkey = change.rkey;
  entry.id = change.id;
  entry.entity = from.entity();
  entry.op = Op::Delete;
  entry.bu = entry.before_bu = state.bu;
  entry.has_before = true;
  entry.before = state.meta;
  entry.before.retired = change.before->retired;
  entry.before_sort_at = entry.sort_at = change.before->sort_at;
  entry.old = change.before->image(from.names());
  entry.after.names = &from.names();
  entry.origin = change.origin;
  entry.ts_ms = entry.deleted_at = clock_.now_ms();
  entry.delete_reason = "remap";
  state.meta.rev = journal_.next();
  state.meta.deleted = true;
  entry.meta = state.meta;
  bytes_.clear();
  put_entry(bytes_, entry);
  journal_.put(batch, state.meta.rev, bytes_);
}

}  // namespace headwater::ledger
