#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ledger/facts.hpp"
#include "daemon/ledger/fates.hpp"
#include "daemon/ledger/read_job.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "schemas/crm/projector.hpp"
#include "schemas/model/entry.hpp"
#include "schemas/model/event.hpp"
#include "schemas/model/platform_event.hpp"

namespace headwater::ledger {

class Store;

struct LedgerOptions {
  std::uint64_t journal_bytes_max = 16ULL << 30;
  Millis journal_keep = std::chrono::hours{1};
  /// Most of an object's living records that may vanish within an hour without an event saying so.
  double sweep_share_max = 0.05;
  /// Reads the text of a mapping that an earlier start used. Without it, or if it fails, a start
  /// with another mapping writes all records as reads without a before.
  std::function<Result<std::shared_ptr<const crm::Mapping>>(const std::string& source)>
      read_mapping;
  /// Records of one piece of a re-projection, which holds the write lock.
  std::size_t reproject_records = 500;
  std::uint64_t seed = 0;  ///< of the jump at each start and of ids; 0: from the system
};

/// One subscription.
struct StreamKey {
  std::string org;
  std::string topic;
};

struct StreamPosition {
  ReplayId replay_id;  ///< empty: never anchored
  EpochMs stored_at = 0;
  EpochMs newest_commit_ts = 0;  ///< of any event applied from this stream
  std::uint64_t stores = 0;      ///< how often a position of this stream was stored
};

/// How a hole or a quarantine row ended. The numbers are part of the on-disk format.
struct Closing {
  enum class How : std::uint8_t {
    Open = 0,       ///< it did not yet
    Repaired = 1,   ///< hole: what was missing was read; the evidence says by what
    Accepted = 2,   ///< hole: nothing was proven, a person answers for it
    Released = 3,   ///< row, or a sink's hole: what was withheld came through by itself
    Retried = 4,    ///< row: it came through when a person asked for it
    Discarded = 5,  ///< row: a person gave it up
    GivenUp = 6     ///< hole: nothing can bring back what is missing
  };
  How how = How::Open;
  std::string by;        ///< a person, or the part of the daemon
  std::string evidence;  ///< why nothing is missing any more, or the person's reason
  EpochMs at = 0;        ///< 0: now
};

/// `open repaired accepted released retried discarded given_up`
std::string_view to_string(Closing::How how);

/// A doubt about one record, an object or a stretch of a stream.
struct Hole {
  /// Deletion: a record is known to be gone, or back; what became of it and of those that refer to
  /// it is not (fates.hpp).
  /// Sink: a target holds a record otherwise than the ledger; it is told again (audit/sink_audit).
  /// Without a record: its history lacks a stretch (skipped_history.cpp).
  enum class Scope : std::uint8_t { Record, Object, Stretch, Deletion, Sink };
  Scope scope = Scope::Record;
  std::string org;
  std::string object;  ///< empty for a stretch
  std::string id;      ///< of a record, a deletion or a record in a sink
  std::string topic;   ///< of a stretch
  std::string sink;    ///< that holds it wrongly
  std::string
      cause;  ///< incomplete tie gap overflow wildcard expired diff undecodable mass_delete …
  std::string detail;
  EpochMs from_ts = 0, to_ts = 0;
  EpochMs opened_at = 0;
  EpochMs next_try = 0;  ///< record holes: not before this time
  std::uint32_t attempts = 0;
  Rev rev;          ///< its number: of the entry that opened it; 0 if of_record()
  Version version;  ///< records: only a row noted at or after this one closes it
  /// Of a stretch: StreamPosition::stores when it was opened or renewed. Given by the ledger.
  std::uint64_t stores = 0;
  Closing closing;

  /// Those of one record of the ledger's are counted, and make no entry.
  bool of_record() const { return scope == Scope::Record || scope == Scope::Deletion; }
  /// It doubts many records: a stretch's, or an object's.
  bool wide() const { return scope == Scope::Object || scope == Scope::Stretch; }
};

/// Why an event with this record id leaves its whole object in doubt, as a cause: it is a wildcard,
/// an overflow's dummy, or no id at all (salesforce.md section 4). Empty: it names one record.
std::string_view doubts_object(ChangeType type, std::string_view record_id);

/// What could not be decoded, mapped, validated or accepted. One event, or one entry of the
/// journal, at one stage for one reason is one row, however often it is tried.
struct QuarantineRow {
  std::string org, object, id;  ///< object, id: empty if not even the header decoded
  std::string topic;            ///< that the event came on; empty at a sink
  std::string stage;            ///< decode, apply, sink.<name>
  std::string reason_code, reason;
  std::string schema_id, replay_id, payload;  ///< raw bytes; a closed row has no payload any more
  std::uint32_t attempts = 1;
  EpochMs first_seen = 0, last_seen = 0;
  Rev entry_rev;  ///< of the entry that the sink refused; 0: an event
  Rev rev;        ///< number of the row: rev of the opening entry
  Closing closing;
  std::string key;  ///< its place in the ledger; given by the ledger
};

/// One response of a stream, decoded. Applied whole, in one synced write, with the position behind
/// it.
struct IngestBatch {
  StreamKey stream;
  std::span<const EventView> events;
  /// Of a stream of platform events, in order: an entry each, but for those that came before.
  std::span<const PlatformEventView> platform;
  std::span<const QuarantineRow> quarantined;
  std::span<const Hole> holes;       ///< that the pipeline itself opens
  std::optional<ReplayId> position;  ///< to store; nothing: leave it
};

/// A row read by id or by query.
struct Row {
  RecordId id;
  bool present = true;             ///< false: the org returned nothing for it
  bool deleted = false;            ///< the org says that it was deleted: no brake asks twice
  EpochMs stamp = 0;               ///< SystemModstamp
  std::span<const Member> fields;  ///< sorted by name number; the readable fields, nulls included
};
struct RowBatch {
  std::string org, object;
  Version noted;  ///< from note_version(), taken before the query was sent
  ChangeType type = ChangeType::Refetch;
  bool last = false;  ///< its last row is the last one of a snapshot
  std::span<const Row> rows;
  const JobProgress* progress = nullptr;  ///< of the job that read them: moves in the same write
};

struct Applied {
  std::size_t entries = 0;
  std::size_t unchanged = 0;  ///< record changes that made no entry
  std::size_t refetches = 0;  ///< record holes opened
  std::size_t deletions = 0;  ///< records that rows found deleted
  std::size_t repeats = 0;    ///< platform events that came before, and made no entry
  /// Of the repeats, those that the bus itself sent again (the same replay id), so that it still
  /// holds what followed them; the others were published twice.
  std::size_t resent = 0;
};

/// Revs up to which a target that is owed history is told nothing more; 0: it was told nothing.
struct ToldBefore {
  /// If the cursor was ours, it. If another ledger's, all before our birth: below what that one
  /// told readers would drop them, and each record is told again above it.
  Rev records;
  Rev events;  ///< platform events, which are told once: if the cursor was ours, it
};

/// How a sink's cursor relates to this ledger.
enum class CursorVerdict : std::uint8_t {
  Follow,       ///< the journal goes on after it
  Materialize,  ///< none, foreign, or older than the journal: send states first
};

struct JournalFacts {
  Rev head;   ///< last durable rev
  Rev first;  ///< oldest rev still in the journal, or the one after what was dropped; 0: no entry
  std::uint64_t entries = 0, bytes = 0, bytes_max = 0;
  EpochMs oldest_ts = 0;
  bool full = false;  ///< at its bound with entries still owed: ingest must not ask
};

struct RecordCounts {
  std::string org, object, entity;
  std::uint64_t alive = 0, deleted = 0, incomplete = 0;
};

/// The heart: state of every record, a journal of changes in one total order, positions, holes,
/// quarantine. One atomic, synced write per batch. Thread-safe: one write lock, taken before old
/// images are read (design.md ruling 1); readers never see a rev above head().
class Ledger : public NameTables {
 public:
  /// Opens or creates. Blocked: another process holds the directory (its pid is named). Fatal:
  /// newer format, corrupt. `clock` must outlive it.
  static Result<std::unique_ptr<Ledger>> open(const std::string& directory,
                                              LedgerOptions options,
                                              std::shared_ptr<const crm::Mapping> mapping,
                                              const Clock& clock);
  /// The same over a store of the caller's: for tests and the simulator.
  static Result<std::unique_ptr<Ledger>> open(std::unique_ptr<Store> store,
                                              LedgerOptions options,
                                              std::shared_ptr<const crm::Mapping> mapping,
                                              const Clock& clock);
  ~Ledger() override;

  std::string id() const;  ///< a ULID, new at each birth
  Rev birth() const;       ///< the first rev of this one

  // ---- orgs
  /// Binds the slug to an org id for ever. Fatal if it is bound to another one.
  Result<void> bind_org(std::string_view org, std::string_view org_id);
  std::string org_id(std::string_view org) const;  ///< empty: not yet bound
  /// Facts that images depend on (key prefixes, record types, currency); durable. If they changed,
  /// records of the org are projected again by reproject(). While another re-projection runs they
  /// wait for its end, in memory: an org tells them at every start.
  Result<void> set_org_facts(const crm::OrgFacts& facts);
  std::optional<crm::OrgFacts> org_facts(std::string_view org) const;
  /// Ids of record types that records were given since the start and the facts have no name for.
  std::vector<std::string> unknown_record_types(std::string_view org) const;

  // ---- projection
  /// Another mapping than the one in force: records are projected again by reproject(), events use
  /// it at once. While another re-projection runs it waits for its end.
  Result<void> set_mapping(std::shared_ptr<const crm::Mapping> mapping);
  /// One bounded piece of the re-projection that is owed (ruling 8); nothing while the journal is
  /// full. True: there is more to do at once.
  Result<bool> reproject();
  /// Records owe a projection that can be made: what sinks hold of them is what the one before
  /// made. Cheap.
  bool reprojecting() const;

  // ---- schemas: kept for ever, by id
  std::optional<std::string> schema(std::string_view schema_id) const;
  Result<void> keep_schema(std::string_view schema_id, std::string_view json);
  /// In memory, since the start: how often a stream saw another schema of the object than before.
  /// What the org said of the object earlier may be stale.
  void schema_changed(std::string_view org, std::string_view object);
  std::uint64_t schema_changes(std::string_view org, std::string_view object) const;

  // ---- writing
  Result<Applied> apply(const IngestBatch& batch);
  Result<Applied> apply_rows(const RowBatch& batch);
  /// A keepalive's position: written alone, unsynced but for a stream's first.
  Result<void> save_position(const StreamKey& stream, const ReplayId& position);
  std::optional<StreamPosition> position(const StreamKey& stream) const;
  /// The version that rows of a query sent from now on carry; counts the query, durably.
  Result<Version> note_version(std::string_view org);
  Result<void> open_hole(const Hole& hole);
  Result<void> quarantine(std::span<const QuarantineRow> rows);

  // ---- reading
  Rev head() const;
  JournalFacts journal() const;
  /// How many entries have a rev above `rev`: jumps in the order do not count. Cheap.
  std::uint64_t entries_after(Rev rev) const;
  /// Waits until head() > seen, `until` on the steady clock, a stop or a wake(). Not at all if
  /// `unless` says so: who sets what it looks at, and then calls wake(), is never missed. True if
  /// it grew.
  bool wait_for(Rev seen,
                std::chrono::steady_clock::time_point until,
                std::stop_token stop,
                const std::function<bool()>& unless = {}) const;
  /// Wakes all wait_for(): a sink wants to look at something else.
  void wake() const;
  /// Adds entries with rev > after, in order, until a bound is met; at least one if there is any.
  Result<void> read(Rev after, std::size_t entries_max, std::size_t bytes_max, EntryBatch& out);
  /// Adds the states of an org with `after` < rev <= `upto` as entries (op Read, deleted ones
  /// Delete) in rev order, and among them its platform events that the journal still has, until a
  /// bound is met. Nothing added: there are no more.
  Result<void> read_states(std::string_view org,
                           Rev after,
                           Rev upto,
                           std::size_t entries_max,
                           std::size_t bytes_max,
                           EntryBatch& out);
  /// Adds what is open of an org (stretch and object holes, quarantine) as the entries that opened
  /// it: a target that starts afresh mirrors them without the journal.
  void read_open_rows(std::string_view org, EntryBatch& out) const;
  /// The record as an entry, nothing if it was never seen.
  Result<bool> get(const RecordKey& key, EntryBatch& out);
  /// The states of an object's first `most` records, by key, as get() gives them.
  Result<void> sample(std::string_view org,
                      std::string_view object,
                      std::size_t most,
                      EntryBatch& out);
  /// Adds the states whose keys lie behind `after` (empty: all), in key order, as get() gives them,
  /// until a bound is met. `last`: the last key looked at; empty: there are no more.
  Result<void> read_keys(std::string_view after,
                         std::size_t entries_max,
                         std::size_t bytes_max,
                         EntryBatch& out,
                         std::string& last);
  /// Where each record stands; nothing for one that was never seen.
  Result<std::vector<std::optional<RecordHead>>> heads(std::span<const std::string> rkeys);
  Result<std::optional<RecordFacts>> facts_of(const RecordKey& key);

  // ---- reading objects in
  /// Gives it its number.
  Result<ReadJob> add_job(const ReadJob& job);
  std::vector<ReadJob> jobs() const;  ///< open ones, and those that ended within a week
  std::optional<ReadJob> job(std::uint64_t number) const;
  /// Changes the durable row; what it is then, or nothing if there is no such job.
  Result<std::optional<ReadJob>> change_job(std::uint64_t number,
                                            const std::function<void(ReadJob&)>& change);
  /// One bounded piece of what follows the last chunk: counts living records that no chunk held,
  /// opens holes of cause `unseen` for them, and ends the job once those are closed. True: nothing
  /// is left to do. False: more is, or refetches are still on their way.
  Result<bool> settle_job(std::uint64_t number, std::size_t states_max);
  /// The same for a job of what was saved since a moment, once it settles by the log of deletions:
  /// those of `gone` that live here and came in no chunk are asked for by id, or braked. `proof`:
  /// what the log covers. REQUIRES: as many ids as may be looked up under the write lock.
  Result<void> settle_by_log(std::uint64_t number,
                             std::span<const RecordId> gone,
                             const std::string& proof);
  std::optional<Snapped> last_snapped(std::string_view org, std::string_view object) const;
  /// Those that were read whole at some time, be it that they had no record.
  std::vector<std::string> snapped_objects(std::string_view org) const;

  // ---- sinks
  /// What a sink found in its target: its cursor, and the greatest rev of any image there. May give
  /// this ledger a new birth (design.md section 2) or raise its next rev; call it before anything
  /// else is done with that sink.
  Result<CursorVerdict> found_cursor(std::string_view sink,
                                     std::string_view org,
                                     std::string_view ledger_id,
                                     Rev rev,
                                     Rev highest);
  /// Up to which rev a target that is owed history is given states, if found_cursor() says
  /// Materialize of this cursor; the journal after it tells it each entry. The history that these
  /// states stand in for is never told: that is noted before, once, as a hole of the sink, which is
  /// closed at once. `commit_ts`: of the entry at the cursor; 0: unknown.
  Result<Rev> skip_history(std::string_view sink,
                           std::string_view org,
                           std::string_view ledger_id,
                           Rev rev,
                           EpochMs commit_ts);
  /// What that target was told of our revs before we were born anew, as far as its cursor says.
  Result<ToldBefore> told_before(std::string_view sink, std::string_view org) const;
  /// A sink that needs history tells how far it is: the journal is kept from there on. Nothing: it
  /// owes no more.
  void hold_journal(std::string_view sink, std::optional<Rev> cursor);
  /// Drops what is neither owed nor within journal_keep, and looks whether the directory is still
  /// there. Called now and then by main.
  Result<void> trim();

  // ---- doubts
  std::vector<Hole> holes(std::size_t most = 1000) const;
  std::size_t holes_open() const;
  /// The open stretch and object holes of an org.
  std::vector<Hole> wide_holes(std::string_view org) const;
  /// Record holes of an org that are due, oldest first.
  std::vector<Hole> due_refetches(std::string_view org, EpochMs now, std::size_t most) const;
  /// Deletions of an org that are due: what became of the records is to be found out.
  std::vector<Hole> due_fates(std::string_view org, EpochMs now, std::size_t most) const;
  /// Opens holes for records that refer to these ones, at most some hundreds in one call. A
  /// deletion whose children are all seen then asks for its fate (delete_check), if records of its
  /// object merge; else, and after a restoration, it is closed.
  Result<void> doubt_children(std::span<const Hole> deletions);
  /// What the org answered. A merge is told on both sides in one write: the loser gets merged_into
  /// and a second delete, its last living winner an update with merged_from.
  Result<Applied> tell_fates(const FateBatch& fates);
  /// Rkeys of records that refer to this one, ascending, those after `after` (empty: from the
  /// first). References to users, groups, roles, profiles and record types are not kept.
  Result<std::vector<std::string>> children_of(std::string_view org,
                                               const RecordId& id,
                                               std::string_view after,
                                               std::size_t most) const;
  /// A refetch failed: counted, tried again at `next_try`.
  Result<void> postpone(std::span<const Hole> holes, EpochMs next_try);
  /// Closes a stretch or object hole. Repaired with the evidence why nothing is missing any more,
  /// or Accepted by a person: it is shown as what it was. Nothing to do if it is not open.
  Result<void> close_hole(const Hole& hole, const Closing& closing);
  /// Holes that were closed: those of stretches and objects, then those of records and sinks, last
  /// what is routine (records met for the first time by a change, and what a delete left to ask).
  /// Each kind newest first; the ledger keeps the last 10,000 of each.
  std::vector<Hole> closed_holes(std::size_t most = 10'000) const;

  std::vector<QuarantineRow> quarantined(std::size_t most = 1000) const;
  std::size_t quarantine_open() const;
  /// Rows that were closed, newest first, without their bytes. The last 10,000 are kept.
  std::vector<QuarantineRow> quarantine_closed(std::size_t most = 1000) const;
  /// Open or closed, by its number. Walks the rows: for a person's question.
  std::optional<QuarantineRow> quarantine_row(Rev number) const;
  /// False, and nothing done, if the row is not open any more.
  Result<bool> close_quarantined(const QuarantineRow& row, const Closing& closing);
  /// Closes what `stage` keeps of a record from entries before `accepted`. How many it were.
  Result<std::size_t> release(const RecordKey& record,
                              std::string_view stage,
                              Rev accepted,
                              const Closing& closing);
  /// Another try failed: counted, and told with its reason. False if the row is not open any more.
  Result<bool> retry_failed(const QuarantineRow& row, const Error& error);

  std::vector<RecordCounts> counts() const;
  /// Flushes memtables so that the next start is short. Called once, at the end.
  void flush() noexcept;

  NameTable& names(std::string_view org, std::string_view object) override;

 private:
  friend class AuditBook;
  class Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::ledger
