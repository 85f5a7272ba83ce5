#include "daemon/ledger/holes.hpp"

#include <algorithm>

#include "daemon/ledger/apply.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "daemon/ledger/hole_rows.hpp"
#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;

/// Every record that is met for the first time by a change of it has one, and every delete.
bool is_routine(const Hole& hole) {
  return hole.scope == Hole::Scope::Deletion || hole.cause == to_string(Doubt::Incomplete);
}

}  // namespace

Result<void> Holes::load() {
  if (auto ok = rows_.load(); !ok) return ok;
  for (auto* archive : {&archive_, &closed_records_, &closed_routine_}) {
    if (auto ok = archive->load(); !ok) return ok;
  }
  auto scan = store_.scan(Family::Holes, "");
  for (; scan->valid(); scan->next()) {
    const auto hole = read_hole(scan->key(), scan->value());
    if (!hole) {
      // Passed over, it would be neither shown nor repaired.
      return fatal("ledger: the hole " + std::string(scan->key()) +
                   " is damaged or of a newer format; start the version that wrote it, or restore "
                   "a backup");
    }
    counts_.found(*hole);
  }
  if (auto ok = scan->status(); !ok) return ok;
  std::string bytes;
  auto found = store_.get(Family::Meta, kTallyKey, bytes);
  if (!found) return found.error();
  if (!*found) return {};
  ByteReader reader(bytes);
  if (reader.byte() != kFormat) {
    return fatal("ledger: the count of holes has a newer format; start the version that wrote it");
  }
  open_ = reader.varint();
  return {};
}

void Holes::keep(std::string key, const Hole& hole) {
  std::string bytes;
  put_hole(bytes, hole);
  holes_.insert_or_assign(std::move(key), std::move(bytes));
}

Result<std::optional<std::string>> Holes::find(const std::string& key) const {
  if (const auto at = holes_.find(key); at != holes_.end()) return at->second;
  std::string bytes;
  auto found = store_.get(Family::Holes, key, bytes);
  if (!found) return found.error();
  if (!*found) return std::optional<std::string>();
  return std::optional<std::string>(std::move(bytes));
}

Result<std::optional<Hole>> Holes::find_stretch(const Hole& like) const {
  const std::string prefix = make_key(like.org, "s", like.topic, "");
  const auto matches = [&](std::string_view key, std::string_view bytes) -> std::optional<Hole> {
    if (!key.starts_with(prefix)) return std::nullopt;
    auto hole = read_hole(key, bytes);
    if (!hole || hole->cause != like.cause) return std::nullopt;
    return hole;
  };
  for (const auto& [key, bytes] : holes_) {
    if (bytes) {
      if (auto hole = matches(key, *bytes)) return hole;
    }
  }
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    if (holes_.contains(scan->key())) continue;
    if (auto hole = matches(scan->key(), scan->value())) return hole;
  }
  if (auto ok = scan->status(); !ok) return ok.error();
  return std::optional<Hole>();
}

/// The journal value by which sinks hear of a hole's opening or closing.
void Holes::tell(StoreBatch& batch, const Hole& hole, Rev rev) {
  const std::string row = hole_json(hole);
  const std::string key = shown_key(hole);
  EntryView entry;
  entry.kind = EntryKind::Hole;
  entry.op = Op::Read;
  entry.rkey = key;
  entry.org = hole.org;
  entry.ts_ms = clock_.now_ms();
  entry.row = row;
  entry.closed = hole.closing.how != Closing::How::Open;
  std::string bytes;
  put_entry(bytes, entry);
  journal_.put(batch, rev, bytes);
}

Result<bool> Holes::open(StoreBatch& batch, Hole hole) {
  if (hole.opened_at == 0) hole.opened_at = clock_.now_ms();
  std::optional<Hole> known;
  if (hole.scope == Hole::Scope::Stretch) {
    auto found = find_stretch(hole);
    if (!found) return found.error();
    known = std::move(*found);
  } else {
    const std::string key = hole_key(hole);
    auto found = find(key);
    if (!found) return found.error();
    if (*found) known = read_hole(key, **found);
  }
  const bool opened = !known;
  if (hole.scope == Hole::Scope::Stretch) {
    const auto position = positions_.get({hole.org, hole.topic});
    hole.stores = position ? position->stores : 0;
    if (known) known->stores = hole.stores;
  }
  if (known) {
    const Hole before = *known;
    const bool open_ended = is_timed(hole);
    // A time in which something was lost does not get a beginning that nobody knew: less of it
    // would be read.
    const bool timed = open_ended || hole.scope == Hole::Scope::Stretch;
    const bool unknown = known->from_ts == 0 && !timed;
    known->from_ts = unknown ? hole.from_ts : std::min(known->from_ts, hole.from_ts);
    // A silence that begins again before the last one is repaired has no end.
    const bool lasts = open_ended && hole.to_ts == 0;
    // Whoever answered a stretch as it was has not answered what was lost since, though the clock
    // may have gone back: a stretch that is renewed ends later in any case.
    const bool renewed = hole.scope == Hole::Scope::Stretch && known->to_ts > 0;
    const EpochMs later = known->to_ts + (renewed ? 1 : 0);
    known->to_ts = lasts ? 0 : std::max(later, hole.to_ts);
    if (number_less(known->version, hole.version)) {
      known->version = hole.version;
      // Whatever an event puts in doubt besides, a spared record stays one of the spared.
      if (known->cause != kMassDelete || hole.cause == kUnseen) known->cause = hole.cause;
      known->next_try = hole.next_try;
      if (hole.scope == Hole::Scope::Deletion) known->detail.clear();  // its children anew
    }
    if (!hole.detail.empty()) known->detail = hole.detail;
    hole = std::move(*known);
    counts_.renewed(before, hole);
  } else {
    ++open_;
    counts_.opened(hole);
    tally_dirty_ = true;
    if (!hole.of_record()) {
      hole.rev = journal_.next();
      tell(batch, hole, hole.rev);
    }
  }
  keep(hole_key(hole), hole);
  return opened;
}

Result<bool> Holes::close_record(std::string_view org,
                                 std::string_view object,
                                 std::string_view id,
                                 const Version& noted,
                                 std::string_view proof) {
  return close_key(make_key(org, "r", object, id), noted, proof);
}

Result<bool> Holes::close_deletion(std::string_view org,
                                   std::string_view object,
                                   std::string_view id,
                                   const Version& noted,
                                   std::string_view proof) {
  return close_key(make_key(org, "d", object, id), noted, proof);
}

Result<std::string> Holes::cause_of(std::string_view org,
                                    std::string_view object,
                                    std::string_view id) const {
  if (open_ == 0) return std::string();
  const std::string key = make_key(org, "r", object, id);
  auto found = find(key);
  if (!found) return found.error();
  const auto hole = *found ? read_hole(key, **found) : std::nullopt;
  return hole ? hole->cause : std::string();
}

Result<bool> Holes::is_stray(std::string_view org,
                             std::string_view object,
                             std::string_view id) const {
  const auto cause = cause_of(org, object, id);
  if (!cause) return cause.error();
  return *cause == kStray || *cause == kMassDelete || *cause == kUnseen;
}

Result<bool> Holes::is_spared(std::string_view org,
                              std::string_view object,
                              std::string_view id) const {
  const auto cause = cause_of(org, object, id);
  if (!cause) return cause.error();
  return *cause == kMassDelete;
}

Result<bool> Holes::close_spared(std::string_view org,
                                 std::string_view object,
                                 std::string_view id,
                                 const Version& version) {
  const std::string key = make_key(org, "r", object, id);
  auto closed = close_key(key, version, "an event told that it was deleted");
  if (!closed || *closed) return closed;
  auto hole = read_hole(key, **find(key));
  if (!hole) return false;
  hole->next_try = 0;
  keep(key, *hole);
  return false;
}

Result<bool> Holes::close_key(const std::string& key,
                              const Version& noted,
                              std::string_view proof) {
  if (open_ == 0) return true;
  auto found = find(key);
  if (!found) return found.error();
  if (!*found) return true;
  auto hole = read_hole(key, **found);
  // What happened after the query was noted may not be in the row: it is asked for again.
  if (hole && number_less(noted, hole->version)) return false;
  if (hole) {
    counts_.closed(*hole);
    hole->closing = {Closing::How::Repaired, "headwater", std::string(proof), clock_.now_ms()};
    closed_.insert_or_assign(key, std::move(*hole));
  }
  holes_.insert_or_assign(key, std::nullopt);
  --open_;
  tally_dirty_ = true;
  return true;
}

Result<void> Holes::close(StoreBatch& batch, const Hole& hole, const Closing& closing) {
  const std::string key = hole_key(hole);
  auto found = find(key);
  if (!found) return found.error();
  if (!*found) return {};
  auto known = read_hole(key, **found);
  if (known) counts_.closed(*known);
  holes_.insert_or_assign(key, std::nullopt);
  --open_;
  tally_dirty_ = true;
  if (!known) return {};
  known->closing = closing;
  if (known->closing.at == 0) known->closing.at = clock_.now_ms();
  if (known->of_record()) {
    closed_.insert_or_assign(key, std::move(*known));
    return {};
  }
  const Rev closed = journal_.next();
  tell(batch, *known, closed);
  std::string bytes;
  put_closed_hole(bytes, key, *known);
  if (known->wide() || known->cause == kSinkHistory) {
    archive_.add(batch, closed, bytes);
  } else {
    closed_records_.add(batch, bytes);
  }
  return {};
}

Result<void> Holes::postpone(const Hole& hole, EpochMs next_try) {
  const std::string key = hole_key(hole);
  auto found = find(key);
  if (!found) return found.error();
  if (!*found) return {};
  auto known = read_hole(key, **found);
  if (!known) return {};
  // A doubt that came since the caller looked is due by its own time: what was asked for before
  // does not settle it.
  if (number_less(hole.version, known->version)) return {};
  ++known->attempts;
  known->next_try = next_try;
  keep(key, *known);
  return {};
}

/// One that was opened again in the same write is open.
void Holes::keep_closed(StoreBatch& batch) {
  std::string bytes;
  for (const auto& [key, hole] : closed_) {
    if (holes_.at(key)) continue;
    bytes.clear();
    put_closed_hole(bytes, key, hole);
    (is_routine(hole) ? closed_routine_ : closed_records_).add(batch, bytes);
  }
  closed_.clear();
}

void Holes::stage(StoreBatch& batch) {
  rows_.stage(batch);
  keep_closed(batch);
  renewed_ = renewed_ || !holes_.empty();
  for (const auto& [key, bytes] : holes_) {
    if (bytes) {
      batch.put(Family::Holes, key, *bytes);
    } else {
      batch.erase(Family::Holes, key);
    }
  }
  holes_.clear();
  if (!tally_dirty_) return;
  std::string bytes;
  put_byte(bytes, kFormat);
  put_varint(bytes, open_.load());
  batch.put(Family::Meta, kTallyKey, bytes);
  tally_dirty_ = false;
}

void Holes::publish() {
  if (!renewed_) return;
  const std::lock_guard lock(runs_mutex_);
  for (auto& [org, run] : runs_) run.next_pass = 0;
  renewed_ = false;
}

Result<bool> Holes::still_open(const Hole& hole) const {
  auto found = find(hole_key(hole));
  if (!found) return found.error();
  if (!*found) return false;
  const auto known = read_hole(hole_key(hole), **found);
  return known && !number_less(hole.version, known->version);
}

Result<void> Holes::renew(const Hole& hole) {
  auto open = still_open(hole);
  if (!open) return open.error();
  if (!*open) return {};
  keep(hole_key(hole), hole);
  return {};
}

Result<std::uint64_t> Holes::ask_held_up(const Hole& like) {
  const std::string prefix = make_key(like.org, "r", like.object, "");
  std::uint64_t asked = 0;
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    auto hole = read_hole(scan->key(), scan->value());
    if (!hole || hole->cause != kMassDelete) continue;
    std::string bytes;
    auto known = store_.get(Family::Records, make_key(like.org, like.object, hole->id), bytes);
    if (!known) return known.error();
    if (*known) continue;
    hole->cause = like.cause;
    hole->version = like.version;
    hole->next_try = 0;
    keep(std::string(scan->key()), *hole);
    ++asked;
  }
  if (auto ok = scan->status(); !ok) return ok.error();
  return asked;
}

Result<void> Holes::ask_spared(std::string_view org, std::string_view object) {
  const std::string prefix = make_key(org, "r", object, "");
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    auto hole = read_hole(scan->key(), scan->value());
    if (!hole || hole->cause != kMassDelete) continue;
    hole->next_try = 0;
    keep(std::string(scan->key()), *hole);
  }
  return scan->status();
}

}  // namespace headwater::ledger
