#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/ledger/ledger.hpp"

namespace headwater::ledger {

struct HoleCount;

/// Where a record stands, as far as the audit asks.
struct Standing {
  RecordId id;
  Rev rev;  ///< of its newest entry
  bool deleted = false;
  bool doubted = false;  ///< a record hole is open: it is known that something may be missing
  bool complete = false;
  Version newest;        ///< of all that was applied
  EpochMs known_to = 0;  ///< newest commit second or SystemModstamp of anything applied
};

/// A record with its raw image. Borrowed: only inside the call that gives it.
struct RawRecord {
  Standing standing;
  std::span<const Member> fields;  ///< sorted by name number
};

/// The key of the record that the hole is of. REQUIRES: it is of one.
std::string rkey_of(const Hole& hole);

/// A doubt that this sink's target holds the record otherwise than the ledger.
Hole sink_hole(std::string_view sink, const RecordKey& record, std::string detail);

/// A doubt that this record, which a target holds and the ledger has never seen, lives in the org:
/// it is asked for by id. Should it be gone, that is told to every sink.
Hole stray_hole(const RecordKey& record, std::string detail);

/// What the audit asks of a ledger and writes to it: states as the org would tell them, holes many
/// at a time and their numbers, records told again, receipts. Thread-safe.
class AuditBook {
 public:
  /// `ledger` must outlive it.
  explicit AuditBook(Ledger& ledger) : ledger_(ledger) {}

  /// The object's records whose ids lie behind `after` (empty: all), in byte order of their ids, at
  /// most `most`. None: there are no more.
  Result<std::vector<Standing>> standings(std::string_view org,
                                          std::string_view object,
                                          std::string_view after,
                                          std::size_t most) const;
  /// Gives each id's record to `visit`, in order; nothing for one that was never seen.
  using RawVisitor = std::function<void(std::size_t index, const RawRecord* record)>;
  Result<void> raw(std::string_view org,
                   std::string_view object,
                   std::span<const RecordId> ids,
                   const RawVisitor& visit) const;

  /// Opens all in one write.
  Result<void> open(std::span<const Hole> holes);
  /// Closes all in one write, each as its `closing` says.
  Result<void> close(std::span<const Hole> holes);
  /// The open holes of records that this sink's target holds wrongly.
  std::vector<Hole> sink_holes(std::string_view org, std::string_view sink) const;
  /// True if it is not known yet whether a record is gone: one that the brake on deletes holds up,
  /// or one that a target holds and the ledger has never seen.
  Result<bool> any_held_up(std::string_view org, std::string_view object) const;
  /// Has the object's records that the brake holds up asked for at once, and not in an hour.
  Result<void> ask_spared(std::string_view org, std::string_view object);
  /// True if an image of the record stands in quarantine at this stage.
  Result<bool> in_quarantine(const RecordKey& record, std::string_view stage) const;
  /// The record's hole, if one is open.
  Result<std::optional<Hole>> hole_of(std::string_view org,
                                      std::string_view object,
                                      std::string_view id) const;

  /// By cause: every one that was open at the start or was met since (hole_counts.hpp).
  std::vector<HoleCount> hole_counts() const;

  /// Tells these records anew although nothing changed: each gets an entry with a new rev and
  /// change type RECONCILE (op r, or d if it is deleted), which replaces whatever a target holds.
  /// One write; how many were told: those that the ledger knows. `above`: a rev that nobody gave
  /// and a target holds; theirs will be greater. REQUIRES: may_follow(above).
  Result<std::size_t> restate(std::span<const RecordKey> keys, Rev above = {});
  /// True if our revs may jump above it: not if it lies years ahead of the clock, since revs end at
  /// 2^53.
  bool may_follow(Rev above) const;

  /// Rows of the audit's own, `name` below its prefix. Durable when it returns.
  Result<void> keep(std::string_view name, std::string_view text);
  Result<void> forget(std::string_view name);
  /// That of this very name; empty: there is none.
  Result<std::string> text_of(std::string_view name) const;
  /// Those whose names begin with `prefix`, by name.
  Result<std::vector<std::pair<std::string, std::string>>> kept(std::string_view prefix) const;

 private:
  Ledger& ledger_;
};

}  // namespace headwater::ledger
