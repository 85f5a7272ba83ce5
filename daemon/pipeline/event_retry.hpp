#pragma once

#include <atomic>
#include <string>

#include "daemon/ledger/ledger.hpp"
#include "daemon/pipeline/retry_lane.hpp"
#include "daemon/pipeline/schema_book.hpp"

namespace headwater {

/// Decodes an event of a stream into `out`. Rejected: it is none, or speaks of another object than
/// its schema; what of its header could be read is in `out` then.
Result<void> read_event(const salesforce::FetchedEvent& event,
                        SchemaBook::Page& page,
                        avro::Scratch& scratch,
                        EventView& out);

/// The same of a platform event.
Result<void> read_event(const salesforce::FetchedEvent& event,
                        SchemaBook::Page& page,
                        avro::Scratch& scratch,
                        PlatformEventView& out);

/// Tries a quarantined event again: decoded anew, it goes the way of every event. It may be late by
/// days: its version decides what of it still counts, so nothing goes back. A platform event has
/// none: it stands behind those that came since. Used by the ingest's thread, and changes its
/// schema book.
class EventRetry {
 public:
  EventRetry(ledger::StreamKey stream,
             ledger::Ledger& ledger,
             SchemaBook& schemas,
             const std::atomic<bool>& org_ready)
      : stream_(std::move(stream)), ledger_(ledger), schemas_(schemas), org_ready_(org_ready) {}

  /// What came of it in a sentence. Transient: nothing was tried. Rejected: counted as a try.
  Result<std::string> run(const RetryRequest& request);

 private:
  Result<std::string> apply(const salesforce::FetchedEvent& event, SchemaBook::Page& page);
  Result<void> close_stretch(const ledger::QuarantineRow& row);

  const ledger::StreamKey stream_;
  ledger::Ledger& ledger_;
  SchemaBook& schemas_;
  const std::atomic<bool>& org_ready_;
};

}  // namespace headwater
