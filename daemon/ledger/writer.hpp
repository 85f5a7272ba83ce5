#pragma once

#include <memory_resource>
#include <string>
#include <vector>

#include "daemon/ledger/apply.hpp"
#include "daemon/ledger/back_refs.hpp"
#include "daemon/ledger/holes.hpp"
#include "daemon/ledger/journal.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/name_store.hpp"
#include "daemon/ledger/objects.hpp"
#include "daemon/ledger/parts.hpp"
#include "daemon/ledger/platform_events.hpp"
#include "daemon/ledger/publisher.hpp"
#include "daemon/ledger/read_jobs.hpp"
#include "daemon/ledger/state_cache.hpp"
#include "daemon/ledger/text_diffs.hpp"

namespace headwater::ledger {

class Reprojection;

/// Applies events and rows: one batch in, one atomic, synced write out (design.md section 2).
///
///   rkeys of all events -> sorted, each once -> cache, else one multi-get -> states
///   per event, per record: apply rule -> project -> differs? -> entry with the next rev
///   states that changed + entries + holes + names + accounts + position -> one write -> head
///
/// Under the write lock.
class Writer {
 public:
  /// `reprojection`: a record that it owes is told before anything is applied to it.
  Writer(const Parts& parts, double sweep_share_max, Reprojection& reprojection);

  Result<Applied> apply(const IngestBatch& batch);
  Result<Applied> apply_rows(const RowBatch& rows);
  Result<void> doubt_children(std::span<const Hole> deletions);
  Result<Applied> tell_fates(const FateBatch& fates);
  /// Stages what all parts owe the batch, writes it and publishes the head. For every other writer.
  Result<void> commit(StoreBatch& batch, bool sync);
  StoreBatch& batch() { return *batch_; }
  /// Stages a record's state for whoever changes it between two batches.
  void put_state(std::string_view rkey, std::string_view state);
  /// REQUIRES: called by whoever writes record states otherwise than through this.
  void forget_states() { cache_.clear(); }

 private:
  /// A record that the batch touches, read once and written once.
  struct Touched {
    std::string_view rkey;
    ObjectContext* context = nullptr;
    RecordId id;
    RecordState state;
    bool known = false, deleted = false, incomplete = false;  // as it was read, for the counts
    bool dirty = false;
  };
  /// One event or row for one record.
  struct Task {
    std::string_view rkey;
    ObjectContext* context = nullptr;
    RecordId id;
    std::uint32_t source = 0;  // which event or row
    std::uint32_t touched = 0;
  };

  Result<void> plan(const IngestBatch& batch);
  Result<void> plan_event(const IngestBatch& batch, std::uint32_t index);
  void add_task(ObjectContext& context, const RecordId& id, std::uint32_t source);
  Result<void> read_states();
  Result<void> step(Touched& record, const Incoming& in, const Change& like, Applied& applied);
  Result<void> doubt(Touched& record, Doubt doubt, const Version& version, Applied& applied);
  Result<void> put_in_doubt(Touched& record,
                            std::string_view cause,
                            const Version& version,
                            Applied& applied);
  // What becomes of deleted records: fates.cpp.
  struct Merge {
    RecordId loser, winner;
  };
  Result<void> deletion_changed(Touched& record, const Version& version);
  static bool came_back_unseen(const RecordState& state,
                               const Incoming& in,
                               const Version& dead_before);
  Result<const RecordState*> peek(std::string_view rkey);
  Result<void> doubt_dead_parents(Touched& record, const Version& version, Applied& applied);
  Result<void> doubt_child(const Hole& parent, std::string_view rkey);
  Result<void> find_merges(const ObjectContext& context,
                           const FateBatch& fates,
                           std::vector<Merge>& merges);
  bool tell_merge(Touched& record,
                  std::string_view winner,
                  std::string_view losers,
                  Applied& applied);
  Result<void> settle_fate(const ObjectContext& context,
                           const Fate& fate,
                           const Version& noted,
                           Applied& applied);
  void list_sources(const EventView& event);
  // Deletes that nobody states: brake.cpp.
  std::uint64_t unstated_max(const ObjectContext& context) const;
  EpochMs begin_hour(ObjectContext& context);
  bool brake(ObjectContext& context, const std::string& org);
  Result<bool> is_spared(const Touched& record) const;
  Result<void> spare(Touched& record, const Version& noted, bool again);
  Result<void> event_told_death(Touched& record, const Version& version);
  Result<void> death_told(ObjectContext& context);
  /// What of the batch the cache takes in: states that an object's reading brings in their millions
  /// would drive out those that events change.
  enum class Caching { All, Held };
  void write_states(Caching caching = Caching::All);
  void count(Touched& record);
  static EpochMs last_seen(const RecordState& state, const Version& noted);
  bool move_position(const IngestBatch& batch);

  Parts parts_;
  const double sweep_share_max_;
  Reprojection& reprojection_;
  std::unique_ptr<StoreBatch> batch_;
  Publisher publisher_;
  Applier applier_;
  TextDiffs text_diffs_;
  RecordCodec codec_;
  PlatformEvents platform_;
  StateCache cache_;

  // Scratch, reused from batch to batch.
  std::pmr::unsynchronized_pool_resource pool_;
  std::pmr::monotonic_buffer_resource arena_;
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> order_;
  std::vector<std::string_view> keys_, missing_;
  std::vector<std::string*> held_;  // of keys_: nullptr if the store must be asked
  std::vector<Found> found_;        // of missing_
  std::vector<Touched> touched_;
  std::size_t touched_count_ = 0;
  std::vector<Version> versions_;
  std::vector<NameId> changed_, nulled_;
  Outcome outcome_;
  crm::Projection before_, after_;
  std::string bytes_;
  std::optional<EpochMs> rows_deleted_at_;  // the last deletion that a row told; see fates.cpp
  RecordState peeked_;
  std::string peeked_bytes_;
};

/// The row of a stream; nothing if there is none.

}  // namespace headwater::ledger
