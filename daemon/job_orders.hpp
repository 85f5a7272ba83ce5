#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "daemon/runtime/control.hpp"
#include "daemon/status.hpp"

namespace headwater {

// What a person asks about reading objects in: `headwater resync` and `headwater jobs`. Each
// answer is one JSON document. Main's thread.

/// `ORG OBJECT by=WHO [confirm] [ids ID,ID,…]`, or `… [where SOQL…]`; ORG may be `-` where there is
/// only one. Makes a read job, or a hole for each id. Needs the right to operate.
std::string resync(const std::string& arguments,
                   const runtime::Peer& peer,
                   const StatusSources& sources,
                   ledger::Ledger& ledger);

/// Empty, `all`, or `pause|resume|cancel N by=WHO`, which need the right to operate.
std::string jobs(const std::string& arguments,
                 const runtime::Peer& peer,
                 ledger::Ledger& ledger,
                 const Clock& clock);

/// A job with its progress: rows, share, rate and what is left of the time.
boost::json::object job_object(const ledger::ReadJob& job, EpochMs now);
/// The open ones, and those that ended if `ended_too`.
boost::json::array jobs_array(const ledger::Ledger& ledger, EpochMs now, bool ended_too);

}  // namespace headwater
