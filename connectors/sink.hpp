#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/model/entry.hpp"

namespace headwater {

/// Entries in ascending rev; borrowed until write() returns.
using Entries = std::span<const EntryView>;

/// Who we are to a target: two daemons never share an identity.
struct Holder {
  std::string ledger;  ///< the ledger's id (a ULID)
  std::string holder;  ///< machine id + state directory
};

/// What a target remembers of one org. Read, and the fence claimed, by open().
struct Cursor {
  std::string org;
  std::string ledger;       ///< the ledger that wrote it; empty: there was none
  Rev rev;                  ///< the last rev durably applied; 0: none
  std::uint64_t epoch = 0;  ///< ours from now on
  /// No image in the target has a greater rev, whoever wrote it. Above `rev` where a writer died
  /// before its cursor moved, or a materialization keeps the cursor low. 0: nothing is known.
  Rev highest = {};
  EpochMs commit_ts = 0;  ///< of the entry at `rev`, 0: unknown. Told by who is owed history
};

/// Where an org's cursor stands after a batch.
struct CursorMove {
  std::string_view org;
  Rev rev;
  EpochMs commit_ts = 0;  ///< of the last entry, 0: unknown
  /// A target that is owed history is told of the org's records below the one only what they are,
  /// and of its platform events below the other nothing: that was told before we were born anew.
  /// An event between the two may stand behind greater revs of another ledger's.
  Rev history_from = {}, events_from = {};
};

enum class Mode : std::uint8_t {
  Follow,       ///< entries from the journal
  Materialize,  ///< record states in rev order: relations are replaced as a set
  /// States at or below the cursor, which stays where it is: records that the target was passed
  /// over with, or holds already. Relations are replaced as a set; a target that is guarded by rev
  /// and holds them does nothing, but refuses what it would refuse.
  Rewrite,
};

/// One write. `entries` may be empty (only cursors move: a touch). A repeat after an unknown
/// outcome may be cut differently.
struct Batch {
  Entries entries;
  std::span<const CursorMove> cursors;
  Mode mode = Mode::Follow;
  /// The target may not hold what these entries build on (a materialization left out a record that
  /// changed meanwhile, or was cut short by a crash): relations are written whole, though an entry
  /// changes none. Always with Materialize and Rewrite.
  bool whole_relations = false;
};

/// Somewhere entries go. Called by one thread. Blocking; every call has a deadline from its config.
///
/// A sink knows one write. Retry, backoff, halving, quarantine, materializing, metrics and order
/// are the sink loop's, written once. write() is idempotent by design: rows and keys are guarded by
/// rev, so a repeat changes nothing.
class Sink {
 public:
  virtual ~Sink() = default;

  /// Connects, checks, migrates, claims the fence of each org (epoch + 1; a claim changes neither
  /// ledger nor rev) and returns a cursor per org, in order. Called again after every Transient
  /// error. Blocked: a rival holds it, or something needs a person.
  virtual Result<std::vector<Cursor>> open(std::span<const std::string> orgs) = 0;

  /// Entries and cursors durable in the target when it returns OK. Fatal: fenced.
  virtual Result<void> write(const Batch& batch) = 0;

  /// Called when there is nothing to write: what a sink still owes its target (a cursor that rides
  /// with the next write) goes out now. Most have nothing to do.
  virtual Result<void> idle() { return {}; }

  virtual void close() noexcept = 0;

  /// The rev that the target would name for an org if it were opened now, after write() told of
  /// `cursor`: less than that where the cursor rides with a later write. The journal is kept from
  /// here on.
  virtual Rev recorded([[maybe_unused]] std::string_view org, Rev cursor) const { return cursor; }

  /// What the last open() found that works but may hurt, one sentence each with what to do.
  virtual const std::vector<std::string>& warnings() const {
    static const std::vector<std::string> kNone;
    return kNone;
  }

  /// Messages that a dead predecessor's request brought into the target late, seen since the start;
  /// consumers drop them by rule. Only a target that cannot refuse them counts any.
  virtual std::uint64_t late_repeats() const { return 0; }
  /// Records of which such a message was an older image, that compaction would have kept, and the
  /// newest was written again.
  virtual std::uint64_t mended() const { return 0; }

  /// Would the target take this entry, which it holds already, although it has just refused another
  /// of the same object with `refusal`? Nothing: it cannot be told. Asked only where writing it
  /// again would be a change (needs_history()).
  virtual Result<std::optional<bool>> would_take([[maybe_unused]] const EntryView& held,
                                                 [[maybe_unused]] const Error& refusal) {
    return std::optional<bool>();
  }

  /// Most entries and journal bytes that one write takes.
  virtual std::size_t entries_max() const = 0;
  virtual std::size_t bytes_max() const = 0;

  /// True if every entry is owed to the target (history), so that the journal must wait for it.
  /// False: the last image per record is enough, and the journal may be trimmed past its cursor.
  virtual bool needs_history() const { return false; }

  /// True if the journal must wait for the target's cursor. Besides history that is a target which
  /// keeps platform events: no record state makes up for one that was trimmed before it came.
  virtual bool holds_journal() const { return needs_history(); }
};

}  // namespace headwater
