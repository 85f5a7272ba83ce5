#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

/// The journal: gives revs, accounts for bytes, publishes the head, trims.
///
/// Revs (ruling 2): every start jumps to max(last + random, now in µs, highest cursor found + 1),
/// where now is moved on by as much as revs were ahead of the clock, as long as they are.
/// What a jump leaves out is kept for ever, so that a cursor in there is known as one that we never
/// gave.
///
/// Trimming: entries are counted in segments; a segment is dropped whole once no sink owes it and
/// it is older than `journal_keep`, or nobody owes it and the journal is at its bound.
class Journal {
 public:
  Journal(Store& store, const Clock& clock, const LedgerOptions& options);
  /// `birth`: the ledger's; 0 if it has none yet.
  Result<void> load(Rev birth);

  // ---- under the write lock
  Rev next();                         ///< the next rev, taken
  Rev peek() const { return next_; }  ///< the next rev, not taken
  void put(StoreBatch& batch, Rev rev, std::string_view entry);
  void stage(StoreBatch& batch);      ///< last rev and accounts, if entries were put
  void publish();                     ///< after the batch was written: readers see it
  void raise(Rev above);              ///< the next rev will be greater than this
  Rev last() const { return last_; }  ///< given out, published or not
  bool ever_wrote() const { return last_.value != 0; }
  bool gave(Rev rev) const;  ///< by our count; true of 0
  /// Stages the drop of segments. True if there was one.
  bool stage_trim(StoreBatch& batch, EpochMs now);
  bool over_bound() const;

  // ---- any thread
  Rev head() const { return Rev{head_.load(std::memory_order_acquire)}; }
  Rev trimmed_to() const { return Rev{trimmed_.load(std::memory_order_acquire)}; }
  bool wait_for(Rev seen,
                std::chrono::steady_clock::time_point until,
                std::stop_token stop,
                const std::function<bool()>& unless) const;
  void wake() const;
  JournalFacts facts() const;
  std::uint64_t entries_after(Rev rev) const;
  Result<void> read(Rev after,
                    std::size_t entries_max,
                    std::size_t bytes_max,
                    NameTables& names,
                    EntryBatch& out);
  void hold(std::string_view sink, std::optional<Rev> cursor);

 private:
  struct Segment {
    Rev first, last;
    std::uint64_t entries = 0, bytes = 0;
    EpochMs newest_ms = 0;
  };
  Rev first_of_start(Rev birth);
  Rev owed_from() const;  // revs up to this are owed by nobody. REQUIRES: mutex_
  static void put_segment(std::string& out, const Segment& segment);
  static Segment read_segment(ByteReader& reader);

  Store& store_;
  const Clock& clock_;
  const std::uint64_t bytes_max_;
  const EpochMs keep_ms_;
  std::mt19937_64 random_;

  // writer
  Rev last_, next_;
  bool started_ = false;         // something was written since this start
  std::vector<Segment> closed_;  // to be staged
  bool dirty_ = false;

  mutable std::mutex mutex_;  // what follows; the condition variable's too
  mutable std::condition_variable_any grew_;
  mutable std::uint64_t wakes_ = 0;
  std::deque<Segment> segments_;  // back: open
  std::uint64_t entries_ = 0, bytes_ = 0;
  struct Gap {
    Rev before, after;  // last rev before a start, first after it
  };
  std::vector<Gap> gaps_;
  std::map<std::string, Rev, std::less<>> holds_;
  std::atomic<std::uint64_t> head_{0}, trimmed_{0};
};

}  // namespace headwater::ledger
