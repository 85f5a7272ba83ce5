#include "daemon/status.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>

#include "daemon/job_orders.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "schemas/model/render.hpp"

namespace headwater {
namespace {

namespace json = boost::json;
using observe::PartState;

/// Record holes are ordinary for a while: a refetch takes a moment.
constexpr EpochMs kRecordHoleGrace = 5 * 60'000;

json::value time_or_null(EpochMs ms) {
  return ms == 0 ? json::value(nullptr) : json::value(format_datetime(ms));
}

std::string_view scope_text(ledger::Hole::Scope scope) {
  switch (scope) {
    case ledger::Hole::Scope::Record:
      return "record";
    case ledger::Hole::Scope::Object:
      return "object";
    case ledger::Hole::Scope::Stretch:
      return "stretch";
    case ledger::Hole::Scope::Deletion:
      return "deletion";
    case ledger::Hole::Scope::Sink:
      return "sink";
  }
  return "?";
}

void add_closing(json::object& out, const ledger::Closing& closing) {
  out["status"] = to_string(closing.how);
  if (closing.how == ledger::Closing::How::Open) return;
  out["closed_at"] = time_or_null(closing.at);
  out["closed_by"] = closing.by;
  out["evidence"] = closing.evidence;
}

/// The jobs that are to answer a hole, by its number.
using Repairs = std::multimap<Rev, ledger::ReadJob>;

Repairs repairs_of(const ledger::Ledger& ledger) {
  Repairs out;
  for (const auto& job : ledger.jobs()) {
    for (const auto& hole : job.holes) out.emplace(hole.number, job);
  }
  return out;
}

/// What readings that were to answer the hole had to leave out.
std::string fields_owed(const ledger::Hole& hole, const Repairs& repairs) {
  std::string out;
  const auto [from, to] = repairs.equal_range(hole.rev);
  for (auto at = from; hole.rev.value != 0 && at != to; ++at) {
    const ledger::ReadJob& job = at->second;
    if (!job.left_out.empty())
      out += fmt::format("; job {} could not query {} of {}", job.number, job.left_out, job.object);
  }
  return out;
}

/// What a person may do about it that its own detail does not say.
std::string remedy_of(const ledger::Hole& hole) {
  if (hole.scope != ledger::Hole::Scope::Record || hole.cause != ledger::kMassDelete) return {};
  return fmt::format(
      "the org does not show it, and too many others: it is not deleted, but asked for again. If "
      "it is really gone: headwater resync {} --confirm",
      hole.object);
}

json::object hole_object(const ledger::Hole& hole, const Repairs& repairs) {
  json::object out;
  // A hole of a single record has none: it closes by itself.
  if (hole.rev.value != 0) out["number"] = hole.rev.value;
  out["scope"] = scope_text(hole.scope);
  out["org"] = hole.org;
  if (!hole.object.empty()) out["object"] = hole.object;
  if (!hole.id.empty()) out["id"] = hole.id;
  if (!hole.topic.empty()) out["topic"] = hole.topic;
  if (!hole.sink.empty()) out["sink"] = hole.sink;
  out["cause"] = hole.cause;
  out["detail"] = hole.detail;
  out["from"] = time_or_null(hole.from_ts);
  out["to"] = time_or_null(hole.to_ts);
  out["opened_at"] = time_or_null(hole.opened_at);
  out["attempts"] = hole.attempts;
  if (hole.closing.how == ledger::Closing::How::Open) {
    if (hole.next_try != 0) out["next_try"] = time_or_null(hole.next_try);
    if (auto remedy = remedy_of(hole); !remedy.empty()) out["remedy"] = std::move(remedy);
  }
  json::array jobs;
  const auto [from, to] = repairs.equal_range(hole.rev);
  for (auto at = from; hole.rev.value != 0 && at != to; ++at) {
    const ledger::ReadJob& job = at->second;
    json::object item{{"job", job.number}, {"object", job.object}, {"state", shown_state(job)}};
    if (!job.left_out.empty()) item["fields_left_out"] = job.left_out;
    jobs.push_back(std::move(item));
  }
  if (!jobs.empty()) out["repair"] = std::move(jobs);
  add_closing(out, hole.closing);
  return out;
}

json::array parts_array(const observe::Health& health) {
  json::array out;
  for (const auto& part : health.parts()) {
    json::object item;
    item["part"] = part.name;
    item["state"] = observe::to_string(part.state);
    item["why"] = part.sentence.empty() ? json::value(nullptr) : json::value(part.sentence);
    item["since"] = format_datetime(part.since);
    if (part.stuck) item["stuck_ms"] = part.beat_age_ms;
    out.push_back(std::move(item));
  }
  return out;
}

json::array streams_array(const StatusSources& sources, const Clock& clock) {
  json::array out;
  for (const auto& stream : sources.streams) {
    json::object item;
    item["org"] = stream.org;
    item["topic"] = stream.topic;
    const auto position = sources.ledger.position(stream);
    item["position"] = position && !position->replay_id.empty()
                           ? json::value(position->replay_id.hex())
                           : json::value(nullptr);
    item["position_stored_at"] = time_or_null(position ? position->stored_at : 0);
    item["newest_commit"] = time_or_null(position ? position->newest_commit_ts : 0);
    if (position)
      item["position_age_seconds"] =
          static_cast<double>(clock.now_ms() - position->stored_at) / 1000.0;
    out.push_back(std::move(item));
  }
  return out;
}

json::array sinks_array(const StatusSources& sources) {
  json::array out;
  for (const SinkLoop* sink : sources.sinks) {
    const SinkStatus status = sink->status();
    json::object item;
    item["sink"] = status.name;
    item["open"] = status.open;
    item["cursor_rev"] = status.cursor.value;
    item["materializing"] = status.materializing;
    item["lag_entries"] = status.lag_entries;
    item["lag_seconds"] = status.lag_seconds;
    item["entries_written"] = status.entries_written;
    out.push_back(std::move(item));
  }
  return out;
}

json::object ledger_object(const ledger::Ledger& ledger) {
  const auto journal = ledger.journal();
  json::object out;
  out["id"] = ledger.id();
  out["head_rev"] = journal.head.value;
  out["journal_entries"] = journal.entries;
  out["journal_bytes"] = journal.bytes;
  out["journal_bytes_max"] = journal.bytes_max;
  out["journal_full"] = journal.full;
  out["reprojecting"] = ledger.reprojecting();
  json::array records;
  for (const auto& count : ledger.counts()) {
    records.push_back(json::object{{"org", count.org},
                                   {"object", count.object},
                                   {"entity", count.entity},
                                   {"alive", count.alive},
                                   {"deleted", count.deleted},
                                   {"incomplete", count.incomplete}});
  }
  out["records"] = std::move(records);
  return out;
}

/// One sentence for each object whose first reading is not over.
void tell_snapshots(const StatusSources& sources, std::vector<std::string>& out) {
  std::map<std::pair<std::string, std::string>, const ledger::ReadJob*> missing;
  for (const auto& object : sources.snapshots) missing.emplace(object, nullptr);
  const auto jobs = sources.ledger.jobs();
  for (const auto& job : jobs) {
    if (job.open() && job.why == ledger::ReadJob::Why::Snapshot)
      missing.insert_or_assign({job.org, job.object}, &job);
  }
  for (const auto& [object, job] : missing) {
    if (sources.ledger.last_snapped(object.first, object.second)) continue;
    if (job == nullptr) {
      out.push_back(fmt::format("org {}: {} is not read in yet: it waits for its streams to begin",
                                object.first,
                                object.second));
      continue;
    }
    out.push_back(fmt::format("org {}: {} is not read in yet: job {}, {}, {} of {} records{}{}",
                              job->org,
                              job->object,
                              job->number,
                              shown_state(*job),
                              job->rows,
                              job->expected,
                              job->error.empty() ? "" : "; ",
                              job->error));
  }
}

}  // namespace

std::vector<std::string> not_ready(const StatusSources& sources, const Clock& clock) {
  std::vector<std::string> out;
  for (const auto& part : sources.health.parts()) {
    if (part.state == PartState::Blocked || part.state == PartState::Fatal ||
        part.state == PartState::Starting) {
      out.push_back(fmt::format("{} is {}: {}",
                                part.name,
                                observe::to_string(part.state),
                                part.sentence.empty() ? "not yet at work" : part.sentence));
    }
  }
  tell_snapshots(sources, out);
  const Repairs repairs = repairs_of(sources.ledger);
  for (const auto& hole : sources.ledger.holes()) {
    // What became of a deleted record adds to what is known; it takes nothing back.
    if (hole.scope == ledger::Hole::Scope::Deletion) continue;
    if (!hole.wide() && clock.now_ms() - hole.opened_at < kRecordHoleGrace) continue;
    out.push_back(fmt::format("{} hole open since {}: {} {}{}{}{}{}{}",
                              scope_text(hole.scope),
                              format_datetime(hole.opened_at),
                              hole.cause,
                              hole.object.empty() ? hole.topic : hole.object,
                              hole.id.empty() ? "" : " ",
                              hole.id,
                              hole.sink.empty() ? "" : " in ",
                              hole.sink,
                              fields_owed(hole, repairs)));
  }
  return out;
}

std::string status_json(const StatusSources& sources, const Clock& clock) {
  json::object out;
  out["version"] = sources.version;
  out["started_at"] = format_datetime(sources.started_at);
  out["now"] = format_datetime(clock.now_ms());
  json::array reasons;
  for (auto& reason : not_ready(sources, clock)) reasons.emplace_back(std::move(reason));
  out["ready"] = reasons.empty();
  out["not_ready"] = std::move(reasons);
  out["parts"] = parts_array(sources.health);
  out["streams"] = streams_array(sources, clock);
  out["ledger"] = ledger_object(sources.ledger);
  out["sinks"] = sinks_array(sources);
  out["jobs"] = jobs_array(sources.ledger, clock.now_ms(), false);
  const Repairs repairs = repairs_of(sources.ledger);
  json::array holes;
  for (const auto& hole : sources.ledger.holes()) holes.push_back(hole_object(hole, repairs));
  out["holes_open"] = sources.ledger.holes_open();
  out["holes"] = std::move(holes);
  out["quarantine_open"] = sources.ledger.quarantine_open();
  if (sources.audit != nullptr) out["audit"] = json::parse(sources.audit->status_json());
  return json::serialize(out);
}

std::string holes_json(const ledger::Ledger& ledger, bool closed_too) {
  json::array out;
  const Repairs repairs = repairs_of(ledger);
  for (const auto& hole : ledger.holes()) out.push_back(hole_object(hole, repairs));
  if (closed_too) {
    for (const auto& hole : ledger.closed_holes()) out.push_back(hole_object(hole, repairs));
  }
  return json::serialize(out);
}

json::object quarantine_object(const ledger::QuarantineRow& row) {
  json::object out{{"number", row.rev.value},
                   {"org", row.org},
                   {"object", row.object},
                   {"id", row.id},
                   {"topic", row.topic},
                   {"stage", row.stage},
                   {"reason_code", row.reason_code},
                   {"reason", row.reason},
                   {"schema_id", row.schema_id},
                   {"replay_id", to_hex(row.replay_id)},
                   {"entry_rev", row.entry_rev.value},
                   {"payload_bytes", row.payload.size()},
                   {"attempts", row.attempts},
                   {"first_seen", format_datetime(row.first_seen)},
                   {"last_seen", format_datetime(row.last_seen)}};
  add_closing(out, row.closing);
  return out;
}

std::string quarantine_json(const ledger::Ledger& ledger, bool closed_too) {
  json::array out;
  for (const auto& row : ledger.quarantined()) out.push_back(quarantine_object(row));
  if (closed_too) {
    for (const auto& row : ledger.quarantine_closed()) out.push_back(quarantine_object(row));
  }
  return json::serialize(out);
}

std::string record_json(const EntryView& entry) {
  std::string out;
  EntryView shown = entry;
  if (entry.op == Op::Delete) shown.after = entry.old;
  append_record_json(out, shown);
  return out;
}

}  // namespace headwater
