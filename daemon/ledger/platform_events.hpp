#pragma once

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ledger/journal.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

/// Platform events on their way into the journal: one entry each, none for a repeat.
///
/// The position moves with the entries, so a repeat comes only from the bus: published twice under
/// one EventUuid, or sent again because the stream had to start at its earliest event. Each stream
/// remembers its last kEventsRemembered events by two hashes, both over the payload: of EventUuid
/// and of replay id. Neither alone would do: the one may be missing, the other is given anew when
/// an org is moved, and a careless publisher may give all its events one id.
///
/// Rows, in the family of meta:  seen:<org>:<topic>:h            first and next number
///                               seen:<org>:<topic>:n<number>    the hashes of one event
///                               seen:<org>:<topic>:i<hash>      nothing
/// Under the write lock.
class PlatformEvents {
 public:
  /// Above what 72 h of the largest default allocation, 50,000 a day, can bring again.
  static constexpr std::uint64_t kEventsRemembered = 250'000;

  PlatformEvents(Store& store,
                 Journal& journal,
                 const Clock& clock,
                 std::uint64_t remembered = kEventsRemembered)
      : store_(store), journal_(journal), clock_(clock), remembered_(remembered) {}

  /// Stages the entries of a batch's platform events, and what is remembered of them.
  Result<void> write(StoreBatch& out, const IngestBatch& batch, Applied& applied);

 private:
  using Hash = std::array<char, 16>;
  struct Ring {
    std::uint64_t first = 0, next = 0;
  };
  struct Known {
    bool published = false, sent = false;  ///< by EventUuid, by replay id
  };

  Result<void> look_up(const IngestBatch& batch);
  Result<Ring> read_ring() const;
  Result<void> remember(StoreBatch& out, Ring& ring, std::size_t event);
  Result<void> forget_oldest(StoreBatch& out, Ring& ring);
  void put_entry(StoreBatch& out, const StreamKey& stream, const PlatformEventView& event);
  std::string key(char kind, std::string_view rest) const;

  Store& store_;
  Journal& journal_;
  const Clock& clock_;
  const std::uint64_t remembered_;

  // Of the batch in hand.
  std::string prefix_;  // `seen:<org>:<topic>:`
  std::vector<std::array<Hash, 2>> hashes_;
  std::vector<Known> known_;
  std::set<Hash> seen_;  // earlier in the batch
  std::vector<std::pair<std::string, std::size_t>> keys_;
  std::vector<Found> found_;
  std::string bytes_;
};

/// True if the org ever had a platform event.
bool has_platform_events(Store& store, std::string_view org);

/// The platform events of one org among the entries of the journal, read forward: for putting them
/// between record states. One thread.
class JournalEvents {
 public:
  JournalEvents(Journal& journal, NameTables& names, std::string_view org, Rev after);

  /// Appends those up to `upto` until a bound is met; false if it was. `last` is set to the rev of
  /// the last one appended.
  Result<bool> append(
      Rev upto, std::size_t entries_max, std::size_t bytes_max, EntryBatch& out, Rev& last);

 private:
  Result<void> read_more();

  Journal& journal_;
  NameTables& names_;
  const std::string_view org_;
  Rev read_;  // looked at up to here
  bool end_ = false;
  EntryBatch ahead_;
  std::size_t at_ = 0;  // in ahead_
};

}  // namespace headwater::ledger
