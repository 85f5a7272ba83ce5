#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "connectors/sink.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/backoff.hpp"
#include "daemon/pipeline/refusals.hpp"
#include "daemon/pipeline/retry_lane.hpp"
#include "daemon/pipeline/sink_metrics.hpp"
#include "daemon/pipeline/step.hpp"

namespace headwater {

/// What /status says of a sink.
struct SinkStatus {
  std::string name;
  Rev cursor;         ///< the least of its orgs'
  bool open = false;  ///< false: nothing is known of the target, or it is away
  bool materializing = false;
  std::uint64_t lag_entries = 0;
  double lag_seconds = 0;
  std::uint64_t entries_written = 0;
};

/// Keeps one target in step with the journal.
///
///   closed:      open -> a cursor per org; the ledger says follow or materialize
///
///   materialize: states after the cursor, in rev order, until the head noted at the start; where
///                history is owed, until what the journal has dropped
///
///   follow:      entries after the smallest cursor -> write(entries, cursors)
///
///   Transient:   reopen, back off, the same again; red once it has lasted for a minute
///
///   Blocked:     the same every 60 s; a claim, once the holder's silence would be long enough
///
///   Rejected:    halve until one entry stands alone; to quarantine with it, the cursor passes,
///                if the target is sound
///
///   Fatal:       stop this sink, red; it never claims again by itself
///
/// Whether the target is sound, Refusals says. Blocked ends by itself: every 60 s the same entry is
/// tried first.
///
/// Green is what was seen to work: a write that was accepted, or an open with nothing owed.
///
/// The cursor lives in the target, so nothing here needs to survive a crash. One thread.
class SinkLoop {
 public:
  struct Parts {
    std::string name;  ///< the sink's key in the configuration
    std::vector<std::string> orgs;
    std::function<std::unique_ptr<Sink>(const std::string& ledger_id)> make;
    ledger::Ledger& ledger;
    const Clock& clock;
    observe::Part& health;
    observe::Metrics& metrics;
  };
  explicit SinkLoop(Parts parts);

  Step step();
  /// Waits as the last step asked: until the time, a stop or, if all was written, the next entry.
  void wait(std::int64_t until_ms, std::stop_token stop);
  /// For an orderly stop: what the sink still owes its target goes out, then it is closed.
  void stop();
  SinkStatus status() const;  ///< any thread
  /// Everything up to the ledger's head is in the target. Any thread.
  bool caught_up() const;
  /// The target's own part is made anew and opened before anything more is written: the mapping
  /// that it was made by is another from now on. Called before the ledger makes entries by it. Any
  /// thread.
  void remake();
  /// A row of this sink's is written again as its record's newest image, by the sink's own thread.
  /// False, and nothing taken: too many wait. Any thread.
  bool try_again(RetryRequest& request);

 private:
  /// Where one org stands in the target.
  struct OrgCursor {
    std::string org;
    Rev rev;
    bool materializing = false;
    bool rows_owed = false;  ///< the target's mirrors of holes and quarantine begin afresh
    Rev upto;                ///< while materializing: states up to here, the journal after
    ledger::ToldBefore told;
    EpochMs commit_ts = 0;
    std::int64_t touched_at = 0;  ///< monotonic ms of the last cursor write
  };

  Step open();
  void rebuild();
  Step follow();
  Step materialize(OrgCursor& cursor);
  std::optional<Error> write_open_rows(OrgCursor& cursor);
  /// What to do after a write of so many entries.
  Step gather(std::size_t written);
  Step idle();
  std::optional<Error> write(Entries entries, std::span<const CursorMove> moves, Mode mode);
  Step on_error(const Error& error, Entries entries, std::span<const CursorMove> moves, Mode mode);
  Step on_refusal(const EntryView& entry,
                  const Error& error,
                  std::span<const CursorMove> moves,
                  Mode mode);
  Step serve(const RetryRequest& request);
  Step retry(const Error& error);
  Millis pause_after(const Error& error);
  void tell_failure(const Error& error);
  Result<void> moved(Entries entries, std::span<const CursorMove> moves);
  bool nothing_owed() const;
  void works();
  EpochMs oldest_unwritten();
  void publish(EpochMs oldest_unwritten_ts);
  double seconds_since(EpochMs ts) const;
  std::vector<CursorMove> moves_to(Rev last, Entries entries) const;
  Entries ours(Entries entries);
  Rev least_cursor() const;
  const OrgCursor* cursor_of(std::string_view org) const;
  static CursorMove stay(const OrgCursor& cursor) {
    return move_to(cursor, cursor.rev, cursor.commit_ts);
  }
  static CursorMove move_to(const OrgCursor& cursor, Rev rev, EpochMs commit_ts) {
    return {cursor.org,
            rev,
            commit_ts,
            Rev{cursor.told.records.value + 1},
            Rev{cursor.told.events.value + 1}};
  }
  void hold_journal();

  Parts parts_;
  std::string ledger_id_;  // that sink_ was made for
  std::unique_ptr<Sink> sink_;
  std::atomic<bool> remake_{false};
  SinkMetrics metrics_;
  Refusals refusals_;
  RetryLane retries_;
  Backoff backoff_;
  std::vector<OrgCursor> cursors_;
  EntryBatch batch_;
  std::vector<EntryView> filtered_;
  bool opened_ = false;
  Rev settled_;                // entries up to here may build on what the target never got
  std::int64_t quiet_at_ = 0;  // monotonic ms; when quiet is told of. 0: it is not quiet
  bool quiet_told_ = false;    // the sink was told that nothing is coming
  std::int64_t retry_at_ = 0;
  std::int64_t gather_until_ = 0;              // monotonic ms; more is let come together until then
  std::optional<std::int64_t> failing_since_;  // monotonic ms; reset by what works
  std::size_t entries_limit_;                  // halved while a poison entry is sought

  mutable std::mutex status_mutex_;
  SinkStatus status_;
  EpochMs oldest_unwritten_ts_ = 0;  // 0: there is none, or nothing is known
};

}  // namespace headwater
