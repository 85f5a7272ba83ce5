#include "daemon/job_orders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <sstream>

#include "daemon/observe/log.hpp"
#include "daemon/order_words.hpp"
#include "daemon/pipeline/facts_task.hpp"
#include "daemon/pipeline/job_planner.hpp"

namespace headwater {
namespace {

namespace json = boost::json;
using ledger::ReadJob;

json::value time_or_null(EpochMs ms) {
  return ms == 0 ? json::value(nullptr) : json::value(format_datetime(ms));
}

bool is_api_name(std::string_view text) {
  return !text.empty() && text.size() <= 80 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_';
  });
}

/// False: the org has no such object, as it said when its list was read last (within the hour), nor
/// have we a record of one. Before the first list nobody knows better than who asks.
bool is_known(const ReadJob& job, const ledger::Ledger& ledger) {
  const auto facts = ledger.org_facts(job.org);
  if (!facts) return true;
  const auto counts = ledger.counts();
  return std::ranges::any_of(facts->object_by_prefix,
                             [&](const auto& entry) { return entry.second == job.object; }) ||
         std::ranges::any_of(counts, [&](const auto& count) {
           return count.org == job.org && count.object == job.object;
         });
}

std::string open_holes(const ReadJob& job, std::string_view list, ledger::Ledger& ledger) {
  std::istringstream in{std::string(list)};
  std::vector<ledger::Hole> holes;
  for (std::string text; std::getline(in, text, ',');) {
    const auto id = RecordId::parse(text);
    if (!id) return refused(fmt::format("{}: {}; nothing was asked for", text, id.error().message));
    ledger::Hole hole;
    hole.scope = ledger::Hole::Scope::Record;
    hole.org = job.org;
    hole.object = job.object;
    hole.id = id->str();
    hole.cause = "asked";
    hole.detail = "by " + job.by;
    holes.push_back(std::move(hole));
  }
  for (const auto& hole : holes) {
    if (auto opened = ledger.open_hole(hole); !opened) return refused(opened.error().message);
  }
  return done(
      fmt::format("{} records of {} are read again by id; `holes` shows those that are not "
                  "yet",
                  holes.size(),
                  job.object));
}

std::string paused_or_not(std::uint64_t number,
                          std::string_view verb,
                          const std::string& by,
                          ledger::Ledger& ledger,
                          const Clock& clock) {
  const auto job = ledger.job(number);
  if (!job) return refused(fmt::format("there is no job {}", number));
  if (!job->open()) return refused(fmt::format("job {} is {}", number, to_string(job->state)));
  const auto changed = ledger.change_job(number, [&](ReadJob& it) {
    if (!it.open()) return;
    if (verb == "cancel") {
      it.state = ReadJob::State::Cancelled;
      it.ended_at = clock.now_ms();
      it.error = "cancelled by " + by;
    } else {
      it.paused = verb == "pause";
      it.next_try = 0;
    }
  });
  if (!changed) return refused(changed.error().message);
  log::info("a read job was changed", {{"job", number}, {"to", verb}, {"by", by}});
  const bool cancelled = verb == "cancel" && !(*changed)->holes.empty();
  return done(fmt::format("job {} ({} of {}) is {}{}",
                          number,
                          to_string(job->why),
                          job->object,
                          shown_state(**changed),
                          cancelled ? "; the holes that it was to answer stay open: resync "
                                      "the object once you want them repaired"
                                    : ""));
}

}  // namespace

json::object job_object(const ReadJob& job, EpochMs now) {
  json::object out{{"number", job.number},
                   {"org", job.org},
                   {"object", job.object},
                   {"why", to_string(job.why)},
                   {"state", shown_state(job)},
                   {"by", job.by},
                   {"rows", job.rows},
                   {"expected", job.expected},
                   {"entries", job.entries},
                   {"deleted", job.deleted},
                   {"unseen", job.unseen},
                   {"created_at", time_or_null(job.created_at)},
                   {"started_at", time_or_null(job.started_at)},
                   {"ended_at", time_or_null(job.ended_at)}};
  if (!job.where.empty()) out["where"] = job.where;
  if (job.since != 0) out["saved_since"] = format_datetime(job.since);
  if (!job.proof.empty()) out["proof"] = job.proof;
  if (job.api != ReadJob::Api::Undecided)
    out["api"] = job.api == ReadJob::Api::Bulk ? "bulk" : "rest";
  if (!job.left_out.empty()) out["fields_left_out"] = job.left_out;
  if (job.braked) out["left_to_hole"] = "mass_delete";
  if (!job.error.empty()) out["error"] = job.error;
  if (job.open() && job.next_try > now) out["next_try"] = format_datetime(job.next_try);
  if (!job.holes.empty()) {
    json::array holes;
    for (const auto& hole : job.holes) holes.emplace_back(hole.number.value);
    out["holes"] = std::move(holes);
  }
  if (job.state == ReadJob::State::Reading && job.expected > 0) {
    const double share = static_cast<double>(job.rows) / static_cast<double>(job.expected);
    const double spent = static_cast<double>(now - job.started_at) / 1000.0;
    out["percent"] = std::min(share, 1.0) * 100;
    if (job.rows > 0 && spent > 0) {
      const double rate = static_cast<double>(job.rows) / spent;
      const auto left = job.expected - std::min(job.rows, job.expected);
      out["rows_per_second"] = rate;
      out["seconds_left"] = static_cast<double>(left) / rate;
    }
  }
  return out;
}

json::array jobs_array(const ledger::Ledger& ledger, EpochMs now, bool ended_too) {
  json::array out;
  for (const ReadJob& job : ledger.jobs()) {
    if (job.open() || ended_too) out.push_back(job_object(job, now));
  }
  return out;
}

std::string resync(const std::string& arguments,
                   const runtime::Peer& peer,
                   const StatusSources& sources,
                   ledger::Ledger& ledger) {
  static constexpr std::string_view kWhere = "where ", kIds = "ids ", kConfirm = "confirm";
  std::string_view line = arguments;
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  const auto org = org_of(next_word(line), sources);
  if (!org) return refused(org.error().message);
  ReadJob job;
  job.org = *org;
  job.object = next_word(line);
  job.why = ReadJob::Why::Resync;
  job.by = who_asks(line, peer);
  if (!is_api_name(job.object)) return refused("which object? give its API name, such as Account");
  if (!is_known(job, ledger)) {
    if (auto wanted = want_object(ledger, job.org, job.object); !wanted)
      return refused(wanted.error().message);
    return refused(
        fmt::format("org {} has no object {}: give its API name, such as Account or Invoice__c, as "
                    "the org writes it; the org is asked for its list again now, so if the object "
                    "is new, say it again in ten seconds",
                    job.org,
                    job.object));
  }
  if (line.starts_with(kConfirm)) {
    next_word(line);
    job.confirmed = true;
  }
  if (line.starts_with(kIds)) return open_holes(job, line.substr(kIds.size()), ledger);
  if (line.starts_with(kWhere)) job.where = line.substr(kWhere.size());
  if (job.confirmed && !job.where.empty())
    return refused("--confirm vouches for records that are gone: it needs all of the object");
  if (job.whole()) job.holes = answered(holes_of_object(ledger, job.org, job.object));
  const auto added = ledger.add_job(job);
  if (!added) return refused(added.error().message);
  log::info("an object will be read",
            {{"org", job.org}, {"object", job.object}, {"job", added->number}, {"by", job.by}});
  return done(fmt::format("job {} reads {} of {}; `jobs` shows how far it is",
                          added->number,
                          job.whole() ? "all" : "some",
                          job.object));
}

std::string jobs(const std::string& arguments,
                 const runtime::Peer& peer,
                 ledger::Ledger& ledger,
                 const Clock& clock) {
  std::string_view line = arguments;
  const std::string verb = next_word(line);
  if (verb.empty() || verb == "all")
    return json::serialize(jobs_array(ledger, clock.now_ms(), verb == "all"));
  if (verb != "pause" && verb != "resume" && verb != "cancel")
    return refused("unknown command; known are jobs, jobs all, pause, resume, cancel");
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  const std::string number = next_word(line);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size())
    return refused("which job? give its number, as `jobs` shows it");
  return paused_or_not(value, verb, who_asks(line, peer), ledger, clock);
}

}  // namespace headwater
