#include "daemon/ledger/quarantine.hpp"

#include <algorithm>

#include "daemon/ledger/hole_rows.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kTallyFormat = 1;

}  // namespace

Result<void> Quarantine::load() {
  if (auto ok = archive_.load(); !ok) return ok;
  std::string bytes;
  auto found = store_.get(Family::Meta, kQuarantineTallyKey, bytes);
  if (!found) return found.error();
  if (*found) {
    ByteReader reader(bytes);
    if (reader.byte() != kTallyFormat) {
      return fatal(
          "ledger: the count of quarantine rows has a newer format; start the version that wrote "
          "it");
    }
    open_ = reader.varint();
    return {};
  }
  // None yet, or a ledger from before rows had a count of their own.
  auto scan = store_.scan(Family::Quarantine, "");
  for (; scan->valid(); scan->next()) ++open_;
  tally_dirty_ = open_.load() > 0;
  return scan->status();
}

Result<std::optional<QuarantineRow>> Quarantine::get(const std::string& key) const {
  std::string bytes;
  if (const auto at = pending_.find(key); at != pending_.end()) {
    if (!at->second) return std::optional<QuarantineRow>();
    bytes = *at->second;
  } else {
    auto found = store_.get(Family::Quarantine, key, bytes);
    if (!found) return found.error();
    if (!*found) return std::optional<QuarantineRow>();
  }
  auto row = read_row(key, bytes);
  if (!row) {
    return fatal("ledger: the quarantine row " + key +
                 " is damaged or of a newer format; restore a backup");
  }
  return row;
}

/// The journal value by which sinks hear of a row's opening, another try or its end.
void Quarantine::tell(StoreBatch& batch, const QuarantineRow& row, Rev rev) {
  const std::string text = quarantine_json(row, Payload::Told);
  EntryView entry;
  entry.kind = EntryKind::Quarantine;
  entry.op = Op::Read;
  entry.rkey = row.key;
  entry.org = row.org;
  entry.ts_ms = clock_.now_ms();
  entry.row = text;
  entry.closed = row.closing.how != Closing::How::Open;
  std::string bytes;
  put_entry(bytes, entry);
  journal_.put(batch, rev, bytes);
}

void Quarantine::keep(const QuarantineRow& row) {
  std::string bytes;
  put_row(bytes, row);
  pending_.insert_or_assign(row.key, std::move(bytes));
}

Result<void> Quarantine::put(StoreBatch& batch, const QuarantineRow& row) {
  QuarantineRow kept = row;
  kept.key = quarantine_key(row);
  if (kept.last_seen == 0) kept.last_seen = clock_.now_ms();
  if (kept.first_seen == 0) kept.first_seen = kept.last_seen;
  auto known = get(kept.key);
  if (!known) return known.error();
  if (*known) {
    kept.rev = (*known)->rev;
    kept.first_seen = (*known)->first_seen;
    kept.attempts = (*known)->attempts + 1;
  } else {
    kept.rev = journal_.next();
    ++open_;
    tally_dirty_ = true;
    tell(batch, kept, kept.rev);
  }
  keep(kept);
  return {};
}

Result<bool> Quarantine::close(StoreBatch& batch,
                               const QuarantineRow& row,
                               const Closing& closing) {
  auto known = get(row.key);
  if (!known) return known.error();
  if (!*known || (*known)->rev != row.rev) return false;
  QuarantineRow ended = std::move(**known);
  pending_.insert_or_assign(ended.key, std::nullopt);
  --open_;
  tally_dirty_ = true;
  ended.closing = closing;
  if (ended.closing.at == 0) ended.closing.at = clock_.now_ms();
  const Rev closed = journal_.next();
  tell(batch, ended, closed);
  ended.payload.clear();
  std::string bytes;
  put_text(bytes, ended.key);
  put_row(bytes, ended);
  archive_.add(batch, closed, bytes);
  return true;
}

Result<std::size_t> Quarantine::release(StoreBatch& batch,
                                        const RecordKey& record,
                                        std::string_view stage,
                                        Rev accepted,
                                        const Closing& closing) {
  const std::string prefix = make_key(record.org, record.object, record.id.str(), stage, "");
  std::vector<QuarantineRow> rows;
  auto scan = store_.scan(Family::Quarantine, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    auto row = read_row(scan->key(), scan->value());
    if (row && row->entry_rev < accepted) rows.push_back(std::move(*row));
  }
  std::size_t released = 0;
  for (const QuarantineRow& row : rows) {
    auto closed = close(batch, row, closing);
    if (!closed) return closed.error();
    released += *closed ? 1 : 0;
  }
  return released;
}

Result<bool> Quarantine::retry_failed(StoreBatch& batch,
                                      const QuarantineRow& row,
                                      const Error& error) {
  auto known = get(row.key);
  if (!known) return known.error();
  if (!*known || (*known)->rev != row.rev) return false;
  QuarantineRow& kept = **known;
  ++kept.attempts;
  kept.reason = error.message;
  kept.last_seen = clock_.now_ms();
  tell(batch, kept, journal_.next());
  keep(kept);
  return true;
}

void Quarantine::stage(StoreBatch& batch) {
  for (const auto& [key, bytes] : pending_) {
    if (bytes) {
      batch.put(Family::Quarantine, key, *bytes);
    } else {
      batch.erase(Family::Quarantine, key);
    }
  }
  pending_.clear();
  if (!tally_dirty_) return;
  std::string bytes;
  put_byte(bytes, kTallyFormat);
  put_varint(bytes, open_.load());
  batch.put(Family::Meta, kQuarantineTallyKey, bytes);
  tally_dirty_ = false;
}

std::vector<QuarantineRow> Quarantine::open(std::size_t most) const {
  std::vector<QuarantineRow> out;
  auto scan = store_.scan(Family::Quarantine, "");
  for (; scan->valid() && out.size() < most; scan->next()) {
    if (auto row = read_row(scan->key(), scan->value())) out.push_back(std::move(*row));
  }
  return out;
}

std::vector<QuarantineRow> Quarantine::closed(std::size_t most) const {
  std::vector<QuarantineRow> out;
  archive_.walk([&](std::string_view bytes) {
    if (auto row = read_closed_row(bytes)) out.push_back(std::move(*row));
    return true;
  });
  std::reverse(out.begin(), out.end());
  if (out.size() > most) out.resize(most);
  return out;
}

std::optional<QuarantineRow> Quarantine::find(Rev number) const {
  std::optional<QuarantineRow> out;
  auto scan = store_.scan(Family::Quarantine, "");
  for (; scan->valid() && !out; scan->next()) {
    auto row = read_row(scan->key(), scan->value());
    if (row && row->rev == number) out = std::move(row);
  }
  if (out) return out;
  archive_.walk([&](std::string_view bytes) {
    auto row = read_closed_row(bytes);
    if (row && row->rev == number) out = std::move(row);
    return !out;
  });
  return out;
}

}  // namespace headwater::ledger
