#include <fmt/format.h>

#include "daemon/ledger/writer.hpp"

// Rows that somebody asked the org for: how one becomes a change, answers the doubt of its record,
// and what of records that are gone is believed.

namespace headwater::ledger {
namespace {

SnapshotMark mark_of(const RowBatch& rows, std::size_t row) {
  if (rows.type != ChangeType::Snapshot) return SnapshotMark::Incremental;
  return rows.last && row + 1 == rows.rows.size() ? SnapshotMark::Last : SnapshotMark::True;
}

/// How a row answers the doubt of its record.
class Proofs {
 public:
  explicit Proofs(const RowBatch& rows) {
    const std::string_view how =
        rows.type == ChangeType::Snapshot ? "read with its object" : "read by its id";
    const std::string as_of = fmt::format("{} as of version {}: ", how, rows.noted.str());
    lives_ = as_of + "it lives, as it is told since";
    deleted_ = as_of + "it is in the recycle bin";
    gone_ = as_of + "the org has it no more";
  }
  std::string_view of(const Row& row) const {
    return row.deleted ? deleted_ : !row.present ? gone_ : lives_;
  }

 private:
  std::string lives_, deleted_, gone_;
};

}  // namespace

/// The stamp of a record that was found missing: it was still there when the row before it was
/// saved. Without it an event from before that row would be newer than the absence and older than
/// the row, and a deletion that lags would bring the record back.
EpochMs Writer::last_seen(const RecordState& state, const Version& noted) {
  const bool by_row = state.alive.is_row() && number_less(state.alive, noted);
  return by_row ? state.alive.at_ms : 0;
}

Result<Applied> Writer::apply_rows(const RowBatch& rows) {
  Applied applied;
  tasks_.clear();
  arena_.release();
  ObjectContext& context = parts_.objects.of(rows.org, rows.object);
  for (std::uint32_t i = 0; i < rows.rows.size(); ++i) add_task(context, rows.rows[i].id, i);
  if (auto ok = read_states(); !ok) return ok.error();
  const Proofs proofs(rows);
  for (const Task& task : tasks_) {
    const Row& row = rows.rows[task.source];
    Touched& record = touched_[task.touched];
    const bool gone = !row.present || row.deleted;
    const auto spared = context.brake_spared > 0 ? is_spared(record) : false;
    if (!spared) return spared.error();
    // A sink holds it, and nobody else: that it is gone must be told though we never saw it.
    Result<bool> stray = false;
    if (gone && !record.state.known)
      stray = parts_.holes.is_stray(rows.org, rows.object, task.id.view());
    if (!stray) return stray.error();
    auto closed = parts_.holes.close_record(
        rows.org, rows.object, task.id.view(), rows.noted, proofs.of(row));
    if (!closed) return closed.error();
    if (*closed && record.state.refetch_owed) {
      record.state.refetch_owed = false;
      record.dirty = true;
    }
    const bool living = record.state.known && !record.state.deleted();
    if (*spared && *closed && gone && (row.deleted || !living)) {
      if (auto ok = death_told(context); !ok) return ok.error();
    }
    if (gone && !living && !*stray) continue;
    if (!row.present) {
      if (!row.deleted && brake(context, rows.org)) {
        if (auto ok = spare(record, rows.noted, *spared); !ok) return ok.error();
        continue;
      }
      parts_.jobs.found_gone(rows.org, rows.object);
    }
    if (gone) {
      ++applied.deletions;
      rows_deleted_at_ = begin_hour(context);
    }
    Incoming in;
    in.type = row.deleted && row.present ? ChangeType::Reconcile : rows.type;
    in.version = rows.noted;
    in.version.at_ms = row.present ? row.stamp : last_seen(record.state, rows.noted);
    in.fields = row.fields;
    in.present = row.present;
    in.last_modified = context.projector->last_modified();
    Change like;
    like.origin.type = in.type;
    like.origin.snapshot = mark_of(rows, task.source);
    bytes_.clear();
    bytes_.append(rows.org)
        .append(rows.type == ChangeType::Snapshot ? "/snap-" : "/fetch-")
        .append(rows.noted.str())
        .append("/0/")
        .append(task.id.view());
    like.origin.change_id = keep(arena_, bytes_);
    if (auto ok = step(record, in, like, applied); !ok) return ok.error();
  }
  write_states(rows.progress != nullptr ? Caching::Held : Caching::All);
  if (rows.progress != nullptr)
    parts_.jobs.advance(*rows.progress, applied.entries, applied.deletions);
  if (auto ok = commit(*batch_, true); !ok) return ok.error();
  return applied;
}

}  // namespace headwater::ledger
