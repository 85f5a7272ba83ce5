#include "daemon/pipeline/refetch_task.hpp"

#include <algorithm>
#include <map>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

/// Ids in one refetch: well below the API's 2,000, so that a page of long texts stays small in
/// memory.
constexpr std::size_t kRefetchMax = 500;
/// How often holes are looked at when none is due.
constexpr std::int64_t kPollMs = 200;
/// A refetch that was refused is tried again after this, doubled with each failure up to
/// kPostponeMax.
constexpr EpochMs kPostpone = 5'000;
constexpr EpochMs kPostponeMax = 15 * 60'000;
/// Rows in the lane are applied within moments; should they get lost on the way, their holes are
/// due again after this.
constexpr EpochMs kInFlight = 60'000;
/// Holes that a start has asked for at once, at most: more than a lane and an outbox hold.
constexpr std::size_t kAtStartMax = 10 * kRefetchMax;

EpochMs pause_after(std::uint32_t attempts) {
  return std::min(kPostponeMax, kPostpone << std::min<std::uint32_t>(attempts, 10));
}

}  // namespace

RefetchTask::RefetchTask(OrgTools& tools)
    : tools_(tools),
      refetched_(tools.metrics.counter(
          "headwater_refetched_records_total", "Records read again by id", {{"org", tools.org}})),
      failed_(tools.metrics.counter("headwater_refetch_failures_total",
                                    "Records whose refetch failed; they are asked for again",
                                    {{"org", tools.org}})) {}

/// Nothing is on its way in a new process, so nothing that waits for that need wait. A short pause
/// after a refusal looks the same, and ends as well.
Result<void> RefetchTask::ask_at_once() {
  const EpochMs now = tools_.clock.now_ms();
  auto waiting = tools_.ledger.due_refetches(tools_.org, now + kInFlight, kAtStartMax);
  std::erase_if(waiting, [now](const ledger::Hole& hole) { return hole.next_try <= now; });
  if (waiting.empty()) return {};
  return tools_.ledger.postpone(waiting, now);
}

Result<Step> RefetchTask::step() {
  if (!begun_) {
    if (auto done = ask_at_once(); !done) return done.error();
    begun_ = true;
  }
  const EpochMs now = tools_.clock.now_ms();
  const auto due = tools_.ledger.due_refetches(tools_.org, now, kRefetchMax);
  if (due.empty()) return Step::wait(tools_.clock.monotonic_ms() + kPollMs);
  std::map<std::string, std::vector<ledger::Hole>> by_object;
  for (const auto& hole : due) by_object[hole.object].push_back(hole);
  // Behind the object that failed last: what fails for one alone does not stand before the others.
  auto at = by_object.upper_bound(failed_object_);
  for (auto left = by_object.size(); left > 0 && tools_.outbox.empty(); --left, ++at) {
    if (at == by_object.end()) at = by_object.begin();
    const auto& [object, holes] = *at;
    const auto done = refetch(object, holes);
    if (done) continue;
    failed_.add(static_cast<double>(holes.size()));
    failed_object_ = object;
    // Only what is the question's own fault is put off: the org itself is asked again as soon as it
    // answers.
    if (done.error().kind != ErrorKind::Rejected) return done.error();
    const EpochMs next = now + pause_after(holes.front().attempts);
    if (auto postponed = tools_.ledger.postpone(holes, next); !postponed) return postponed.error();
    tools_.objects.forget(object);  // a field went or was hidden
    log::warning(done.error().message, {{"org", tools_.org}, {"object", object}});
  }
  return Step::again();
}

Result<void> RefetchTask::refetch(const std::string& object,
                                  const std::vector<ledger::Hole>& holes) {
  auto described = tools_.objects.describe(object);
  if (!described) return described.error();
  auto noted = tools_.ledger.note_version(tools_.org);
  if (!noted) return noted.error();
  std::vector<RecordId> ids;
  for (const auto& hole : holes) {
    if (auto id = RecordId::parse(hole.id)) ids.push_back(*id);
  }
  auto records = tools_.api.fetch(object, ids, (*described)->fields);
  if (!records) return records.error();
  std::map<std::string, std::string> unread;
  OwnedRows rows = tools_.objects.rows_of(**described, *records, unread);
  rows.batch.org = tools_.org;
  rows.batch.object = object;
  rows.batch.noted = *noted;
  rows.batch.type = ChangeType::Refetch;
  refetched_.add(static_cast<double>(rows.rows.size()));
  // Not due again while they wait in the lane; applied, they close their holes.
  const EpochMs due = tools_.clock.now_ms() + kInFlight;
  if (auto postponed = tools_.ledger.postpone(holes, due); !postponed) return postponed;
  tools_.outbox.send(std::move(rows));
  if (unread.empty()) return {};
  failed_.add(static_cast<double>(unread.size()));
  tools_.objects.forget(object);  // a field's type may have changed
  return say_unread(holes, unread, *noted);
}

/// They are there, and nothing waits for them any more: each has a hole of its own until it can be
/// read, and is asked for with growing pauses.
Result<void> RefetchTask::say_unread(const std::vector<ledger::Hole>& holes,
                                     const std::map<std::string, std::string>& unread,
                                     const Version& noted) {
  for (ledger::Hole hole : holes) {
    const auto why = unread.find(hole.id);
    if (why == unread.end()) continue;
    hole.cause = ledger::kUnreadableRow;
    hole.detail = why->second;
    hole.version = noted;
    hole.next_try = tools_.clock.now_ms() + pause_after(hole.attempts);
    if (auto said = tools_.ledger.open_hole(hole); !said) return said;
  }
  return {};
}

}  // namespace headwater
