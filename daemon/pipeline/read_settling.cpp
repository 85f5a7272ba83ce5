#include <fmt/format.h>

#include <algorithm>

#include "daemon/observe/log.hpp"
#include "daemon/pipeline/read_failures.hpp"
#include "daemon/pipeline/read_task.hpp"

// What follows the last page of a read job: finding what is gone.

namespace headwater {
namespace {

using ledger::ReadJob;

/// States that settling looks at in one step: some milliseconds under the ledger's write lock.
constexpr std::size_t kSettleStates = 2'000;
constexpr std::int64_t kSettleLookMs = 500;
/// The log of deletions is asked again after this, should it not yet cover the stretch, and not
/// longer than so.
constexpr std::int64_t kLogLookMs = 5'000, kLogPatienceMs = 30 * 60'000;
/// Deleted ids that live here: more are settled in pieces, by reading all of the object.
constexpr std::size_t kLogGoneMax = 20'000;
constexpr std::size_t kHeadsAtOnce = 1'000;
/// Of the records that live here the org must show so many. Fewer look like a permission that was
/// withdrawn (design.md ruling 14); some are always on their way.
constexpr double kShownShareMin = 0.95;

}  // namespace

ReadTask::Worked ReadTask::settle(const ReadJob& job) {
  Reading& reading = reading_of(job);
  publish(job);
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (job.settling == ReadJob::Settling::Log) return ask_log(job, reading);
  const bool waiting = job.settling == ReadJob::Settling::Waiting;
  if (waiting && now < reading.next_look) return false;
  const auto done = tools_.ledger.settle_job(job.number, kSettleStates);
  if (!done) return done.error();
  if (!*done && waiting) {
    reading.next_look = now + kSettleLookMs;
    return false;
  }
  return true;
}

ReadTask::Worked ReadTask::ask_log(const ReadJob& job, Reading& reading) {
  if (tools_.clock.monotonic_ms() < reading.next_look) return false;
  const EpochMs now = tools_.clock.now_ms();
  const auto log = reader_.deletions(job.object, job.since, now, terms_of(job));
  if (!log) {
    if (log.error().kind != ErrorKind::Rejected) return log.error();
    return read_all_of(job, log.error().message);
  }
  if (log->reaches_from > job.since) {
    return read_all_of(job,
                       fmt::format("the org's log of deletions begins at {}, after {}",
                                   format_datetime(log->reaches_from),
                                   format_datetime(job.since)));
  }
  // The stretch was over when the job was made.
  if (log->reaches_to < job.created_at / 1000 * 1000) {
    // Made by a clock that was ahead, it would wait for as long as that was.
    if (now - job.created_at > kLogPatienceMs || now < job.created_at) {
      return read_all_of(job,
                         fmt::format("the org's log of deletions does not get past {}",
                                     format_datetime(log->reaches_to)));
    }
    reading.next_look = tools_.clock.monotonic_ms() + kLogLookMs;
    return false;
  }
  const auto gone = living(job, log->ids);
  if (!gone) return gone.error();
  if (gone->size() > kLogGoneMax) {
    return read_all_of(job, fmt::format("{} of its records were deleted", gone->size()));
  }
  // Who sees no records any more is told of no changes either.
  salesforce::Selection all;
  all.object = job.object;
  const auto shown = reader_.count(all, terms_of(job));
  if (!shown) {
    if (shown.error().kind != ErrorKind::Rejected) return shown.error();
    return read_all_of(job, shown.error().message);
  }
  const std::uint64_t living_here = tools_.living(job.object);
  const std::uint64_t held = living_here - std::min<std::uint64_t>(living_here, gone->size());
  if (static_cast<double>(*shown) < static_cast<double>(held) * kShownShareMin) {
    return read_all_of(job, fmt::format("the org shows {} records, {} live here", *shown, held));
  }
  const auto proof = fmt::format(
      "the org's log of deletions from {} to {} names {}, of which {} lived here; it shows {} "
      "living records, {} live here",
      format_datetime(job.since),
      format_datetime(log->reaches_to),
      log->ids.size(),
      gone->size(),
      *shown,
      held);
  if (auto ok = tools_.ledger.settle_by_log(job.number, *gone, proof); !ok) return ok.error();
  return true;
}

/// Those that are no deletion here yet.
Result<std::vector<RecordId>> ReadTask::living(const ReadJob& job,
                                               const std::vector<RecordId>& gone) const {
  std::vector<RecordId> out;
  std::vector<std::string> rkeys;
  for (std::size_t from = 0; from < gone.size(); from += kHeadsAtOnce) {
    const std::size_t to = std::min(gone.size(), from + kHeadsAtOnce);
    rkeys.clear();
    for (std::size_t i = from; i < to; ++i) {
      rkeys.push_back(RecordKey{job.org, job.object, gone[i]}.str());
    }
    const auto heads = tools_.ledger.heads(rkeys);
    if (!heads) return heads.error();
    for (std::size_t i = from; i < to; ++i) {
      const auto& head = (*heads)[i - from];
      if (head && !head->deleted) out.push_back(gone[i]);
    }
  }
  return out;
}

/// What was saved since proves too little: the job begins again, without a bound.
ReadTask::Worked ReadTask::read_all_of(const ReadJob& job, const std::string& why) {
  const auto changed = tools_.ledger.change_job(job.number, [&](ReadJob& it) {
    it.state = ReadJob::State::Queued;
    it.since = 0;
    it.proof = "all of it, as " + why;
    begin_again(it);
    it.settling = ReadJob::Settling::Counting;
  });
  if (!changed) return changed.error();
  log::info("a stretch cannot be repaired by what was saved since: all of the object is read",
            {{"org", tools_.org}, {"object", job.object}, {"job", job.number}, {"why", why}});
  return true;
}

}  // namespace headwater
