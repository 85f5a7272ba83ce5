#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"
#include "schemas/model/version.hpp"

namespace headwater::ledger {

/// A hole that a job answers, as it stood when the job was made. One that was renewed since asks
/// for another job: what happened later may not be in the rows.
struct AnsweredHole {
  Rev number;
  Version version;
  EpochMs to_ts = 0;
};

/// Reading an object's records from the org: a snapshot, a resync, the repair of a hole. A durable
/// row; its progress moves in the same write as the rows that it counts, so that a crash repeats
/// one chunk at most, and a chunk that is repeated changes nothing.
///
///   Queued -> Reading, chunk by chunk -> Settling -> Done
///
/// Settling, of all of an object: living records of ours that no chunk held are counted, then asked
/// for by id. Of what was saved since a moment: those that the org's log of deletions names. Too
/// many of them (design.md ruling 14) are left alone under a `mass_delete` hole. The numbers of
/// Why, State, Api and Settling are part of the on-disk format.
struct ReadJob {
  enum class Why : std::uint8_t { Snapshot = 0, Resync = 1, Repair = 2 };
  enum class State : std::uint8_t {
    Queued = 0,
    Reading = 1,
    Settling = 2,
    Done = 3,
    Cancelled = 4,
    Failed = 5
  };
  enum class Api : std::uint8_t { Undecided = 0, Rest = 1, Bulk = 2 };
  enum class Settling : std::uint8_t { Counting = 0, Asking = 1, Waiting = 2, Log = 3 };

  std::uint64_t number = 0;  ///< 1, 2, 3 …; given by the ledger
  std::string org, object;
  Why why = Why::Resync;
  std::string where;  ///< SOQL of a person; empty: every record
  /// Only what was saved since then, deleted records too, and what the log of deletions names since
  /// then: all that a stretch may have lost, at the price of the stretch. 0: no bound.
  EpochMs since = 0;
  std::string by;  ///< a person, or the part of the daemon
  State state = State::Queued;
  bool paused = false;     ///< goes on where it stands when resumed
  bool confirmed = false;  ///< a person vouches for what is gone: the brake is off for the object
  std::vector<AnsweredHole> holes;

  Version noted;         ///< before the first query was sent; rows carry this one or a later one
  std::string fields;    ///< REST names that the object has for us, joined by commas
  std::string types;     ///< of them, as describe says them, in their order
  std::string left_out;  ///< those of them that cannot be queried, joined by commas

  // How far the reading is.
  Api api = Api::Undecided;
  std::string last_id;          ///< Rest: what follows it is not read yet
  std::string bulk_id;          ///< Bulk: empty until the job is made
  std::string locator;          ///< Bulk: of the next page
  std::uint64_t bulk_rows = 0;  ///< Bulk: read before the locator
  std::uint64_t run = 0;        ///< how often the reading began; chunks of an older one are void
  std::uint64_t chunks = 0;     ///< applied, in their order
  std::uint64_t rows = 0, expected = 0, entries = 0;
  std::uint64_t deleted = 0;  ///< deletions that it found, by rows or by asking for the unseen

  // How far the settling is.
  Settling settling = Settling::Counting;
  std::string settled_to;    ///< key of the last state that was looked at
  std::uint64_t unseen = 0;  ///< living records of ours that no chunk held
  bool braked = false;       ///< they were too many: a mass_delete hole has them
  std::string proof;  ///< with `since`: what the log of deletions covers, or why all was read

  EpochMs created_at = 0, started_at = 0, ended_at = 0;
  std::uint32_t failures = 0;  ///< in a row
  EpochMs next_try = 0;
  std::string error;  ///< of the last failure; empty once it went on

  bool open() const { return state <= State::Settling; }
  bool whole() const { return where.empty() && since == 0; }
};

std::string_view to_string(ReadJob::Why why);  ///< `snapshot resync repair`
std::string_view to_string(
    ReadJob::State state);  ///< `queued reading settling done cancelled failed`
/// `paused` for an open job that is; else its state.
std::string_view shown_state(const ReadJob& job);

/// What a batch of rows means for its job. Chunks are applied in any order by several threads;
/// the job moves over those that follow each other without a gap.
struct JobProgress {
  std::uint64_t job = 0;
  std::uint64_t run = 0;    ///< of the job when it was read
  std::uint64_t chunk = 0;  ///< 1, 2, 3 …
  std::uint64_t rows = 0;   ///< that were read for it
  // Where the reading goes on after it.
  std::string last_id, locator;
  std::uint64_t bulk_rows = 0;
  bool read_all = false;  ///< it was the last one
};

/// The last complete reading of an object.
struct Snapped {
  Version noted;
  EpochMs at = 0;
  std::uint64_t job = 0;
  std::string fields;  ///< as ReadJob::fields, without those that were left out
  std::string types;   ///< as ReadJob::types; empty: it was not kept
};

}  // namespace headwater::ledger
