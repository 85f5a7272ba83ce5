#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/sink.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/pipeline/retry_lane.hpp"

namespace headwater {

/// What one target refused: whether the entry is at fault or the target, and the rows in
/// quarantine, from the refusal until an image of the record came through.
///
/// Is a target sound that refuses an entry? It is asked: a few records of the same object that it
/// holds already are written once more, which changes nothing. Where that would be a change (a
/// target that is owed history) the sink says by other means whether they would be taken, if it
/// can.
///
///   it takes one:         the entry is poison. Up to kPoisonPerTry of them in a row; then the sink
///                         is Blocked for a while, so that what a probe cannot show (a trigger that
///                         only real changes meet) fills no quarantine in a moment.
///   it refuses them all:  the target is broken. Blocked, nothing goes to quarantine.
///   none to ask with:     (a first record; or history, and nothing can be said) poison, but
///                         kUnprovenMax in a row mean the target: Blocked until it accepts
///                         something.
///
/// A row that was wrong all the same is closed by the record's next change, or by a retry. Used by
/// the sink's thread.
class Refusals {
 public:
  static constexpr unsigned kPoisonPerTry = 100, kUnprovenMax = 20;

  Refusals(std::string sink, ledger::Ledger& ledger, const Clock& clock)
      : sink_(std::move(sink)), stage_("sink." + sink_), ledger_(ledger), clock_(clock) {}

  /// Learns what is open. Called at each open.
  void load();
  /// True if the target may not hold what the latest change of one of these records builds on.
  bool concern(Entries entries) const;

  /// May this entry, refused with `error` when it stood alone, go to quarantine? Else why not:
  /// Blocked, or what the probe met. `stay`: the cursor of its org as it stands.
  Result<void> judge(Sink& sink,
                     const EntryView& refused,
                     const Error& error,
                     const CursorMove& stay);
  /// Keeps an entry with its bytes. The cursor may pass it once this returned OK.
  Result<void> quarantine(const EntryView& entry, const Error& error);
  /// The target accepted these: rows of their records up to there are released. `history`: it is
  /// owed every change, and a later image does not bring back the one that it refused; the evidence
  /// says so.
  Result<void> accepted(Entries entries, bool history);

  /// Writes a row's record again, as its newest image; a platform event as it was. Where history is
  /// owed the record is told again instead, under a new rev that comes by the journal, since a rev
  /// behind newer ones is a repeat to whoever counts. Answers the request: now, or once that rev is
  /// accepted or refused. What it returns is more than a refusal of this record: the sink or the
  /// ledger failed.
  std::optional<Error> try_again(Sink& sink, const RetryRequest& request, const CursorMove& stay);
  /// The sink failed: whoever waits for a record told again is answered.
  void failed(const Error& error);

 private:
  enum class Verdict : std::uint8_t { Takes, Refuses, Unknown };
  Result<Verdict> probe(Sink& sink,
                        const EntryView& refused,
                        const Error& error,
                        const CursorMove& stay);
  Result<Verdict> ask(Sink& sink,
                      const EntryView& held,
                      const Error& error,
                      const CursorMove& stay);
  Result<std::string> write_again(Sink& sink,
                                  const RetryRequest& request,
                                  const CursorMove& stay,
                                  std::optional<Error>& trouble);
  Result<void> tell_again(const RetryRequest& request,
                          const CursorMove& stay,
                          std::optional<Error>& trouble);
  Result<EntryView> newest(const ledger::QuarantineRow& row,
                           const CursorMove& stay,
                           EntryBatch& state,
                           std::optional<Error>& trouble) const;
  Result<std::string> write_event(Sink& sink,
                                  const RetryRequest& request,
                                  const CursorMove& stay,
                                  std::optional<Error>& trouble);
  Error refused_again(const ledger::QuarantineRow& row,
                      const Error& error,
                      std::optional<Error>& trouble);
  void answer(std::string_view rkey, const Result<std::string>& what);
  Result<bool> count_again(const EntryView& entry, const Error& error);
  Result<std::size_t> release(const EntryView& entry, const ledger::Closing& closing);

  const std::string sink_, stage_;
  ledger::Ledger& ledger_;
  const Clock& clock_;
  std::map<std::string, Rev, std::less<>> refused_;  // record key -> newest rev that was refused
  std::map<std::string, RetryRequest, std::less<>> awaited_;  // told again, by record key
  unsigned in_a_row_ = 0;  // refused with none of the last one's kind accepted between
  EntryKind refused_kind_ = EntryKind::Record;  // of the last one
};

}  // namespace headwater
