#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "daemon/audit/desk.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/pipeline/sink_loop.hpp"

namespace headwater {

/// What /status, /readyz and `headwater status` are made of, taken at one moment.
struct StatusSources {
  const ledger::Ledger& ledger;
  const observe::Health& health;
  std::vector<const SinkLoop*> sinks;
  std::vector<ledger::StreamKey> streams;
  std::string version;
  EpochMs started_at = 0;
  const audit::Desk* audit = nullptr;
  /// What the configuration says is to be read in: org and object.
  std::vector<std::pair<std::string, std::string>> snapshots = {};
};

/// The whole truth as one JSON document.
std::string status_json(const StatusSources& sources, const Clock& clock);

/// What keeps the daemon from being ready, a sentence each; empty: it is. Blocked and Fatal parts,
/// stretch and object holes at once, record holes after five minutes (design.md ruling 18); objects
/// of which the first reading is not over: until then the targets lack records.
std::vector<std::string> not_ready(const StatusSources& sources, const Clock& clock);

/// Open holes and quarantine rows as JSON lists, at most 1,000 of each, for the control socket.
/// `closed_too`: behind them those that were closed, newest first.
std::string holes_json(const ledger::Ledger& ledger, bool closed_too);
std::string quarantine_json(const ledger::Ledger& ledger, bool closed_too);
/// A row without its bytes.
boost::json::object quarantine_object(const ledger::QuarantineRow& row);

/// A stored record as its canonical JSON; of a deleted one the last image, with its meta saying so.
std::string record_json(const EntryView& entry);

}  // namespace headwater
