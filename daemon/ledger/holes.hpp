#pragma once

#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ledger/closed_rows.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "daemon/ledger/hole_counts.hpp"
#include "daemon/ledger/journal.hpp"
#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/quarantine.hpp"
#include "daemon/ledger/store.hpp"
#include "daemon/ledger/stream_position.hpp"

namespace headwater::ledger {

/// Cause. Of a record: a reading of its whole object did not meet it, and it is asked for by id.
inline constexpr std::string_view kUnseen = "unseen";

/// What may be missing, and, behind rows(), what was withheld. Opening and closing a hole is an
/// entry, but for holes of single records: those are counted. Changes go to the batch at stage();
/// until then they are seen here. Changing calls: under the write lock. Others: any thread.
class Holes {
 public:
  Holes(Store& store, Journal& journal, const Positions& positions, const Clock& clock)
      : store_(store),
        journal_(journal),
        positions_(positions),
        clock_(clock),
        rows_(store, journal, clock),
        archive_(store, kClosedHolePrefix),
        closed_records_(store, kClosedRecordPrefix),
        closed_routine_(store, kClosedRoutinePrefix) {}
  Result<void> load();

  /// Opens it, or renews an open one (a later version, a new detail). True if it was not open.
  Result<bool> open(StoreBatch& batch, Hole hole);
  /// Closes a record's hole if what was asked for at `noted` answers it. True if none is open then.
  /// `proof` says how it was answered, and is kept.
  Result<bool> close_record(std::string_view org,
                            std::string_view object,
                            std::string_view id,
                            const Version& noted,
                            std::string_view proof);
  /// Of the record's open hole; empty: none is open.
  Result<std::string> cause_of(std::string_view org,
                               std::string_view object,
                               std::string_view id) const;
  /// True if the brake on deletes spared the record, and that doubt is open.
  Result<bool> is_spared(std::string_view org, std::string_view object, std::string_view id) const;
  /// An event, applied at `version`, says that a spared record is gone. True if nothing else is in
  /// doubt about it: its hole is closed. Otherwise it is asked for at once.
  Result<bool> close_spared(std::string_view org,
                            std::string_view object,
                            std::string_view id,
                            const Version& version);
  /// The same as close_record() for a deletion's hole.
  Result<bool> close_deletion(std::string_view org,
                              std::string_view object,
                              std::string_view id,
                              const Version& noted,
                              std::string_view proof);
  /// REQUIRES: the ledger has never seen the record. True if a hole is open because a sink alone
  /// holds it: as it was found, as the brake left it, or as a person who confirms has it asked for.
  Result<bool> is_stray(std::string_view org, std::string_view object, std::string_view id) const;
  /// True if it is open, and no newer doubt came since the caller looked.
  Result<bool> still_open(const Hole& hole) const;
  /// Puts `hole` in the place of the open one, if it is still_open().
  Result<void> renew(const Hole& hole);
  Result<void> close(StoreBatch& batch, const Hole& hole, const Closing& closing);
  Result<void> postpone(const Hole& hole, EpochMs next_try);
  Result<void> quarantine(StoreBatch& batch, const QuarantineRow& row) {
    return rows_.put(batch, row);
  }
  void stage(StoreBatch& batch);
  void publish();  ///< after the batch was written: due() looks again

  std::vector<Hole> list(std::size_t most) const;
  std::vector<Hole> wide(std::string_view org) const;
  /// Records of the org that the sink's target holds wrongly.
  std::vector<Hole> of_sink(std::string_view org, std::string_view sink) const;
  std::vector<Hole> due(std::string_view org, EpochMs now, std::size_t most) const;
  std::vector<Hole> due_fates(std::string_view org, EpochMs now, std::size_t most) const;
  std::vector<Hole> closed(std::size_t most) const;
  std::size_t open_count() const { return open_.load(); }
  const HoleCounts& counts() const { return counts_; }
  Quarantine& rows() { return rows_; }
  const Quarantine& rows() const { return rows_; }
  /// True while a stretch of the org's changes is in doubt. One of platform events, which only an
  /// operator ends, says nothing of records.
  bool record_stretch_open(std::string_view org) const;
  /// Asks again for the object's records that the brake holds up and that the ledger has never
  /// seen, under this cause and from this version on: how many.
  Result<std::uint64_t> ask_held_up(const Hole& like);
  /// Asks at once for the object's records that the brake holds up, and not in an hour.
  Result<void> ask_spared(std::string_view org, std::string_view object);
  /// True if a record of the object has a hole of this cause. Under the write lock.
  bool any_record(std::string_view org, std::string_view object, std::string_view cause) const;

 private:
  using Pending = std::map<std::string, std::optional<std::string>, std::less<>>;
  /// What the next stage() writes under the key.
  void keep(std::string key, const Hole& hole);
  Result<std::optional<std::string>> find(const std::string& key) const;
  Result<bool> close_key(const std::string& key, const Version& noted, std::string_view proof);
  void keep_closed(StoreBatch& batch);
  Result<std::optional<Hole>> find_stretch(const Hole& like) const;
  void tell(StoreBatch& batch, const Hole& hole, Rev rev);

  Store& store_;
  Journal& journal_;
  const Positions& positions_;
  const Clock& clock_;
  Quarantine rows_;
  ClosedRows archive_, closed_records_, closed_routine_;
  Pending holes_;
  /// Records' holes that were closed since the last stage(), by key.
  std::map<std::string, Hole, std::less<>> closed_;
  HoleCounts counts_;
  std::atomic<std::size_t> open_{0};
  bool tally_dirty_ = false;
  bool renewed_ = false;

  /// Record holes that were due at the last pass over an org, oldest first.
  struct Run {
    std::vector<std::string> keys;
    EpochMs next_pass = 0;  ///< nothing is due before
  };
  mutable std::mutex runs_mutex_;
  mutable std::map<std::string, Run, std::less<>> runs_;
};

}  // namespace headwater::ledger
