#include "tests/sim/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/salesforce/csv.hpp"

namespace headwater::sim {
namespace {

using salesforce::BulkJob;
using salesforce::CallTerms;
using salesforce::QueryPage;
using salesforce::Selection;

constexpr std::string_view kBehind = "Id > '", kSince = "SystemModstamp >= ", kById = "Id IN";
constexpr std::size_t kPageRowsMost = 4;  // of a Bulk result: some have several pages
constexpr std::size_t kPageBytesMax = 1U << 20;

Error refused() { return rejected("rest: not simulated"); }
Error too_slow() { return rejected("rest: the query takes too long", "QUERY_TIMEOUT"); }
Error no_such_job() { return rejected("bulk: no such job", "NOT_FOUND"); }

}  // namespace

std::optional<Error> SimReader::call(std::string_view what) {
  world_.point(what);
  world_.meanwhile();
  if (world_.roll(world_.faults.api)) return transient("rest: HTTP 503");
  return std::nullopt;
}

/// Ascending by id. The conditions are those that our tasks send.
std::vector<const SimRecord*> SimReader::selected(const Selection& selection) const {
  const std::string& where = selection.where;
  const auto behind_at = where.find(kBehind), since_at = where.find(kSince);
  const std::string behind =
      behind_at == std::string::npos ? "" : where.substr(behind_at + kBehind.size(), 18);
  const EpochMs since = since_at == std::string::npos
                            ? INT64_MIN
                            : *parse_datetime(where.substr(since_at + kSince.size(), 24));
  const bool by_id = where.find(kById) != std::string::npos;
  std::vector<const SimRecord*> out;
  for (const auto& [key, record] : org_.records()) {
    const bool named = !by_id || where.find(record.id) != std::string::npos;
    if (record.object->name == selection.object && named && record.id > behind &&
        record.now().commit_ms >= since &&
        ((selection.with_deleted && !world_.faults.no_bin) || !record.now().deleted))
      out.push_back(&record);
  }
  std::ranges::sort(out, {}, &SimRecord::id);
  return out;
}

// ---- queries

Result<QueryPage> SimReader::query(const Selection& selection, std::size_t, const CallTerms&) {
  if (auto failed = call("api.query")) return *failed;
  if (auto refusal = org_.refuse_fields(selection.object, selection.fields)) return *refusal;
  const bool by_id = selection.where.find(kById) != std::string::npos;
  if (selection.limit == 0 && !by_id && world_.faults.bulk) return too_slow();
  if (selection.limit > 1 && world_.roll(world_.faults.slow)) return too_slow();
  QueryPage page;
  for (const SimRecord* record : selected(selection)) {
    if (selection.limit != 0 && page.records.size() == selection.limit) break;
    page.records.push_back(org_.row(*record));
  }
  page.total = page.records.size();
  world_.meanwhile();  // the answer is on its way, and already old
  return page;
}

Result<QueryPage> SimReader::query_next(const std::string&, const CallTerms&) { return refused(); }
Result<salesforce::OrgLimits> SimReader::limits(const CallTerms&) { return refused(); }

Result<std::uint64_t> SimReader::count(const Selection& selection, const CallTerms&) {
  if (auto failed = call("api.count")) return *failed;
  if (world_.faults.bulk) return too_slow();
  return selected(selection).size();
}

Result<salesforce::DeletionLog> SimReader::deletions(const std::string& object,
                                                     EpochMs from,
                                                     EpochMs to,
                                                     const CallTerms&) {
  if (auto failed = call("api.deleted")) return *failed;
  salesforce::DeletionLog log;
  log.reaches_from = from;
  log.reaches_to = world_.now_ms() / 1000 * 1000;
  if (world_.roll(world_.faults.log_cut)) {
    // The log was trimmed, or lags.
    (world_.random.chance(0.5) ? log.reaches_from : log.reaches_to) +=
        world_.random.between(-60'000, 60'000);
  }
  for (const auto& [key, record] : org_.records()) {
    if (record.object->name != object || !record.now().deleted) continue;
    const EpochMs at = record.now().commit_ms;
    if (at >= std::max(from, log.reaches_from) && at <= std::min(to, log.reaches_to))
      log.ids.push_back(*RecordId::parse(record.id));
  }
  world_.meanwhile();
  return log;
}

// ---- Bulk jobs

Result<BulkJob> SimReader::create_job(const Selection& selection, const CallTerms&) {
  if (auto failed = call("api.create_job")) return *failed;
  if (auto refusal = org_.refuse_fields(selection.object, selection.fields)) return *refusal;
  BulkJob out;
  out.id = fmt::format("750-{}", org_.jobs_made());
  out.object = selection.object;
  SimJob& job = org_.jobs()[out.id];
  job.selection = selection;
  job.over_at = world_.now_ms() + world_.random.between(0, 20'000);
  job.fails = world_.roll(world_.faults.job_lost);
  for (const SimRecord* record : selected(selection))
    job.lines.emplace(record->id, org_.line(*record, selection.fields));
  world_.point("api.job_made");
  // Made though its maker never heard of it.
  if (world_.roll(world_.faults.api)) return transient("rest: the answer was cut off");
  return out;
}

/// The org came to some records when the job began, to others only now.
void SimReader::finish(SimJob& job) {
  for (const SimRecord* record : selected(job.selection)) {
    if (world_.random.chance(0.5)) job.lines[record->id] = org_.line(*record, job.selection.fields);
  }
  job.finished = true;
}

Result<BulkJob> SimReader::job(const std::string& id, const CallTerms&) {
  if (auto failed = call("api.job")) return *failed;
  const auto at = org_.jobs().find(id);
  if (at == org_.jobs().end()) return no_such_job();
  SimJob& job = at->second;
  BulkJob out;
  out.id = id;
  out.object = job.selection.object;
  out.state = BulkJob::State::Running;
  if (world_.now_ms() < job.over_at) return out;
  if (!job.finished) finish(job);
  out.state = job.fails ? BulkJob::State::Failed : BulkJob::State::Complete;
  out.records = job.lines.size();
  return out;
}

Result<BulkJob> SimReader::wait_for_job(const std::string&, const CallTerms&) { return refused(); }

Result<salesforce::BulkPage> SimReader::job_page(const std::string& id,
                                                 std::span<const std::string> fields,
                                                 const std::string& locator,
                                                 std::size_t,
                                                 const CallTerms&) {
  if (auto failed = call("api.job_page")) return *failed;
  if (world_.roll(world_.faults.job_lost)) org_.jobs().erase(id);
  const auto at = org_.jobs().find(id);
  if (at == org_.jobs().end()) return no_such_job();
  if (world_.roll(world_.faults.api)) return transient("bulk: rows are missing", "PAGE_SHORT");
  // Its locator is the id behind which it begins.
  const auto& lines = at->second.lines;
  auto line = locator.empty() ? lines.begin() : lines.upper_bound(locator);
  salesforce::CsvParser parser(fields, kPageBytesMax);
  std::string text = fmt::format("{}\n", fmt::join(fields, ","));
  salesforce::BulkPage page;
  for (auto left = 1 + world_.random.below(kPageRowsMost); line != lines.end() && left > 0;
       --left) {
    text += line->second;
    page.next = (line++)->first;
  }
  if (line == lines.end()) page.next.clear();
  if (auto fed = parser.feed(text); !fed) return fed.error();
  auto rows = parser.finish();
  if (!rows) return rows.error();
  page.rows = std::move(*rows);
  world_.meanwhile();
  return page;
}

Result<void> SimReader::abort_job(const std::string&, const CallTerms&) { return {}; }

Result<void> SimReader::delete_job(const std::string& id, const CallTerms&) {
  if (auto failed = call("api.delete_job")) return *failed;
  org_.jobs().erase(id);
  return {};
}

}  // namespace headwater::sim
