#pragma once

#include <string>

#include "daemon/ledger/ledger.hpp"

namespace headwater {

/// The hole of a stream whose org delivers no more events today (salesforce.md section 9): they
/// stay on the bus for 72 hours, so nothing is lost yet, and a person should know until when. It
/// closes when the stream goes on after its stored position; should that be lost by then, the lost
/// position has a hole of its own. The ingest thread.
class DeliveryLimit {
 public:
  DeliveryLimit(ledger::StreamKey stream, ledger::Ledger& ledger, const Clock& clock)
      : stream_(std::move(stream)), ledger_(ledger), clock_(clock) {}

  /// The org refused the stream for its limit. Repeats renew the hole.
  Result<void> reached(const Error& error);
  /// The stream works.
  Result<void> over();

 private:
  const ledger::StreamKey stream_;
  ledger::Ledger& ledger_;
  const Clock& clock_;
  bool may_be_open_ = true;  // also from before a restart
};

}  // namespace headwater
