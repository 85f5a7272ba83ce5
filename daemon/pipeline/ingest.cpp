#include "daemon/pipeline/ingest.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/salesforce/errors.hpp"
#include "daemon/observe/log.hpp"
#include "schemas/model/topic.hpp"

namespace headwater {
namespace {

using observe::PartState;
using salesforce::Fetched;
using salesforce::Recovery;

/// Change events stay on the bus for 72 h (Pub/Sub API guide, "Event Message Durability").
constexpr double kRetentionSeconds = 72 * 3600.0;
/// A login that goes well is over by then.
constexpr EpochMs kLoginMs = 3'000;
constexpr std::int64_t kOrgPollMs = 100;
/// A stream that was opened and has not ended for so long works: the first response of a quiet org
/// may take 270 s.
constexpr std::int64_t kQuietIsWellMs = 5'000;

constexpr std::string_view kJournalFull =
    "the journal is at journal.bytes_max and a sink is still owed its entries: nothing is "
    "asked of Salesforce until it shrinks";

std::uint64_t seed_of(const ledger::StreamKey& stream) {
  return std::hash<std::string>{}(stream.org + stream.topic);
}

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000.0; }

avro::PlanKind kind_of(const ledger::StreamKey& stream) {
  return is_platform_topic(stream.topic) ? avro::PlanKind::Platform : avro::PlanKind::Change;
}

}  // namespace

Ingest::Ingest(Parts parts)
    : parts_(std::move(parts)),
      metrics_(parts_.metrics, parts_.stream.org, parts_.stream.topic),
      schemas_(
          parts_.stream.org, parts_.ledger, parts_.source, kind_of(parts_.stream), parts_.hidden),
      event_retry_(parts_.stream, parts_.ledger, schemas_, parts_.org_ready),
      doubts_(parts_.stream, parts_.ledger, parts_.clock),
      backoff_(std::chrono::seconds{1}, std::chrono::seconds{60}, seed_of(parts_.stream)) {}

Step Ingest::step(Millis wait_max) {
  parts_.health.beat();
  publish_age();
  while (const auto request = retries_.pop()) request->done(event_retry_.run(*request));
  const auto more = apply_rows();
  if (!more) return pause(more.error());
  const std::int64_t now = parts_.clock.monotonic_ms();
  // The second lane and the watchdog want a step now and then, however long the stream waits.
  const auto rest = [&] {
    return *more ? Step::again() : Step::wait(std::min(retry_at_, now + wait_max.count()));
  };
  if (held_) return now >= retry_at_ ? apply_response() : rest();
  if (!subscribed_) return now >= retry_at_ ? connect() : rest();
  top_up();
  parts_.source.next(*more ? now : now + wait_max.count(), fetched_);
  switch (fetched_.what) {
    case Fetched::What::Woken:
      if (now >= subscribed_at_ + kQuietIsWellMs) tell_health();
      return Step::again();
    case Fetched::What::Ended:
      return on_end();
    case Fetched::What::Response:
      break;
  }
  metrics_.last_response.set(seconds(parts_.clock.now_ms()));
  if (fetched_.events.empty()) return keep_alive();
  // Asked for before the work is done: the next events travel while these are written.
  credit_.received(fetched_.events.size());
  top_up();
  return apply_response();
}

Step Ingest::keep_alive() {
  if (!fetched_.latest_replay_id.empty()) {
    if (auto ended = end_stretch(); !ended) return pause(ended.error());
    const auto saved = parts_.ledger.save_position(
        parts_.stream, ReplayId(std::string(fetched_.latest_replay_id)));
    if (!saved) return pause(saved.error());
    from_earliest_ = false;
    position_from_ = parts_.clock.now_ms();
    at_tip_ = position_from_;
  }
  works();
  return Step::again();
}

/// What the stream sent is stored: only now is a failure before it forgotten.
void Ingest::works() {
  tell_health();
  backoff_.reset();
  if (const auto told = doubts_.works(); !told) log::error(told.error().message);
}

void Ingest::tell_health() {
  if (room() > 0) {
    parts_.health.set(PartState::Ok);
  } else {
    parts_.health.set(PartState::Waiting, std::string(kJournalFull));
  }
}

bool Ingest::try_again(RetryRequest& request) {
  if (!retries_.try_push(request)) return false;
  parts_.source.wake();
  return true;
}

/// How near the position is to the end of retention: told while the stream is down, above all.
void Ingest::publish_age() {
  const auto position = parts_.ledger.position(parts_.stream);
  if (!position || position->replay_id.empty()) return;
  const EpochMs now = parts_.clock.now_ms();
  if (position_from_ == 0) position_from_ = position->stored_at;
  metrics_.position_age.set(seconds(now - position->stored_at));
  metrics_.retention_remaining.set(kRetentionSeconds - seconds(now - position_from_));
}

std::size_t Ingest::room() const {
  const auto journal = parts_.ledger.journal();
  if (journal.full || journal.bytes >= journal.bytes_max) return 0;
  // An entry with its images takes about twice its event.
  return std::min<std::size_t>(salesforce::kEventsRequestedMax,
                               (journal.bytes_max - journal.bytes) / (2 * event_bytes_) + 1);
}

void Ingest::top_up() {
  const std::size_t more = credit_.request(room());
  if (more > 0) {
    parts_.source.request(more);
    credit_.requested(more);
  }
  metrics_.credit.set(static_cast<double>(credit_.outstanding()));
}

Step Ingest::connect() {
  if (!parts_.org_ready.load()) return wait_for_org();
  credit_.reset();
  const std::size_t credit = credit_.request(room());
  if (credit == 0) {
    parts_.health.set(PartState::Waiting, std::string(kJournalFull));
    return Step::wait(parts_.clock.monotonic_ms() + 500);
  }
  const auto position = parts_.ledger.position(parts_.stream);
  const bool stored = position && !position->replay_id.empty() && !from_earliest_;
  // Subscribed at the latest event before, and nothing came that says where that was: only the
  // earliest event is sure to lie before it. What was committed earlier comes along: only our own
  // clock could tell it apart, and if that is wrong, changes would be lost.
  const bool unanchored = position && position->replay_id.empty();
  if (unanchored) {
    const double age = seconds(parts_.clock.now_ms() - position->stored_at);
    if (age > kRetentionSeconds && !from_earliest_) {
      auto noted = lost_position(
          transient("the first start at the latest event lies further back than events are kept"));
      if (!noted) return pause(noted.error());
    }
  }
  const auto start = stored                         ? salesforce::Start::After
                     : from_earliest_ || unanchored ? salesforce::Start::Earliest
                                                    : parts_.start;
  auto opened = parts_.source.subscribe(start, stored ? position->replay_id : ReplayId(), credit);
  if (!opened) {
    metrics_.reconnect(opened.error().code.empty() ? std::string(to_string(opened.error().kind))
                                                   : opened.error().code);
    return pause(opened.error());
  }
  if (start == salesforce::Start::Latest) {
    if (auto noted = parts_.ledger.save_position(parts_.stream, ReplayId()); !noted) {
      parts_.source.cancel();
      return pause(noted.error());
    }
  }
  credit_.requested(credit);
  subscribed_ = true;
  subscribed_at_ = parts_.clock.monotonic_ms();
  metrics_.connected.set(1);
  log::info("subscribed",
            {{"org", parts_.stream.org},
             {"topic", parts_.stream.topic},
             {"from",
              stored ? "position " + position->replay_id.hex()
                     : std::string(start == salesforce::Start::Latest ? "latest" : "earliest")}});
  return Step::again();
}

/// Nothing is known of the org yet. Its own part says why; ours stops counting as starting when
/// that takes longer than a login that goes well.
Step Ingest::wait_for_org() {
  if (parts_.health.state() == PartState::Starting &&
      parts_.clock.now_ms() - parts_.health.snapshot().since > kLoginMs) {
    parts_.health.set(
        PartState::Waiting,
        fmt::format("waits for the org's first login: see org {}", parts_.stream.org));
  }
  return Step::wait(parts_.clock.monotonic_ms() + kOrgPollMs);
}

Step Ingest::on_end() {
  subscribed_ = false;
  credit_.reset();
  metrics_.connected.set(0);
  metrics_.credit.set(0);
  const Error& end = fetched_.end;
  metrics_.reconnect(end.code.empty() ? std::string(to_string(end.kind)) : end.code);
  if (salesforce::recovery(end) == Recovery::ResetPosition && !from_earliest_) {
    if (auto noted = lost_position(end); !noted) return pause(noted.error());
    return Step::again();
  }
  return pause(end);
}

/// The org no longer holds what follows our position: start at the earliest event it has, and write
/// down the stretch that may be missing. Written down first: a start at the earliest event without
/// it would hide the loss. A repeat, after a crash, finds the same hole open.
Result<void> Ingest::lost_position(const Error& error) {
  const auto position = parts_.ledger.position(parts_.stream);
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Stretch;
  hole.org = parts_.stream.org;
  hole.topic = parts_.stream.topic;
  hole.cause = kExpired;
  hole.detail = error.message;
  if (position) hole.from_ts = complete_until(*position);
  hole.to_ts = hole.opened_at = parts_.clock.now_ms();
  // Of two stretches in one hole the second overlap would say nothing of the first.
  overlap_proves_ = is_platform_topic(hole.topic) && !doubts_.lost_stretch();
  if (auto opened = parts_.ledger.open_hole(hole); !opened) return opened;
  from_earliest_ = true;
  log::error(
      "position refused: starting at the earliest event kept; what lies between may be missing",
      {{"org", hole.org}, {"topic", hole.topic}, {"since", format_datetime(hole.from_ts)}});
  return {};
}

/// The stretch ends where the stream goes on, which may be long after its position was refused:
/// what the bus forgets until then is missing too. Written down before the position that hides it.
Result<void> Ingest::end_stretch() {
  if (!from_earliest_) return {};
  auto hole = doubts_.lost_stretch();
  if (!hole) return {};
  hole->to_ts = parts_.clock.now_ms();
  return parts_.ledger.open_hole(*hole);
}

Step Ingest::apply_response() {
  held_ = false;
  pages_.clear();
  for (const auto& event : fetched_.events) {
    auto page = schemas_.find(event.schema_id);
    if (!page && page.error().kind != ErrorKind::Rejected) return wait_for_schema(page.error());
    pages_.push_back(page ? *page : nullptr);
  }
  metrics_.schemas.add(static_cast<double>(schemas_.fetched()) - metrics_.schemas.value());
  events_.clear();
  platform_.clear();
  refused_.clear();
  holes_.clear();
  scratch_.clear();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < fetched_.events.size(); ++i) {
    const auto& event = fetched_.events[i];
    bytes += event.payload.size();
    if (pages_[i] == nullptr) {
      refuse(event, schemas_.find(event.schema_id).error(), nullptr);
    } else {
      decode(event, *pages_[i]);
    }
  }
  event_bytes_ = std::max<std::size_t>(64, (event_bytes_ * 7 + bytes / fetched_.events.size()) / 8);

  if (auto ended = end_stretch(); !ended) {
    held_ = true;
    return pause(ended.error());
  }

  ledger::IngestBatch batch;
  batch.stream = parts_.stream;
  batch.events = events_;
  batch.platform = platform_;
  batch.quarantined = refused_;
  batch.holes = holes_;
  batch.position = ReplayId(std::string(fetched_.events.back().replay_id));
  const std::int64_t started_us = parts_.clock.now_us();
  auto applied = parts_.ledger.apply(batch);
  if (!applied) {
    held_ = true;  // the same response again, once the ledger can
    return pause(applied.error());
  }
  from_earliest_ = false;
  if (applied->resent > 0 && overlap_proves_) {
    if (auto closed = close_overlapped(applied->resent); !closed) return pause(closed.error());
  }
  works();
  metrics_.write_seconds.observe(static_cast<double>(parts_.clock.now_us() - started_us) / 1e6);
  metrics_.bytes.add(static_cast<double>(bytes));
  count(*applied);
  return Step::again();
}

void Ingest::count(const ledger::Applied& applied) {
  const EpochMs now = parts_.clock.now_ms();
  metrics_.last_event.set(seconds(now));
  metrics_.batch_events.observe(static_cast<double>(events_.size() + platform_.size()));
  metrics_.unchanged.add(static_cast<double>(applied.unchanged));
  std::array<std::size_t, 10> by_type{};
  for (const EventView& event : events_) ++by_type[static_cast<std::size_t>(event.type)];
  for (std::size_t i = 0; i < by_type.size(); ++i) {
    if (by_type[i] > 0) metrics_.events[i]->add(static_cast<double>(by_type[i]));
  }
  if (!platform_.empty()) {
    metrics_.platform->add(static_cast<double>(platform_.size()));
    metrics_.repeats->add(static_cast<double>(applied.repeats));
    position_from_ = platform_.back().created_at;
    metrics_.lag_seconds.set(seconds(now - position_from_));
  }
  if (!events_.empty()) {
    const double age = seconds(now - events_.back().commit_ts);
    metrics_.lag_seconds.set(age);
    position_from_ = events_.back().commit_ts;
  }
  if (!refused_.empty()) metrics_.quarantined.add(static_cast<double>(refused_.size()));
}

/// From the earliest event on, the bus sends all that it keeps: one that we had before the position
/// was lost shows that nothing is missing behind it.
Result<void> Ingest::close_overlapped(std::size_t resent) {
  overlap_proves_ = false;
  const auto hole = doubts_.lost_stretch();
  if (!hole) return {};
  log::info("events came again from before the position was lost: nothing is missing",
            {{"org", hole->org}, {"topic", hole->topic}, {"events", resent}});
  return parts_.ledger.close_hole(
      *hole,
      {ledger::Closing::How::Repaired,
       "ingest",
       fmt::format("the earliest event kept lies before what was received last: {} events came "
                   "again under their replay ids, so none was missed between",
                   resent),
       0});
}

Step Ingest::wait_for_schema(const Error& error) {
  held_ = true;
  metrics_.schema_waits.add();
  return pause(error);
}

Step Ingest::pause(const Error& error) {
  parts_.health.fail(error);
  if (error.kind == ErrorKind::Fatal) return Step::done();
  // If it cannot be written, the health says so all the same.
  if (const auto told = doubts_.refused(error); !told) log::error(told.error().message);
  const Millis wait = error.kind == ErrorKind::Blocked
                          ? std::max(kBlockedRetry, salesforce::least_pause(error))
                          : backoff_.next();
  retry_at_ = parts_.clock.monotonic_ms() + wait.count();
  return Step::wait(retry_at_);
}

/// True if there were rows, and so may be more. While the journal is full they stay in the lane. If
/// they cannot be applied, the holes that they would have closed stay open: repair reads them
/// again.
Result<bool> Ingest::apply_rows() {
  if (parts_.ledger.journal().full) return false;
  auto rows = parts_.rows.pop();
  if (!rows) return false;
  rows->batch.rows = rows->rows;
  rows->batch.progress = rows->progress ? &*rows->progress : nullptr;
  if (const auto applied = parts_.ledger.apply_rows(rows->batch); !applied) return applied.error();
  metrics_.rows.add(static_cast<double>(rows->rows.size()));
  return true;
}

void Ingest::stop() {
  if (subscribed_) parts_.source.cancel();
  subscribed_ = false;
  metrics_.connected.set(0);
  if (parts_.health.state() != PartState::Fatal) parts_.health.set(PartState::Stopped);
}

}  // namespace headwater
