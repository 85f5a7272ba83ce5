#include "daemon/ledger/fates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "daemon/ledger/writer.hpp"

// The writer's part in what becomes of deleted records.

namespace headwater::ledger {
namespace {

/// Children put in doubt by one write: a parent with more of them takes several.
constexpr std::size_t kChildrenPerWrite = 500;
/// By how much the org's clock may be behind ours.
constexpr EpochMs kClocksApartMax = 5LL * 60 * 1000;
/// Longest chain of merges that is followed; a longer one would be a circle.
constexpr int kChainMax = 32;

std::string_view id_of(std::string_view rkey) { return rkey.substr(rkey.rfind(':') + 1); }
std::string_view object_of(std::string_view rkey) {
  const auto from = rkey.find(':') + 1;
  return rkey.substr(from, rkey.rfind(':') - from);
}

}  // namespace

bool has_fate(std::string_view object) {
  static constexpr std::array<std::string_view, 4> kObjects{"Account", "Contact", "Lead", "Case"};
  return std::ranges::find(kObjects, object) != kObjects.end();
}

/// The record's deletion began or ended.
Result<void> Writer::deletion_changed(Touched& record, const Version& version) {
  RecordState& state = record.state;
  if (!state.deleted() && !state.merged_into.empty()) {
    const auto before = std::exchange(state.merged_into, std::string_view());
    parts_.back_refs.stage_merge(*batch_, record.rkey, state, before);
  }
  Hole hole;
  hole.scope = Hole::Scope::Deletion;
  hole.org = record.context->org->name;
  hole.object = record.context->object;
  hole.id = record.id.str();
  hole.cause = state.deleted() ? kParentDeleted : kParentRestored;
  hole.from_ts = hole.to_ts = version.at_ms;
  hole.version = version;
  auto opened = parts_.holes.open(*batch_, std::move(hole));
  if (!opened) return opened.error();
  return state.deleted() ? event_told_death(record, version) : Result<void>();
}

/// An event tells a deletion from before the row by which we know that the record lives: it went
/// and came back, and its children lost it meanwhile without an event. Told twice, it asks twice:
/// whether it was told before, the row's version hides.
bool Writer::came_back_unseen(const RecordState& state,
                              const Incoming& in,
                              const Version& dead_before) {
  const bool deletes = in.type == ChangeType::Delete || in.type == ChangeType::GapDelete;
  if (!deletes || !in.present || in.version.is_row() || state.deleted()) return false;
  return state.alive.is_row() || !same(dead_before, state.dead);
}

/// A state beside those that the batch touches; nullptr: never seen. Valid until the next call.
Result<const RecordState*> Writer::peek(std::string_view rkey) {
  const std::string* bytes = cache_.find(rkey);
  if (bytes == nullptr) {
    auto found = parts_.store.get(Family::Records, rkey, peeked_bytes_);
    if (!found) return found.error();
    if (!*found) return nullptr;
    bytes = &peeked_bytes_;
  }
  if (!codec_.decode(*bytes, peeked_)) {
    return fatal(fmt::format(
        "ledger: the state of {} is damaged or of a newer format; restore a backup", rkey));
  }
  return &peeked_;
}

Result<void> Writer::doubt_children(std::span<const Hole> deletions) {
  std::size_t room = kChildrenPerWrite;
  for (Hole hole : deletions) {
    if (room == 0) break;
    const bool restored = hole.cause == kParentRestored || hole.cause == kAncestorRestored;
    if (hole.cause != kParentDeleted && !restored) continue;
    auto open = parts_.holes.still_open(hole);
    if (!open) return open.error();
    if (!*open) continue;
    auto children = parts_.back_refs.children_of(hole.org, hole.id, hole.detail, room);
    if (!children) return children.error();
    for (const std::string& child : *children) {
      if (auto ok = doubt_child(hole, child); !ok) return ok;
    }
    const bool all = children->size() < room;
    room -= children->size();
    if (all && (restored || !has_fate(hole.object))) {
      auto closed = parts_.holes.close_deletion(
          hole.org, hole.object, hole.id, hole.version, "all that refers to it was put in doubt");
      if (!closed) return closed.error();
      continue;
    }
    if (all) hole.cause = kDeleteCheck;
    hole.detail = all ? std::string() : children->back();
    if (auto ok = parts_.holes.renew(hole); !ok) return ok;
  }
  return commit(*batch_, true);
}

/// Rows may tell a deletion before the bus has told what came until then: an event of before still
/// refers to the record, and the org cleared that lookup, or moved it, without an event. Only
/// events from before such a row are looked at; a later one cannot refer to what is gone.
Result<void> Writer::doubt_dead_parents(Touched& record, const Version& version, Applied& applied) {
  if (!rows_deleted_at_) rows_deleted_at_ = parts_.objects.rows_deleted_until();
  if (version.at_ms > *rows_deleted_at_ + kClocksApartMax || record.state.deleted()) return {};
  for (const Member& ref : after_.sections[static_cast<std::size_t>(Section::Refs)]) {
    auto parent = peek(ref.value.text);
    if (!parent) return parent.error();
    if (*parent == nullptr || !(*parent)->deleted()) continue;
    return put_in_doubt(record, kParentDeleted, version, applied);
  }
  return {};
}

/// With a parent that went, its living children may have moved or gone without an event. With one
/// that came back, those that went may have come too; and it may have gone and come between two
/// looks, so that its living children are in doubt as well.
Result<void> Writer::doubt_child(const Hole& parent, std::string_view rkey) {
  auto child = peek(rkey);
  if (!child) return child.error();
  if (*child == nullptr) return {};
  if ((*child)->deleted() && parent.cause == kParentDeleted) return {};
  if (!(*child)->merged_into.empty()) return {};
  Hole hole;
  hole.scope = Hole::Scope::Record;
  hole.org = parent.org;
  hole.object = object_of(rkey);
  hole.id = id_of(rkey);
  hole.cause = parent.cause;
  hole.from_ts = parent.from_ts;
  hole.to_ts = parent.to_ts;
  hole.version = parent.version;
  auto opened = parts_.holes.open(*batch_, hole);
  if (!opened) return opened.error();
  if (parent.cause != kParentRestored || (*child)->deleted()) return {};
  // It may have gone and come back with its parent, and what referred to it lost that for good. Two
  // levels, as relations may run in a circle: what went is known at the first.
  hole.scope = Hole::Scope::Deletion;
  hole.cause = kAncestorRestored;
  opened = parts_.holes.open(*batch_, std::move(hole));
  if (!opened) return opened.error();
  return {};
}

Result<Applied> Writer::tell_fates(const FateBatch& fates) {
  Applied applied;
  tasks_.clear();
  arena_.release();
  ObjectContext& context = parts_.objects.of(fates.org, fates.object);
  std::vector<Merge> merges;
  if (auto ok = find_merges(context, fates, merges); !ok) return ok.error();
  for (std::uint32_t i = 0; i < merges.size(); ++i) add_task(context, merges[i].loser, i);
  for (std::uint32_t i = 0; i < merges.size(); ++i) add_task(context, merges[i].winner, i);
  if (auto ok = read_states(); !ok) return ok.error();
  std::map<std::uint32_t, std::string> merged_from;  // by the winner's place in touched_
  for (std::size_t i = 0; i < merges.size(); ++i) {
    Touched& loser = touched_[tasks_[i].touched];
    if (!tell_merge(loser, merges[i].winner.view(), {}, applied)) continue;
    merged_from[tasks_[merges.size() + i].touched].append(merges[i].loser.view());
  }
  for (const auto& [place, losers] : merged_from) {
    Touched& winner = touched_[place];
    if (winner.state.known && !winner.state.deleted()) {
      tell_merge(winner, {}, losers, applied);
    } else if (!winner.state.known) {
      if (auto ok = doubt(winner, Doubt::Incomplete, fates.noted, applied); !ok) return ok.error();
    }
  }
  for (const Fate& fate : fates.fates) {
    if (auto ok = settle_fate(context, fate, fates.noted, applied); !ok) return ok.error();
  }
  write_states();
  if (auto ok = commit(*batch_, true); !ok) return ok.error();
  return applied;
}

/// Who is merged into whom, at the end of all chains: the losers of this answer, and those that
/// were merged into one of them before.
Result<void> Writer::find_merges(const ObjectContext& context,
                                 const FateBatch& fates,
                                 std::vector<Merge>& merges) {
  std::map<std::string, std::string, std::less<>> masters;
  for (const Fate& fate : fates.fates) {
    if (fate.kind == Fate::Kind::Merged) masters.emplace(fate.id.view(), fate.master);
  }
  for (const auto& [loser, master] : masters) {
    std::string winner = master;
    for (int step = 0; step < kChainMax; ++step) {
      if (const auto next = masters.find(winner); next != masters.end()) {
        winner = next->second;
        continue;
      }
      auto state = peek(context.prefix + winner);
      if (!state) return state.error();
      if (*state == nullptr || !(*state)->deleted() || (*state)->merged_into.empty()) break;
      winner = (*state)->merged_into;
    }
    const auto into = RecordId::parse(winner);
    if (!into || winner == loser) continue;
    merges.push_back({*RecordId::parse(loser), *into});
    auto before = parts_.back_refs.children_of(fates.org, loser, {}, kChildrenPerWrite);
    if (!before) return before.error();
    for (const std::string& rkey : *before) {
      if (object_of(rkey) != context.object) continue;
      auto state = peek(rkey);
      if (!state) return state.error();
      if (*state != nullptr && (*state)->merged_into == loser) {
        merges.push_back({*RecordId::parse(id_of(rkey)), *into});
      }
    }
  }
  return {};
}

/// A loser with its `winner`, or a winner with its `losers`. False: there is nothing to tell.
bool Writer::tell_merge(Touched& record,
                        std::string_view winner,
                        std::string_view losers,
                        Applied& applied) {
  RecordState& state = record.state;
  if (!winner.empty()) {
    if (!state.known || !state.deleted() || state.merged_into == winner) return false;
    const auto before = std::exchange(state.merged_into, keep(arena_, winner));
    parts_.back_refs.stage_merge(*batch_, record.rkey, state, before);
  }
  ObjectProjector& projector = *record.context->projector;
  projector.project(state, projector.facts_of(state, record.id.view()), after_);
  Change change;
  change.rkey = record.rkey;
  change.id = record.id.view();
  change.before = &after_;
  change.after = &after_;
  change.version = state.meta.version;
  change.commit_ts = state.meta.commit_ts;
  change.merge_news = true;
  change.merged_from = losers;
  change.origin.type = ChangeType::Merge;
  const std::string_view loser =
      losers.empty() ? record.id.view() : losers.substr(0, RecordId::kSize);
  change.origin.change_id = keep(
      arena_, fmt::format("{}/merge-{}/0/{}", record.context->org->name, loser, record.id.view()));
  record.dirty = true;
  if (publisher_.publish(*batch_, projector, state, change, arena_)) ++applied.entries;
  return true;
}

Result<void> Writer::settle_fate(const ObjectContext& context,
                                 const Fate& fate,
                                 const Version& noted,
                                 Applied& applied) {
  const auto proof = fmt::format(
      "all that refers to it was put in doubt, and the org told its fate as of version {}",
      noted.str());
  auto closed =
      parts_.holes.close_deletion(context.org->name, context.object, fate.id.view(), noted, proof);
  if (!closed) return closed.error();
  if (!*closed || fate.kind != Fate::Kind::Alive) return {};
  auto state = peek(context.prefix + fate.id.str());
  if (!state) return state.error();
  if (*state == nullptr || !(*state)->deleted()) return {};
  Hole hole;
  hole.scope = Hole::Scope::Record;
  hole.org = context.org->name;
  hole.object = context.object;
  hole.id = fate.id.str();
  hole.cause = to_string(Doubt::Revived);
  hole.version = noted;
  auto opened = parts_.holes.open(*batch_, std::move(hole));
  if (!opened) return opened.error();
  if (*opened) ++applied.refetches;
  return {};
}

}  // namespace headwater::ledger
