#include "daemon/pipeline/read_task.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/pipeline/read_failures.hpp"

namespace headwater {
namespace {

using ledger::ReadJob;

/// How often jobs are looked at when none has anything to do.
constexpr std::int64_t kPollMs = 200;
/// Batches that were sent are applied within moments. Lost on the way, they are read again.
constexpr std::int64_t kInFlightMs = 60'000;

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) out.push_back(item);
  return out;
}

}  // namespace

salesforce::Selection selection_of(const ReadJob& job) {
  salesforce::Selection out;
  out.object = job.object;
  out.where = job.since == 0 ? job.where : "SystemModstamp >= " + format_datetime(job.since);
  const auto left_out = split(job.left_out);
  for (auto& field : split(job.fields)) {
    // What the recycle bin holds is told by IsDeleted: without it, it must not be asked for.
    if (field == "IsDeleted") out.with_deleted = true;
    if (std::ranges::find(left_out, field) == left_out.end())
      out.fields.push_back(std::move(field));
  }
  return out;
}

Result<Step> ReadTask::step() {
  free_ended();
  for (const ReadJob& job : due_jobs()) {
    const auto worked = work(job);
    if (!worked) return failed(job, worked.error());
    if (*worked) return Step::again();
  }
  return Step::wait(tools_.clock.monotonic_ms() + kPollMs);
}

/// Repairs first, then what a person asked for; else the oldest first.
std::vector<ReadJob> ReadTask::due_jobs() const {
  const EpochMs now = tools_.clock.now_ms();
  std::vector<ReadJob> out;
  for (ReadJob& job : tools_.ledger.jobs()) {
    if (job.org == tools_.org && job.open() && !job.paused && is_due(job, now))
      out.push_back(std::move(job));
  }
  std::ranges::stable_sort(out, std::greater{}, &ReadJob::why);
  return out;
}

ReadTask::Worked ReadTask::work(const ReadJob& job) {
  if (job.state == ReadJob::State::Queued) return begin(job);
  return job.state == ReadJob::State::Settling ? settle(job) : read_on(job);
}

salesforce::CallTerms ReadTask::terms_of(const ReadJob& job) const {
  salesforce::CallTerms terms;
  terms.priority = job.why == ReadJob::Why::Repair ? salesforce::Priority::Repair
                                                   : salesforce::Priority::Snapshot;
  return terms;
}

ReadTask::Worked ReadTask::begin(const ReadJob& queued) {
  // No event told what it makes up for, nor of a field that was made meanwhile; and a person may
  // want what was shown to our user a moment ago.
  tools_.objects.forget(queued.object);
  auto described = tools_.objects.describe(queued.object);
  if (!described) return described.error();
  ReadJob job = queued;
  job.fields = fmt::format("{}", fmt::join((*described)->fields, ","));
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of((*described)->description.fields,
                               [&](const auto& field) { return field.name == name; });
  };
  const bool has_bin = has("IsDeleted");
  if (job.since != 0 && !has("SystemModstamp")) {
    return read_all_of(job, "it has no SystemModstamp");
  }
  // A first reading has nothing to learn of what is gone.
  if (has_bin && job.why != ReadJob::Why::Snapshot) job.fields += ",IsDeleted";
  const auto counted = reader_.count(selection_of(job), terms_of(job));
  const bool too_much = !counted && is_too_much_for_rest(counted.error());
  if (!counted && !too_much) return counted.error();
  auto noted = tools_.ledger.note_version(tools_.org);
  if (!noted) return noted.error();
  const auto begun = tools_.ledger.change_job(job.number, [&](ReadJob& it) {
    it.fields = job.fields;
    it.types = fmt::format("{}", fmt::join((*described)->types, ","));
    it.expected = counted ? *counted : 0;
    it.api = too_much || *counted >= kBulkRowsMin ? ReadJob::Api::Bulk : ReadJob::Api::Rest;
    it.noted = *noted;
    it.started_at = tools_.clock.now_ms();
    it.state = ReadJob::State::Reading;
    it.failures = 0;
    it.error.clear();
    ++it.run;
  });
  if (!begun) return begun.error();
  log::info("reading an object",
            {{"org", tools_.org},
             {"object", job.object},
             {"job", job.number},
             {"why", to_string(job.why)},
             {"records", counted ? *counted : 0}});
  return true;
}

ReadTask::Reading& ReadTask::reading_of(const ReadJob& job) {
  Reading& reading = readings_[job.number];
  if (reading.run != job.run) {
    reading = {};
    reading.run = job.run;
    reading.sent = job.chunks;
    reading.last_id = job.last_id;
    reading.sent_at = tools_.clock.monotonic_ms();
  }
  reading.bulk_id = job.bulk_id;
  return reading;
}

ReadTask::Worked ReadTask::read_on(const ReadJob& job) {
  Reading& reading = reading_of(job);
  publish(job);
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (job.chunks < reading.sent && now - reading.sent_at > kInFlightMs) {
    log::warning("rows of a read job were not applied: reading them again",
                 {{"org", tools_.org}, {"job", job.number}});
    const auto again = tools_.ledger.change_job(job.number, [](ReadJob& it) { ++it.run; });
    if (!again) return again.error();
    return true;
  }
  if (reading.read_all) return false;  // the last ones are on their way
  return job.api == ReadJob::Api::Bulk ? read_bulk(job, reading) : read_rest(job, reading);
}

ReadTask::Worked ReadTask::read_rest(const ReadJob& job, Reading& reading) {
  auto described = tools_.objects.describe(job.object);
  if (!described) return described.error();
  auto noted = tools_.ledger.note_version(tools_.org);
  if (!noted) return noted.error();
  salesforce::Selection selection = selection_of(job);
  selection.order_by = "Id";
  selection.limit = reading.limit;
  if (!reading.last_id.empty()) {
    const std::string behind = fmt::format("Id > '{}'", reading.last_id);
    selection.where =
        selection.where.empty() ? behind : fmt::format("({}) AND {}", selection.where, behind);
  }
  auto page = reader_.query(selection, reading.limit, terms_of(job));
  if (!page) {
    const bool too_much = page.error().code == "QUERY_TIMEOUT" || is_too_large(page.error());
    if (too_much && reading.limit > 1) {
      reading.limit /= 2;
      return true;
    }
    return page.error();
  }
  if (!page->next.empty() && !page->records.empty()) {
    // The org gives fewer at once (texts are long): asked for so many, it must give them all.
    reading.limit = page->records.size();
    return true;
  }
  ChunkPlace place{job, *noted, reading.sent, {}, {}, false};
  auto ids = check_page(*page, reading);
  if (!ids) return ids.error();
  place.read_all = page->total < reading.limit;
  ChunkMaker chunk(tools_, **described, *noted);
  if (auto added = chunk.add(*page); !added) return added.error();
  reading.page_before = std::move(*ids);
  sent(job, reading, chunk, chunk.send(place));
  reading.read_all = place.read_all;
  if (!chunk.last_id().empty()) reading.last_id = chunk.last_id();
  if (chunk.unreadable() > 0) tools_.objects.forget(job.object);  // a type may have changed
  return true;
}

/// A page is whole, and none of its records was in the one before. Gives their ids, sorted.
Result<std::vector<std::string>> ReadTask::check_page(const salesforce::QueryPage& page,
                                                      const Reading& reading) {
  if (page.records.size() != page.total)
    return transient(fmt::format("a page has {} rows, {} were announced; reading it again",
                                 page.records.size(),
                                 page.total),
                     "PAGE_SHORT");
  std::vector<std::string> ids;
  for (const std::string& record : page.records) {
    // Our fields begin with Id, and the org prints them in our order.
    const auto at = record.find("\"Id\":\"");
    if (at != std::string::npos) ids.push_back(record.substr(at + 6, RecordId::kSize));
  }
  std::ranges::sort(ids);
  std::vector<std::string> both;
  std::ranges::set_intersection(ids, reading.page_before, std::back_inserter(both));
  if (!both.empty())
    return transient("a page holds records of the page before; reading it again", "PAGE_REPEATED");
  return ids;
}

ReadTask::Worked ReadTask::read_bulk(const ReadJob& job, Reading& reading) {
  if (job.bulk_id.empty()) {
    const auto made = reader_.create_job(selection_of(job), terms_of(job));
    if (!made) return made.error();
    const auto kept =
        tools_.ledger.change_job(job.number, [&](ReadJob& it) { it.bulk_id = made->id; });
    if (!kept) return kept.error();
    return true;
  }
  if (!reading.walk) return wait_for_bulk(job, reading);
  auto described = tools_.objects.describe(job.object);
  if (!described) return described.error();
  const auto fields = selection_of(job).fields;
  ChunkPlace place{job, job.noted, reading.sent, reading.walk->position(), {}, false};
  auto page = reading.walk->next();
  if (!page) return page.error();
  place.behind = reading.walk->position();
  place.read_all = place.behind.done;
  ChunkMaker chunk(tools_, **described, job.noted);
  if (*page) {
    if (auto added = chunk.add(**page, fields); !added) return added.error();
  }
  sent(job, reading, chunk, chunk.send(place));
  reading.read_all = place.read_all;
  if (chunk.unreadable() > 0) tools_.objects.forget(job.object);
  return true;
}

ReadTask::Worked ReadTask::wait_for_bulk(const ReadJob& job, Reading& reading) {
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (now < reading.next_look) return false;
  auto state = reader_.job(job.bulk_id, terms_of(job));
  if (!state) return state.error();
  if (!state->over()) {
    reading.look_pause = bulk_look_pause(reading.look_pause);
    reading.next_look = now + reading.look_pause;
    return false;
  }
  if (state->state != salesforce::BulkJob::State::Complete) {
    auto error = salesforce::bad_end(*state);
    error.message += "; it is made again";
    return error;
  }
  if (state->records != job.expected) {
    const auto told =
        tools_.ledger.change_job(job.number, [&](ReadJob& it) { it.expected = state->records; });
    if (!told) return told.error();
  }
  const salesforce::BulkPosition from{job.locator, job.bulk_rows, false};
  reading.walk = std::make_unique<salesforce::BulkWalk>(
      reader_, *state, selection_of(job).fields, from, kBulkPageRows, terms_of(job));
  return true;
}

void ReadTask::sent(const ReadJob& job,
                    Reading& reading,
                    const ChunkMaker& chunk,
                    std::uint64_t to) {
  reading.sent = to;
  reading.sent_at = tools_.clock.monotonic_ms();
  tools_.metrics
      .counter("headwater_snapshot_rows_total",
               "Rows read by snapshots, resyncs and repairs",
               {{"org", job.org}, {"object", job.object}})
      .add(static_cast<double>(chunk.rows()));
}

void ReadTask::publish(const ReadJob& job) {
  const double share = job.state == ReadJob::State::Settling || job.expected == 0
                           ? 1.0
                           : static_cast<double>(job.rows) / static_cast<double>(job.expected);
  tools_.metrics
      .gauge("headwater_snapshot_progress_ratio",
             "How much of an object's newest reading is applied, 0 to 1",
             {{"org", job.org}, {"object", job.object}})
      .set(std::min(share, 1.0));
}

Result<Step> ReadTask::failed(const ReadJob& job, const Error& cause) {
  if (cause.kind == ErrorKind::Fatal) return cause;
  Error error = cause;
  error.message = fmt::format("job {} reads {}: {}", job.number, job.object, cause.message);
  const ReadRemedy remedy = remedy_of(job, error);
  if (remedy.describe_again) tools_.objects.forget(job.object);
  std::optional<Version> noted;
  if (remedy.from_the_start) {
    auto taken = tools_.ledger.note_version(tools_.org);
    if (!taken) return taken.error();
    noted = *taken;
  }
  const EpochMs now = tools_.clock.now_ms();
  const auto kept = tools_.ledger.change_job(
      job.number, [&](ReadJob& it) { apply_remedy(remedy, error, noted, now, it); });
  if (!kept) return kept.error();
  if (remedy.hidden && tools_.living(job.object) > 0) {
    if (auto opened = say_unreadable(job.object, cause); !opened) return opened.error();
  }
  log::warning(error.message,
               {{"org", tools_.org},
                {"object", job.object},
                {"job", job.number},
                {"next_try", *kept ? format_datetime((*kept)->next_try) : ""}});
  // What is wrong with this one object is shown with its job; the others go on.
  if (error.kind == ErrorKind::Rejected) return Step::again();
  return error;
}

/// The reading goes on trying; but that the living records of the object are in doubt must not wait
/// for the next audit.
Result<void> ReadTask::say_unreadable(const std::string& object, const Error& error) {
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Object;
  hole.org = tools_.org;
  hole.object = object;
  hole.cause = ledger::kUnreadable;
  hole.detail = fmt::format(
      "{}; nothing is deleted for it: give the integration user read permission, the next reading "
      "closes this",
      error.message);
  // Without an end: it is no renewal that needs another job.
  hole.from_ts = hole.opened_at = tools_.clock.now_ms();
  return tools_.ledger.open_hole(hole);
}

/// Bulk results of jobs that are over are given back; a running one that nobody wants is ended.
void ReadTask::free_ended() {
  for (auto at = readings_.begin(); at != readings_.end();) {
    const auto job = tools_.ledger.job(at->first);
    if (job && job->open()) {
      ++at;
      continue;
    }
    if (!at->second.bulk_id.empty()) {
      // Should it fail: Salesforce drops them after seven days.
      const salesforce::CallTerms terms;
      const bool running = !at->second.walk;
      const auto ended = running ? reader_.abort_job(at->second.bulk_id, terms) : Result<void>();
      const auto freed = ended ? reader_.delete_job(at->second.bulk_id, terms) : ended;
      if (!freed) log::info(freed.error().message, {{"org", tools_.org}});
    }
    at = readings_.erase(at);
  }
}

}  // namespace headwater
