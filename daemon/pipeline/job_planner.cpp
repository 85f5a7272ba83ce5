#include "daemon/pipeline/job_planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "connectors/salesforce/org_reader.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/pipeline/silent_objects.hpp"
#include "daemon/pipeline/stream_doubts.hpp"
#include "schemas/model/topic.hpp"

namespace headwater {
namespace {

using ledger::AnsweredHole;
using ledger::Hole;
using ledger::ReadJob;

constexpr std::int64_t kPollMs = 1'000;
/// An object that cannot be described is asked for again after this.
constexpr std::int64_t kDescribeAgainMs = 10 * 60'000;
/// Which objects the org's channels carry is asked every hour, or so soon after a failure, or while
/// they are silent about one of ours.
constexpr std::int64_t kAskHourMs = 60 * 60'000, kAskAgainMs = 60'000, kAskSilentMs = 5 * 60'000;
/// An object of which a field could not be queried is read again after this.
constexpr EpochMs kLeftOutAgainMs = 60 * 60'000;
constexpr std::string_view kBy = "headwater";

/// A stretch that began longer ago is read whole: the log of deletions must reach back to it for as
/// long as its repair takes.
constexpr EpochMs kWindowMax =
    (salesforce::kDeletionLogMax - Millis(std::chrono::hours{24})).count();

bool answers(const ReadJob& job, const Hole& hole) {
  const bool named = std::ranges::any_of(job.holes, [&](const AnsweredHole& it) {
    return it.number == hole.rev && same(it.version, hole.version) && it.to_ts == hole.to_ts;
  });
  // The stretch may have been found to begin earlier since.
  return named && (job.since == 0 || job.since <= window_of(hole));
}

bool may_lack(const Hole& hole, std::string_view object) {
  if (hole.scope == Hole::Scope::Object) return hole.object == object;
  const std::string only = object_of_topic(hole.topic);
  return hole.scope == Hole::Scope::Stretch && (only.empty() || only == object);
}

/// Fields of a reading with their types; empty types: not known.
std::map<std::string, std::string> fields_of(const ledger::Snapped& read) {
  std::map<std::string, std::string> out;
  std::istringstream fields(read.fields), types(read.types);
  for (std::string field, type; std::getline(fields, field, ',');) {
    type.clear();
    std::getline(types, type, ',');
    out.emplace(field, type);
  }
  return out;
}

/// True if the object has a field that the reading lacks, or one that has another type by now: the
/// org turned its values into others without an event.
bool is_wider(const DescribedObject& object, const ledger::Snapped& read) {
  const auto had = fields_of(read);
  for (std::size_t i = 0; i < object.fields.size(); ++i) {
    const auto field = had.find(object.fields[i]);
    if (field == had.end()) return true;
    if (!field->second.empty() && field->second != object.types[i]) return true;
  }
  return false;
}

}  // namespace

bool heals_otherwise(const Hole& hole) {
  if (hole.cause == kSwitchedOff || is_timed(hole)) return hole.to_ts == 0;  // until it is back
  return hole.cause == ledger::kMassDelete || hole.cause == kDeliveryLimit ||
         is_platform_topic(hole.topic);  // platform events are no records
}

EpochMs window_of(const Hole& hole) {
  // The rows of an org that moved are stamped by another instance's clock.
  if (hole.scope != Hole::Scope::Stretch && !is_timed(hole)) return 0;
  if (hole.from_ts == 0 || hole.cause == "migrated") return 0;
  return (std::min(hole.from_ts, hole.opened_at) - kWindowMargin) / 1000 * 1000;
}

bool goes_on(const ledger::Ledger& ledger, const Hole& hole) {
  if (hole.scope != Hole::Scope::Stretch) return true;
  const auto position = ledger.position({hole.org, hole.topic});
  return position && !position->replay_id.empty() && position->stores > hole.stores;
}

std::vector<Hole> holes_of_object(const ledger::Ledger& ledger,
                                  std::string_view org,
                                  std::string_view object) {
  std::vector<Hole> out = ledger.wide_holes(org);
  std::erase_if(out, [&](const Hole& hole) {
    return heals_otherwise(hole) || !may_lack(hole, object) || !goes_on(ledger, hole);
  });
  return out;
}

std::vector<AnsweredHole> answered(std::span<const Hole> holes) {
  std::vector<AnsweredHole> out;
  for (const Hole& hole : holes) out.push_back({hole.rev, hole.version, hole.to_ts});
  return out;
}

Result<Step> JobPlanner::step() {
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (now < next_) return Step::wait(next_);
  next_ = now + kPollMs;
  if (auto looked = look_hourly(); !looked) return looked.error();
  if (auto planned = plan_repairs(); !planned) return planned.error();
  if (!plan_.snapshot_topics.empty() && anchored()) {
    if (auto planned = plan_snapshots(); !planned) return planned.error();
    if (auto planned = plan_reshaped(); !planned) return planned.error();
  }
  return Step::wait(next_);
}

/// What a stream tells from its anchor on needs no reading; what came before it is in rows that are
/// noted after it.
bool JobPlanner::anchored() const {
  return std::ranges::all_of(plan_.snapshot_topics, [this](const std::string& topic) {
    const auto position = tools_.ledger.position({tools_.org, topic});
    return position && !position->replay_id.empty();
  });
}

std::set<std::string> JobPlanner::objects_to_read_in() const {
  std::set<std::string> out(plan_.snapshot_objects.begin(), plan_.snapshot_objects.end());
  for (const auto& count : tools_.ledger.counts()) {
    if (count.org == tools_.org && count.alive + count.deleted > 0) out.insert(count.object);
  }
  return out;
}

Result<void> JobPlanner::add_job(const std::string& object, ReadJob::Why why) {
  ReadJob job;
  job.org = tools_.org;
  job.object = object;
  job.why = why;
  job.by = kBy;
  const auto holes = holes_of_object(tools_.ledger, tools_.org, object);
  job.holes = answered(holes);
  if (why == ReadJob::Why::Repair && !holes.empty()) {
    const auto widest = std::ranges::min(holes, {}, window_of);  // 0: all
    job.since = window_of(widest);
    const EpochMs now = tools_.clock.now_ms();
    // One that begins in the future was noted by a clock that was ahead: nobody knows by how much.
    if (job.since < now - kWindowMax || job.since > now) job.since = 0;
  }
  if (why == ReadJob::Why::Repair) {
    const auto joined = join_waiting(job);
    if (!joined || *joined) return joined ? Result<void>() : joined.error();
  }
  const auto added = tools_.ledger.add_job(job);
  if (!added) return added.error();
  log::info("an object will be read",
            {{"org", job.org},
             {"object", object},
             {"why", to_string(why)},
             {"job", added->number},
             {"since", job.since == 0 ? "" : format_datetime(job.since)},
             {"holes", job.holes.size()}});
  return {};
}

/// A job that has yet to begin will note a later version than anything that is known now: it answers
/// these holes too. Else one more would wait with each renewal, for as long as an object cannot be
/// read. False: there is none.
Result<bool> JobPlanner::join_waiting(const ReadJob& wanted) {
  for (const ReadJob& job : tools_.ledger.jobs()) {
    const bool fits = job.org == wanted.org && job.object == wanted.object && job.where.empty();
    if (!fits || job.paused || job.state != ReadJob::State::Queued) continue;
    const auto joined = tools_.ledger.change_job(job.number, [&](ReadJob& it) {
      it.holes = wanted.holes;
      it.since = std::min(it.since, wanted.since);  // 0: all
      it.created_at = tools_.clock.now_ms();        // what was lost lies before that
    });
    if (!joined) return joined.error();
    return true;
  }
  return false;
}

Result<void> JobPlanner::plan_snapshots() {
  const auto jobs = tools_.ledger.jobs();
  for (const std::string& object : objects_to_read_in()) {
    if (tools_.ledger.last_snapped(tools_.org, object)) continue;
    const bool asked = std::ranges::any_of(jobs, [&](const ReadJob& job) {
      return job.org == tools_.org && job.object == object && job.whole() &&
             job.state != ReadJob::State::Failed;
    });
    if (asked) continue;
    if (auto added = add_job(object, ReadJob::Why::Snapshot); !added) return added;
  }
  return {};
}

bool JobPlanner::is_being_read(const std::string& object) const {
  const auto jobs = tools_.ledger.jobs();
  return std::ranges::any_of(jobs, [&](const ReadJob& job) {
    return job.org == tools_.org && job.object == object && job.whole() && job.open();
  });
}

/// In turn, but for those of which a stream has just told a new schema.
std::set<std::string>::const_iterator JobPlanner::next_to_look_at(
    const std::set<std::string>& objects) {
  auto at = std::ranges::find_if(objects, [this](const std::string& object) {
    return tools_.ledger.schema_changes(tools_.org, object) != schemas_looked_at_[object] &&
           !is_being_read(object);
  });
  if (at == objects.end()) {
    at = objects.upper_bound(reshaped_at_);
    if (at == objects.end()) at = objects.begin();
    reshaped_at_ = *at;
  }
  schemas_looked_at_[*at] = tools_.ledger.schema_changes(tools_.org, *at);
  return at;
}

/// One object a round. A field that the last reading lacked is told by no event for records that
/// nobody changes, nor are the values of one whose type was changed (salesforce.md section 7.7).
Result<void> JobPlanner::plan_reshaped() {
  const auto objects = objects_to_read_in();
  if (objects.empty()) return {};
  const auto at = next_to_look_at(objects);
  const auto last = tools_.ledger.last_snapped(tools_.org, *at);
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (!last || describe_failed_[*at] > now) return {};
  // What could not be queried a moment ago is left alone for a while.
  const auto last_job = tools_.ledger.job(last->job);
  if (last_job && !last_job->left_out.empty() && !left_out_long_ago(*last_job)) return {};
  if (is_being_read(*at)) return {};
  const auto described = tools_.objects.describe(*at);
  if (!described) {
    if (described.error().kind != ErrorKind::Rejected) return described.error();
    describe_failed_[*at] = now + kDescribeAgainMs;
    return {};
  }
  return is_wider(**described, *last) ? add_job(*at, ReadJob::Why::Snapshot) : Result<void>();
}

Listening JobPlanner::listening() const {
  Listening by{{plan_.snapshot_objects, plan_.topics}, {}, plan_.channel_settle, 0};
  if (plan_.streams) by.streams = plan_.streams();
  by.now = tools_.clock.now_ms();
  return by;
}

/// Once at the start and every hour. What fails is asked for again when a hole needs it. Between
/// two answers the last one may wait for a stream.
Result<void> JobPlanner::look_hourly() {
  const std::int64_t now = tools_.clock.monotonic_ms();
  const auto channels = channels_of(plan_.topics);
  const bool asks = !channels.empty() && now >= ask_next_;
  if (!asks && now < note_next_) return {};
  const Listening by = listening();
  const auto captured = asks ? ask_captured(tools_.api, tools_.ledger, tools_.org, channels, by.now)
                             : captured_of(tools_.ledger, tools_.org);
  if (asks) ask_next_ = now + (captured ? kAskHourMs : kAskAgainMs);
  if (!captured) {
    log::warning(captured.error().message, {{"org", tools_.org}});
    return {};
  }
  const auto silences = note_silence(tools_.ledger, tools_.org, *captured, by);
  if (!silences) return silences.error();
  if (silences->last) ask_next_ = std::min(ask_next_, now + kAskSilentMs);
  note_next_ = now + (silences->wait ? kPollMs : kAskHourMs);
  return {};
}

/// As the org says after the hole was last renewed: an object that was selected in the stretch has
/// been told since. Asked once for each state of a hole.
Result<Captured> JobPlanner::captured_for(const Hole& hole) {
  const auto at = asked_for_.find(hole.rev);
  if (at != asked_for_.end() && same(at->second.version, hole.version) &&
      at->second.to_ts == hole.to_ts)
    return captured_of(tools_.ledger, tools_.org);
  std::vector<std::string> topics = plan_.topics;
  topics.push_back(hole.topic);  // its stream may be configured no more
  auto channels = channels_of(topics);
  std::ranges::sort(channels);
  channels.erase(std::unique(channels.begin(), channels.end()), channels.end());
  auto asked = ask_captured(tools_.api, tools_.ledger, tools_.org, channels, tools_.clock.now_ms());
  if (asked) asked_for_[hole.rev] = {hole.rev, hole.version, hole.to_ts};
  return asked;
}

Result<JobPlanner::Lacking> JobPlanner::lacking(const Hole& hole,
                                                const std::set<std::string>& known) {
  Lacking out;
  if (hole.scope == Hole::Scope::Object) out.objects.insert(hole.object);
  for (const std::string& object : known) {
    if (may_lack(hole, object)) out.objects.insert(object);
  }
  if (hole.scope != Hole::Scope::Stretch || !object_of_topic(hole.topic).empty()) return out;
  const auto captured = captured_for(hole);
  if (!captured) return captured.error();
  std::string hidden;
  for (const auto& [object, told] : captured->objects) {
    if (told.to < window_of(hole) || out.objects.contains(object)) continue;
    if (!told.hidden)
      out.objects.insert(object);
    else if (captured->selected(told))
      hidden += (hidden.empty() ? "" : ", ") + object;
  }
  if (!captured->exact)
    out.beside = "; the org does not tell which objects are selected, so all that may be were read";
  if (!hidden.empty())
    out.beside += "; hidden from the integration user, so that no stream brings them: " + hidden;
  return out;
}

/// Fields that the job could not query and the object still has for us. One that went, or was
/// hidden, since it was described is none that an event would tell either.
Result<std::string> JobPlanner::owed_fields(const ReadJob& job) {
  if (job.left_out.empty()) return std::string();
  const auto described = tools_.objects.describe(job.object);
  if (!described) return described.error();
  std::string out;
  std::istringstream fields(job.left_out);
  for (std::string field; std::getline(fields, field, ',');) {
    if (std::ranges::find((*described)->fields, field) != (*described)->fields.end())
      out += (out.empty() ? "" : ",") + field;
  }
  return out;
}

bool JobPlanner::left_out_long_ago(const ReadJob& job) const {
  return tools_.clock.now_ms() - job.ended_at >= kLeftOutAgainMs;
}

Result<JobPlanner::Answer> JobPlanner::answer_of(const std::string& object, const Hole& hole) {
  Answer out;
  // Jobs that were added for a hole before may answer this one too.
  for (ReadJob& job : tools_.ledger.jobs()) {
    if (job.org != tools_.org || job.object != object || !answers(job, hole)) continue;
    if (job.state == ReadJob::State::Done && job.where.empty()) {
      const auto owed = owed_fields(job);
      if (!owed) return owed.error();
      if (!owed->empty() && left_out_long_ago(job)) continue;
      if (owed->empty() && !out.job) out.job = std::move(job);
    }
    out.asked = true;
  }
  return out;
}

Result<void> JobPlanner::plan_repairs() {
  const auto holes = tools_.ledger.wide_holes(tools_.org);
  std::erase_if(asked_for_, [&](const auto& asked) {
    return std::ranges::find(holes, asked.first, &Hole::rev) == holes.end();
  });
  if (holes.empty()) return {};
  const auto known =
      known_objects(tools_.ledger, tools_.org, {plan_.snapshot_objects, plan_.topics});
  Result<void> unasked;
  for (const Hole& hole : holes) {
    if (hole.cause == ledger::kFieldHidden && hole.to_ts == 0) {
      HiddenFields* const hidden = tools_.objects.hidden();
      const auto ended = hidden == nullptr ? Result<void>() : hidden->end_hole(hole, listening());
      if (!ended) return ended;
      continue;
    }
    if (heals_otherwise(hole) || !goes_on(tools_.ledger, hole)) continue;
    const auto lacks = lacking(hole, known);
    if (!lacks && lacks.error().kind == ErrorKind::Fatal) return lacks.error();
    if (!lacks) {  // it stays open; the others do not wait for it
      unasked = lacks.error();
      continue;
    }
    std::vector<ReadJob> done;
    for (const std::string& object : lacks->objects) {
      auto answer = answer_of(object, hole);
      if (!answer) return answer.error();
      if (answer->job) done.push_back(std::move(*answer->job));
      if (answer->asked) continue;
      if (auto added = add_job(object, ReadJob::Why::Repair); !added) return added;
    }
    // Without an object nothing proves that none is missing.
    if (done.size() < lacks->objects.size() || done.empty()) continue;
    if (auto closed = close(hole, done, lacks->beside); !closed) return closed;
  }
  return unasked;
}

Result<void> JobPlanner::close(const Hole& hole,
                               const std::vector<ReadJob>& jobs,
                               const std::string& beside) {
  std::string told;
  for (const ReadJob& job : jobs) {
    told += fmt::format(
        "{}job {} read {} records of {}{} from version {} on, {} changed, {} deleted{}{}{}",
        told.empty() ? "" : "; ",
        job.number,
        job.rows,
        job.object,
        job.since == 0 ? "" : " saved since " + format_datetime(job.since),
        job.noted.str(),
        job.entries,
        job.deleted,
        job.left_out.empty() ? "" : ", without " + job.left_out + ", which it no longer has for us",
        job.proof.empty() ? "" : ", " + job.proof,
        job.braked ? fmt::format(", {} not seen and left to a mass_delete hole", job.unseen) : "");
  }
  told += beside;
  log::info("a hole is repaired",
            {{"org", hole.org}, {"hole", hole.rev.value}, {"cause", hole.cause}, {"by", told}});
  return tools_.ledger.close_hole(
      hole, {ledger::Closing::How::Repaired, std::string(kBy), told, tools_.clock.now_ms()});
}

}  // namespace headwater
