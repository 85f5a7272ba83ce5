#pragma once

#include <optional>
#include <string>

#include "daemon/ledger/read_job.hpp"
#include "schemas/core/result.hpp"

namespace headwater {

/// What a failed step of a read job means for it. Pure; told by the codes that OrgReader names.
struct ReadRemedy {
  bool describe_again = false;  ///< the object is not what it was
  bool from_the_start = false;  ///< what was read of the result is no beginning of the next one
  bool by_rest = false;         ///< no more Bulk jobs for it
  bool by_bulk = false;         ///< the query is too long for a URL
  bool give_up = false;         ///< what a person asked for cannot be asked
  bool hidden = false;          ///< the org does not show the object, time after time
  std::string leave_out;        ///< a field that cannot be queried
};

/// Bulk jobs that may end badly before the object is read by REST.
inline constexpr std::uint32_t kBulkFailuresMax = 3;

ReadRemedy remedy_of(const ledger::ReadJob& job, const Error& error);

/// Changes the job's row: how often it failed, with what, when it is tried again (5 s doubled with
/// each failure up to 15 min, 60 s at least for Blocked), and where it goes on. `noted`: for a
/// reading from the start.
void apply_remedy(const ReadRemedy& remedy,
                  const Error& error,
                  const std::optional<Version>& noted,
                  EpochMs now,
                  ledger::ReadJob& job);

/// True if it may be tried. No pause is that long: a try that lies further ahead was set while the
/// clock was wrong.
bool is_due(const ledger::ReadJob& job, EpochMs now);

/// Nothing of it is read: chunks on their way are void.
void begin_again(ledger::ReadJob& job);

/// True if a Bulk job may do what REST cannot.
bool is_too_much_for_rest(const Error& error);

/// How long to wait before a Bulk job is asked for again, in ms; `last`: the wait before, 0: none.
std::int64_t bulk_look_pause(std::int64_t last);

/// True for an answer that is too large to be held.
bool is_too_large(const Error& error);

}  // namespace headwater
