#include "daemon/ledger/writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/reprojection.hpp"

namespace headwater::ledger {
namespace {

/// Some 20,000 records of 40 fields: more than change again and again within an hour.
constexpr std::size_t kCacheBytes = 24ULL << 20;

bool is_gap(ChangeType type) {
  return type == ChangeType::GapCreate || type == ChangeType::GapUpdate ||
         type == ChangeType::GapUndelete;
}

/// The org was moved to another instance: what the old one still had to send may be missing.
Hole moved_hole(const StreamKey& stream, const Epochs& before, const Version& first) {
  Hole hole;
  hole.scope = Hole::Scope::Stretch;
  hole.org = stream.org;
  hole.topic = stream.topic;
  hole.cause = "migrated";
  hole.detail =
      fmt::format("commit numbers began anew at {} after {}: the org was moved to another instance",
                  first.commit_number,
                  before.high_number());
  hole.from_ts = before.high_ts();
  hole.to_ts = first.at_ms;
  hole.version = first;
  return hole;
}

Origin origin_of(const EventView& event) {
  Origin origin;
  origin.type = event.type;
  origin.commit_user = event.commit_user;
  origin.change_origin = event.change_origin;
  origin.transaction_key = event.transaction_key;
  origin.schema_id = event.schema_id;
  origin.event_uuid = event.event_uuid;
  origin.replay_id = event.replay_id;
  return origin;
}

}  // namespace

Writer::Writer(const Parts& parts, double sweep_share_max, Reprojection& reprojection)
    : parts_(parts),
      sweep_share_max_(sweep_share_max),
      reprojection_(reprojection),
      batch_(parts.store.batch()),
      publisher_(parts.journal, parts.clock),
      platform_(parts.store, parts.journal, parts.clock),
      cache_(kCacheBytes),
      arena_(1 << 16, &pool_) {}

Result<Applied> Writer::apply(const IngestBatch& batch) {
  Applied applied;
  if (auto ok = plan(batch); !ok) return ok.error();
  if (auto ok = read_states(); !ok) return ok.error();
  for (const Task& task : tasks_) {
    const EventView& event = batch.events[task.source];
    Incoming in;
    in.type = event.type;
    in.version = versions_[task.source];
    in.fields = text_diffs_.resolve(
        touched_[task.touched].state, in.version, event.fields, event.diffs, arena_);
    in.unresolved_diffs = text_diffs_.unresolved();
    in.last_modified = task.context->projector->last_modified();
    list_sources(event);
    Change like;
    like.origin = origin_of(event);
    like.changed = changed_;
    like.nulled = nulled_;
    if (auto ok = step(touched_[task.touched], in, like, applied); !ok) return ok.error();
  }
  if (auto ok = platform_.write(*batch_, batch, applied); !ok) return ok.error();
  for (Hole hole : batch.holes) {
    if (hole.version.epoch == 0 && hole.version.commit_number != 0) {
      Org& org = parts_.orgs.of(hole.org);
      hole.version.epoch = org.epochs.place(hole.version.commit_number, hole.version.at_ms);
      org.dirty = true;
    }
    if (auto opened = parts_.holes.open(*batch_, hole); !opened) return opened.error();
  }
  for (const QuarantineRow& row : batch.quarantined) {
    if (auto ok = parts_.holes.quarantine(*batch_, row); !ok) return ok.error();
  }
  write_states();
  const bool anchored = move_position(batch);
  // A keepalive's position may be lost, the one before it serves as well. But not a stream's first:
  // without it a start at the latest event would pass by what was committed meanwhile.
  const bool sync = !batch.events.empty() || !batch.platform.empty() || !batch.holes.empty() ||
                    !batch.quarantined.empty() || anchored;
  if (auto ok = commit(*batch_, sync); !ok) return ok.error();
  return applied;
}

Result<void> Writer::plan(const IngestBatch& batch) {
  tasks_.clear();
  versions_.clear();
  arena_.release();
  touched_count_ = 0;
  for (std::uint32_t i = 0; i < batch.events.size(); ++i) {
    if (auto ok = plan_event(batch, i); !ok) return ok;
  }
  return {};
}

Result<void> Writer::plan_event(const IngestBatch& batch, std::uint32_t index) {
  const EventView& event = batch.events[index];
  const std::string& org_name = batch.stream.org;
  ObjectContext& context = parts_.objects.of(org_name, event.entity);
  Version version = event.version;
  version.at_ms = event.commit_ts;
  if (version.epoch == 0) {
    Epochs& epochs = context.org->epochs;
    const Epochs before = epochs;
    version.epoch = epochs.place(version.commit_number, event.commit_ts);
    context.org->dirty = true;
    if (epochs.newest() > before.newest()) {
      auto opened = parts_.holes.open(*batch_, moved_hole(batch.stream, before, version));
      if (!opened) return opened.error();
    }
  }
  versions_.push_back(version);
  Hole hole;
  hole.org = org_name;
  hole.object = event.entity;
  hole.from_ts = hole.to_ts = event.commit_ts;
  hole.version = version;
  for (const std::string_view text : event.record_ids) {
    const auto id = RecordId::parse(text);
    if (const auto cause = doubts_object(event.type, text); !cause.empty()) {
      hole.scope = Hole::Scope::Object;
      hole.cause = cause;
      hole.detail = fmt::format("{} with a record id that names no single record",
                                headwater::to_string(event.type));
      if (auto opened = parts_.holes.open(*batch_, hole); !opened) return opened.error();
    } else if (is_gap(event.type)) {
      hole.scope = Hole::Scope::Record;
      hole.id = id->str();
      hole.cause = "gap";
      hole.detail = headwater::to_string(event.type);
      if (auto opened = parts_.holes.open(*batch_, hole); !opened) return opened.error();
    } else {
      add_task(context, *id, index);
    }
  }
  return {};
}

void Writer::add_task(ObjectContext& context, const RecordId& id, std::uint32_t source) {
  const std::size_t size = context.prefix.size() + RecordId::kSize;
  auto* rkey = static_cast<char*>(arena_.allocate(size, 1));
  context.prefix.copy(rkey, context.prefix.size());
  id.view().copy(rkey + context.prefix.size(), RecordId::kSize);
  tasks_.push_back({{rkey, size}, &context, id, source, 0});
}

Result<void> Writer::read_states() {
  order_.resize(tasks_.size());
  for (std::uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
  std::ranges::sort(order_, {}, [&](std::uint32_t i) { return tasks_[i].rkey; });
  keys_.clear();
  for (const std::uint32_t i : order_) {
    if (keys_.empty() || keys_.back() != tasks_[i].rkey) keys_.push_back(tasks_[i].rkey);
    tasks_[i].touched = static_cast<std::uint32_t>(keys_.size() - 1);
  }
  if (touched_.size() < keys_.size()) touched_.resize(keys_.size());
  touched_count_ = keys_.size();
  held_.clear();
  missing_.clear();
  for (const std::string_view key : keys_) {
    held_.push_back(cache_.find(key));
    if (held_.back() == nullptr) missing_.push_back(key);
  }
  if (!missing_.empty()) {
    if (auto ok = parts_.store.get_sorted(Family::Records, missing_, found_); !ok) return ok;
  }
  for (const Task& task : tasks_) {
    Touched& record = touched_[task.touched];
    record.rkey = task.rkey;
    record.context = task.context;
    record.id = task.id;
  }
  std::size_t asked = 0;
  for (std::size_t i = 0; i < touched_count_; ++i) {
    Touched& record = touched_[i];
    record.dirty = false;
    const std::string* bytes = held_[i];
    if (bytes == nullptr) {
      const Found& found = found_[asked++];
      if (found.found) bytes = &found.value;
    }
    if (bytes == nullptr) {
      record.state.clear();
    } else if (!codec_.decode(*bytes, record.state)) {
      return fatal(
          fmt::format("ledger: the state of {} is damaged or of a newer format; restore a backup",
                      record.rkey));
    }
    record.known = record.state.known;
    record.deleted = record.state.deleted();
    record.incomplete = !record.state.complete;
  }
  return {};
}

void Writer::list_sources(const EventView& event) {
  changed_.clear();
  nulled_.clear();
  if (is_full(event.type)) return;  // a full image lists no changes
  for (const Member& member : event.fields) {
    changed_.push_back(member.name);
    if (member.value.is_null()) nulled_.push_back(member.name);
  }
  for (const Member& member : event.diffs) changed_.push_back(member.name);
}

Result<void> Writer::step(Touched& record,
                          const Incoming& in,
                          const Change& like,
                          Applied& applied) {
  RecordState& state = record.state;
  ObjectProjector& projector = *record.context->projector;
  if (reprojection_.tell_owed(*batch_, record.rkey, state, arena_)) {
    record.dirty = true;
    ++applied.entries;
  }
  const crm::StateFacts facts_before = projector.facts_of(state, record.id.view());
  const bool had = state.meta.rev.value != 0;
  const bool was_deleted = state.deleted();
  const Version dead_before = state.dead;
  applier_.apply(state, in, outcome_);
  if (came_back_unseen(state, in, dead_before)) {
    if (auto ok = deletion_changed(record, in.version); !ok) return ok;
  }
  if (outcome_.doubt != Doubt::None) {
    if (auto ok = doubt(record, outcome_.doubt, in.version, applied); !ok) return ok;
  }
  if (!outcome_.moved) {
    ++applied.unchanged;
    return {};
  }
  record.dirty = true;
  if (!in.present && state.deleted_at == 0) state.deleted_at = parts_.clock.now_ms();
  if (outcome_.refs) parts_.back_refs.stage(*batch_, record.rkey, state, outcome_.replaced);
  if (state.deleted() != was_deleted) {
    if (auto ok = deletion_changed(record, in.version); !ok) return ok;
  }
  const crm::StateFacts facts_after = projector.facts_of(state, record.id.view());
  projector.project(state, facts_after, after_);
  if (!after_.record_type_unknown.empty()) {
    parts_.orgs.note_unknown_record_type(*record.context->org, after_.record_type_unknown);
  }
  if (had) projector.project_before(outcome_.replaced, facts_before, after_, before_);
  if (outcome_.refs && !in.version.is_row()) {
    if (auto ok = doubt_dead_parents(record, in.version, applied); !ok) return ok;
  }

  Change change = like;
  change.rkey = record.rkey;
  change.id = record.id.view();
  change.before = had ? &before_ : nullptr;
  change.after = &after_;
  change.version = in.version;
  const bool dated = in.present && in.version.at_ms != 0;
  change.commit_ts = dated ? in.version.at_ms : parts_.clock.now_ms();
  change.late = outcome_.late;
  if (publisher_.publish(*batch_, projector, state, change, arena_)) {
    ++applied.entries;
  } else {
    ++applied.unchanged;
  }
  return {};
}

Result<void> Writer::doubt(Touched& record, Doubt doubt, const Version& version, Applied& applied) {
  // While a refetch of an incomplete record is owed, more partial events say nothing new.
  if (doubt == Doubt::Incomplete && record.state.refetch_owed) return {};
  return put_in_doubt(record, to_string(doubt), version, applied);
}

Result<void> Writer::put_in_doubt(Touched& record,
                                  std::string_view cause,
                                  const Version& version,
                                  Applied& applied) {
  Hole hole;
  hole.scope = Hole::Scope::Record;
  hole.org = record.context->org->name;
  hole.object = record.context->object;
  hole.id = record.id.str();
  hole.cause = cause;
  hole.from_ts = hole.to_ts = version.at_ms;
  hole.version = version;
  auto opened = parts_.holes.open(*batch_, std::move(hole));
  if (!opened) return opened.error();
  if (*opened) ++applied.refetches;
  record.dirty = record.dirty || !record.state.refetch_owed;
  record.state.refetch_owed = true;
  return {};
}

void Writer::count(Touched& record) {
  RecordCounts& counts = record.context->counts;
  const bool deleted = record.state.deleted();
  const bool incomplete = !record.state.complete;
  if (record.known && record.deleted == deleted && record.incomplete == incomplete) return;
  if (record.known) {
    --(record.deleted ? counts.deleted : counts.alive);
    if (!record.deleted && record.incomplete) --counts.incomplete;
  }
  ++(deleted ? counts.deleted : counts.alive);
  if (!deleted && incomplete) ++counts.incomplete;
  record.context->dirty = true;
}

void Writer::write_states(Caching caching) {
  for (std::size_t i = 0; i < touched_count_; ++i) {
    Touched& record = touched_[i];
    if (!record.dirty || !record.state.known) continue;
    bytes_.clear();
    codec_.encode(record.state, bytes_);
    batch_->put(Family::Records, record.rkey, bytes_);
    if (held_[i] != nullptr) {
      cache_.replace(*held_[i], bytes_);
    } else if (caching == Caching::All) {
      cache_.add(record.rkey, bytes_);
    }
    count(record);
  }
  cache_.trim();
}

void Writer::put_state(std::string_view rkey, std::string_view state) {
  batch_->put(Family::Records, rkey, state);
  if (std::string* held = cache_.find(rkey)) cache_.replace(*held, state);
}

/// True if the stream had no position before.
bool Writer::move_position(const IngestBatch& batch) {
  EpochMs newest = 0;
  for (const EventView& event : batch.events) newest = std::max(newest, event.commit_ts);
  for (const auto& event : batch.platform) newest = std::max(newest, event.created_at);
  if (!batch.position && newest == 0) return false;
  StreamPosition position = parts_.positions.get(batch.stream).value_or(StreamPosition{});
  const bool first = position.replay_id.empty();
  if (batch.position) {
    position.replay_id = *batch.position;
    position.stored_at = parts_.clock.now_ms();
    ++position.stores;
  }
  position.newest_commit_ts = std::max(position.newest_commit_ts, newest);
  parts_.positions.put(*batch_, batch.stream, position);
  return first;
}

Result<void> Writer::commit(StoreBatch& batch, bool sync) {
  parts_.names.stage(batch);
  parts_.orgs.stage(batch);
  parts_.objects.stage(batch);
  parts_.holes.stage(batch);
  parts_.jobs.stage(batch);
  parts_.journal.stage(batch);
  if (auto ok = parts_.store.write(batch, sync); !ok) return ok;
  parts_.positions.publish();
  parts_.holes.publish();
  parts_.journal.publish();
  return {};
}

}  // namespace headwater::ledger
