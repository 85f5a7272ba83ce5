#include "daemon/ledger/holes.hpp"

#include <algorithm>

#include "daemon/ledger/hole_rows.hpp"
#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;
/// Keys that one pass over an org's record holes keeps: later calls need no pass of their own.
constexpr std::size_t kRunMax = 20'000;

/// The journal value by which sinks hear of a row's opening or closing.
std::string row_entry(EntryKind kind,
                      std::string_view org,
                      std::string_view key,
                      std::string_view row,
                      EpochMs now,
                      bool closed) {
  EntryView entry;
  entry.kind = kind;
  entry.op = Op::Read;
  entry.rkey = key;
  entry.org = org;
  entry.ts_ms = now;
  entry.row = row;
  entry.closed = closed;
  std::string bytes;
  put_entry(bytes, entry);
  return bytes;
}

}  // namespace

Result<void> Holes::load() {
  std::string bytes;
  auto found = store_.get(Family::Meta, kTallyKey, bytes);
  if (!found) return found.error();
  if (!*found) return {};
  ByteReader reader(bytes);
  if (reader.byte() != kFormat) {
    return fatal("ledger: the count of holes has a newer format; start the version that wrote it");
  }
  open_ = reader.varint();
  quarantined_ = reader.varint();
  return {};
}

Result<std::optional<std::string>> Holes::find(Family family,
                                               const Pending& pending,
                                               const std::string& key) const {
  if (const auto at = pending.find(key); at != pending.end()) return at->second;
  std::string bytes;
  auto found = store_.get(family, key, bytes);
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

Result<void> Holes::tell(
    StoreBatch& batch, const Hole& hole, Rev rev, bool closed, std::string_view evidence) {
  const std::string row = hole_json(hole, closed, evidence);
  journal_.put(batch,
               rev,
               row_entry(EntryKind::Hole, hole.org, shown_key(hole), row, clock_.now_ms(), closed));
  return {};
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
    auto found = find(Family::Holes, holes_, key);
    if (!found) return found.error();
    if (*found) known = read_hole(key, **found);
  }
  const bool opened = !known;
  if (known) {
    known->from_ts = known->from_ts == 0 ? hole.from_ts : std::min(known->from_ts, hole.from_ts);
    known->to_ts = std::max(known->to_ts, hole.to_ts);
    if (number_less(known->version, hole.version)) {
      known->version = hole.version;
      known->cause = hole.cause;
      known->next_try = hole.next_try;
    }
    if (!hole.detail.empty()) known->detail = hole.detail;
    hole = std::move(*known);
  } else {
    ++open_;
    tally_dirty_ = true;
    if (hole.scope != Hole::Scope::Record) {
      hole.rev = journal_.next();
      if (auto ok = tell(batch, hole, hole.rev, false, {}); !ok) return ok.error();
    }
  }
  std::string bytes;
  put_hole(bytes, hole);
  holes_.insert_or_assign(hole_key(hole), std::move(bytes));
  return opened;
}

Result<bool> Holes::close_record(std::string_view org,
                                 std::string_view object,
                                 std::string_view id,
                                 const Version& noted) {
  const std::string key = make_key(org, "r", object, id);
  auto found = find(Family::Holes, holes_, key);
  if (!found) return found.error();
  if (!*found) return true;
  const auto hole = read_hole(key, **found);
  // What happened after the query was noted may not be in the row: it is asked for again.
  if (hole && number_less(noted, hole->version)) return false;
  holes_.insert_or_assign(key, std::nullopt);
  --open_;
  tally_dirty_ = true;
  return true;
}

Result<void> Holes::close(StoreBatch& batch, const Hole& hole, std::string_view evidence) {
  const std::string key = hole_key(hole);
  auto found = find(Family::Holes, holes_, key);
  if (!found) return found.error();
  if (!*found) return {};
  const auto known = read_hole(key, **found);
  holes_.insert_or_assign(key, std::nullopt);
  --open_;
  tally_dirty_ = true;
  if (!known || known->scope == Hole::Scope::Record) return {};
  return tell(batch, *known, journal_.next(), true, evidence);
}

Result<void> Holes::postpone(const Hole& hole, EpochMs next_try) {
  const std::string key = hole_key(hole);
  auto found = find(Family::Holes, holes_, key);
  if (!found) return found.error();
  if (!*found) return {};
  auto known = read_hole(key, **found);
  if (!known) return {};
  // A doubt that came since the caller looked is due by its own time: what was asked for before
  // does not settle it.
  if (number_less(hole.version, known->version)) return {};
  ++known->attempts;
  known->next_try = next_try;
  std::string bytes;
  put_hole(bytes, *known);
  holes_.insert_or_assign(key, std::move(bytes));
  return {};
}

Result<void> Holes::tell(StoreBatch& batch, const QuarantineRow& row, std::string_view key) {
  const std::string text = quarantine_json(row);
  journal_.put(
      batch, row.rev, row_entry(EntryKind::Quarantine, row.org, key, text, clock_.now_ms(), false));
  return {};
}

Result<void> Holes::quarantine(StoreBatch& batch, const QuarantineRow& row) {
  const std::string key = quarantine_key(row);
  auto found = find(Family::Quarantine, rows_, key);
  if (!found) return found.error();
  QuarantineRow kept = row;
  if (kept.last_seen == 0) kept.last_seen = clock_.now_ms();
  if (kept.first_seen == 0) kept.first_seen = kept.last_seen;
  if (*found) {
    if (const auto known = read_row(**found)) {
      kept.rev = known->rev;
      kept.first_seen = known->first_seen;
      kept.attempts = known->attempts + 1;
    }
  } else {
    kept.rev = journal_.next();
    ++quarantined_;
    tally_dirty_ = true;
    if (auto ok = tell(batch, kept, key); !ok) return ok;
  }
  std::string bytes;
  put_row(bytes, kept);
  rows_.insert_or_assign(key, std::move(bytes));
  return {};
}

void Holes::stage(StoreBatch& batch) {
  const auto flush = [&](Family family, Pending& pending) {
    for (const auto& [key, bytes] : pending) {
      if (bytes) {
        batch.put(family, key, *bytes);
      } else {
        batch.erase(family, key);
      }
    }
  };
  renewed_ = renewed_ || !holes_.empty();
  flush(Family::Holes, holes_);
  flush(Family::Quarantine, rows_);
  holes_.clear();
  rows_.clear();
  if (!tally_dirty_) return;
  std::string bytes;
  put_byte(bytes, kFormat);
  put_varint(bytes, open_.load());
  put_varint(bytes, quarantined_.load());
  batch.put(Family::Meta, kTallyKey, bytes);
  tally_dirty_ = false;
}

void Holes::publish() {
  if (!renewed_) return;
  const std::lock_guard lock(runs_mutex_);
  for (auto& [org, run] : runs_) run.next_pass = 0;
  renewed_ = false;
}

std::vector<Hole> Holes::list(std::size_t most) const {
  // Stretches and objects first: they are few, and a flood of record holes must not hide them.
  std::vector<Hole> out, records;
  auto scan = store_.scan(Family::Holes, "");
  for (; scan->valid() && out.size() < most; scan->next()) {
    auto hole = read_hole(scan->key(), scan->value());
    if (!hole) continue;
    if (hole->scope != Hole::Scope::Record) {
      out.push_back(std::move(*hole));
    } else if (records.size() < most) {
      records.push_back(std::move(*hole));
    }
  }
  const std::size_t room = std::min(records.size(), most - out.size());
  std::move(records.begin(),
            records.begin() + static_cast<std::ptrdiff_t>(room),
            std::back_inserter(out));
  return out;
}

std::vector<Hole> Holes::due(std::string_view org, EpochMs now, std::size_t most) const {
  const std::lock_guard lock(runs_mutex_);
  auto at = runs_.find(org);
  if (at == runs_.end()) at = runs_.emplace(std::string(org), Run{}).first;
  Run& run = at->second;
  std::vector<Hole> out;
  const auto serve = [&] {
    // Holes that were closed or put off since the pass leave the run; the others stay in front.
    std::vector<std::string> kept;
    std::size_t i = 0;
    std::string bytes;
    for (; i < run.keys.size() && out.size() < most; ++i) {
      auto found = store_.get(Family::Holes, run.keys[i], bytes);
      if (!found || !*found) continue;
      auto hole = read_hole(run.keys[i], bytes);
      if (!hole || hole->next_try > now) continue;
      out.push_back(std::move(*hole));
      kept.push_back(std::move(run.keys[i]));
    }
    kept.insert(kept.end(),
                std::make_move_iterator(run.keys.begin() + static_cast<std::ptrdiff_t>(i)),
                std::make_move_iterator(run.keys.end()));
    run.keys = std::move(kept);
  };
  serve();
  if (!out.empty() || now < run.next_pass) return out;

  const std::string prefix = make_key(org, "r", "");
  using Due = std::pair<EpochMs, std::string>;
  std::vector<Due> heap;  // the oldest kRunMax; its top is the youngest of them
  EpochMs earliest = std::numeric_limits<EpochMs>::max();
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    const auto hole = read_hole(scan->key(), scan->value());
    if (!hole) continue;
    if (hole->next_try > now) {
      earliest = std::min(earliest, hole->next_try);
      continue;
    }
    if (heap.size() == kRunMax && hole->opened_at >= heap.front().first) continue;
    heap.emplace_back(hole->opened_at, std::string(scan->key()));
    std::ranges::push_heap(heap);
    if (heap.size() > kRunMax) {
      std::ranges::pop_heap(heap);
      heap.pop_back();
    }
  }
  std::ranges::sort(heap);
  run.keys.clear();
  for (auto& [opened_at, key] : heap) run.keys.push_back(std::move(key));
  run.next_pass = heap.empty() ? earliest : 0;
  serve();
  return out;
}

std::vector<QuarantineRow> Holes::quarantined(std::size_t most) const {
  std::vector<QuarantineRow> out;
  auto scan = store_.scan(Family::Quarantine, "");
  for (; scan->valid() && out.size() < most; scan->next()) {
    if (auto row = read_row(scan->value())) out.push_back(std::move(*row));
  }
  return out;
}

bool Holes::stretch_open(std::string_view org) const {
  const std::string prefix = make_key(org, "s", "");
  const auto scan = store_.scan(Family::Holes, prefix);
  return scan->valid() && scan->key().starts_with(prefix);
}

}  // namespace headwater::ledger
