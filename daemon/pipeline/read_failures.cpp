#include "daemon/pipeline/read_failures.hpp"

#include <algorithm>
#include <sstream>

namespace headwater {
namespace {

using ledger::ReadJob;

constexpr EpochMs kPause = 5'000, kPauseMax = 15 * 60'000, kBlockedPause = 60'000;
/// An object that the org does not show so often in a row is one: a deployment takes it away for a
/// moment.
constexpr std::uint32_t kHiddenAfter = 3;
/// A Bulk job is asked for after this, and then after half as long again each time.
constexpr std::int64_t kLookFirst = 250, kLookMax = 30'000;

/// The field of ours that the org's message names in quotes: `No such column 'X' on entity 'Y'`.
/// Empty: none.
std::string named_field(const ReadJob& job, const std::string& message) {
  std::istringstream fields(job.fields);
  for (std::string field; std::getline(fields, field, ',');) {
    if (field == "Id" || field == job.object) continue;
    if (message.find("'" + field + "'") != std::string::npos) return field;
  }
  return {};
}

}  // namespace

ReadRemedy remedy_of(const ReadJob& job, const Error& error) {
  ReadRemedy out;
  const std::string& code = error.code;
  const bool bulk = job.api == ReadJob::Api::Bulk;
  const bool job_is_gone = bulk && !job.bulk_id.empty() && code == "NOT_FOUND";
  if (code == "JOB_FAILED" || code == "JOB_ABORTED" || job_is_gone) {
    out.from_the_start = true;
    out.by_rest = job.failures + 1 >= kBulkFailuresMax && !job_is_gone;
  } else if (code == "INVALID_FIELD") {
    out.describe_again = true;
    out.leave_out = named_field(job, error.message);
    // None of ours: the person's condition names it.
    out.give_up = out.leave_out.empty() && !job.where.empty();
    // A Bulk result's columns are those of its own query.
    out.from_the_start = bulk && !job.bulk_id.empty();
  } else if (code == "INVALID_TYPE" || code == "NOT_FOUND") {
    out.describe_again = true;
    out.hidden = job.failures + 1 == kHiddenAfter;
    // What changes of a hidden object is told to nobody, of the records that were read before too.
    out.from_the_start = out.hidden;
  } else if (code == "URI_TOO_LONG" && !bulk) {
    out.by_bulk = out.from_the_start = true;
  } else if (code == "MALFORMED_QUERY" && !job.where.empty()) {
    out.give_up = true;
  }
  return out;
}

void apply_remedy(const ReadRemedy& remedy,
                  const Error& error,
                  const std::optional<Version>& noted,
                  EpochMs now,
                  ReadJob& job) {
  const EpochMs pause = std::min(kPauseMax, kPause << std::min<std::uint32_t>(job.failures, 8));
  ++job.failures;
  job.error = error.message;
  job.next_try = now + (error.kind == ErrorKind::Blocked ? std::max(pause, kBlockedPause) : pause);
  if (!remedy.leave_out.empty()) {
    if (!job.left_out.empty()) job.left_out += ',';
    job.left_out += remedy.leave_out;
  }
  if (remedy.give_up) {
    job.state = ReadJob::State::Failed;
    job.ended_at = now;
  }
  if (remedy.by_rest) job.api = ReadJob::Api::Rest;
  if (remedy.by_bulk) job.api = ReadJob::Api::Bulk;
  if (remedy.from_the_start && job.state == ReadJob::State::Reading) {
    begin_again(job);
    if (noted) job.noted = *noted;
  }
}

bool is_due(const ReadJob& job, EpochMs now) {
  return job.next_try <= now || job.next_try > now + kPauseMax;
}

void begin_again(ReadJob& job) {
  ++job.run;
  job.bulk_id.clear();
  job.locator.clear();
  job.last_id.clear();
  job.bulk_rows = job.rows = 0;
}

bool is_too_much_for_rest(const Error& error) {
  return error.code == "QUERY_TIMEOUT" || error.code == "URI_TOO_LONG";
}

std::int64_t bulk_look_pause(std::int64_t last) {
  return last == 0 ? kLookFirst : std::min(kLookMax, last * 3 / 2);
}

bool is_too_large(const Error& error) { return error.code == "BODY_TOO_LARGE"; }

}  // namespace headwater
