#include "tests/sim/process.hpp"

#include <fmt/format.h>

#include <utility>

#include "config/mapping_file.hpp"
#include "daemon/audit/audit_task.hpp"
#include "daemon/pipeline/delete_check_task.hpp"
#include "daemon/pipeline/job_planner.hpp"
#include "daemon/pipeline/read_task.hpp"
#include "tests/sim/reader.hpp"
#include "tests/sim/store.hpp"

namespace headwater::sim {
namespace {

constexpr std::int64_t kHousekeepingMs = 3'000;
constexpr Millis kStreamWait{1'000};
constexpr std::size_t kLaneBatchesMax = 2;
constexpr Millis kAuditEvery = std::chrono::minutes{10};
/// The bus may lag and hold events back for so long.
constexpr Millis kAuditSettle{kHeldBackMostMs + 30'000};
constexpr std::size_t kFirstSink = 4;  // of the actors
constexpr double kReloadShare = 0.02;  // of the chance that a start brings another mapping
constexpr std::size_t kReprojectAtOnce = 3;
constexpr std::int64_t kDayUs = 86'400'000'000;

using MappingPtr = std::shared_ptr<const crm::Mapping>;

/// What a start may bring: the built-in mapping, or one that adds a field.
const std::vector<MappingPtr>& mappings() {
  static const auto all = [] {
    config::Problems problems;
    std::vector<MappingPtr> out{config::load_mapping({}, problems)};
    out.push_back(config::parse_mapping({{"more.yaml",
                                          R"(version: 1
mapping_rev: 7
entities:
  account:
    object: Account
    base: builtin
    fields:
      segment: {expr: 'coalesce(Industry, Name)', type: text}
)"}},
                                        problems));
    if (!problems.empty()) throw Violation("mapping: " + problems.str());
    return out;
  }();
  return all;
}

/// Those are known; parsing them again at each start would take most of a run's time.
Result<MappingPtr> read_mapping(const std::string& source) {
  for (const auto& mapping : mappings()) {
    if (mapping->source() == source) return mapping;
  }
  return config::read_mapping(source);
}

/// One registry for all: what is counted decides nothing.
observe::Metrics& metrics() {
  static observe::Metrics instance;
  return instance;
}

}  // namespace

struct Process::Parts {
  explicit Parts(const Clock& clock) : health(clock) {}
  observe::Health health;
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<HiddenFields> hidden;
  std::unique_ptr<SimSource> source;
  std::unique_ptr<SimApi> api;
  std::unique_ptr<SimReader> reader;
  RowLane rows{kLaneBatchesMax};
  std::atomic<bool> ready{false};
  std::unique_ptr<Ingest> ingest;
  audit::Desk desk;
  std::unique_ptr<OrgWorker> worker;
  std::vector<std::unique_ptr<SinkLoop>> sinks;
  std::vector<Actor> actors;
};

Process::Process(World& world,
                 SimOrg& org,
                 std::vector<SimTarget*> targets,
                 int id,
                 std::shared_ptr<ledger::MemoryDisk> disk)
    : world_(world),
      org_(org),
      targets_(std::move(targets)),
      id_(id),
      disk_(std::move(disk)),
      clock_(world.clock) {}
Process::~Process() = default;

std::vector<Actor>& Process::actors() { return parts_->actors; }
ledger::Ledger& Process::ledger() { return *parts_->ledger; }
const std::vector<std::unique_ptr<SinkLoop>>& Process::sinks() const { return parts_->sinks; }
const HiddenFields* Process::hidden() const { return parts_->hidden.get(); }
RowLane& Process::lane() { return parts_->rows; }

bool Process::start() {
  if (world_.roll(world_.faults.clock_back)) {
    clock_.skew_us = world_.random.chance(0.5) ? kDayUs : -kDayUs;
  } else {
    clock_.skew_us = 0;
  }
  if (world_.roll(world_.faults.remap)) mapping_ = 1 - mapping_;
  ledger::LedgerOptions options;
  options.seed = world_.random.bits() | 1;
  if (world_.faults.small_journal) {
    options.journal_bytes_max = 24U << 10;
    options.journal_keep = std::chrono::seconds{20};
  }
  options.reproject_records = kReprojectAtOnce;
  options.read_mapping = read_mapping;
  auto parts = std::make_unique<Parts>(clock_);
  world_.process = id_;
  world_.actor = "start";
  auto opened = ledger::Ledger::open(std::make_unique<SimStore>(disk_, world_, disk_full_until_),
                                     options,
                                     mappings()[mapping_],
                                     clock_);
  if (!opened) {
    world_.trace.line(fmt::format("{} start of {} failed", world_.now_ms(), id_));
    return false;
  }
  parts->ledger = std::move(*opened);
  parts_ = std::move(parts);
  build();
  world_.trace.line(fmt::format("{} start of {}: ledger {} head {}",
                                world_.now_ms(),
                                id_,
                                parts_->ledger->id(),
                                parts_->ledger->head().value));
  return true;
}

void Process::build() {
  Parts& parts = *parts_;
  ledger::Ledger& ledger = *parts.ledger;
  parts.ready = ledger.org_facts(kOrg).has_value();
  if (world_.faults.hide > 0) parts.hidden = std::make_unique<HiddenFields>(kOrg, ledger, clock_);
  parts.source = std::make_unique<SimSource>(
      world_, org_, subscriptions_, [&ledger] { return ledger.journal().full; });
  parts.api = std::make_unique<SimApi>(world_, org_);
  parts.reader = std::make_unique<SimReader>(world_, org_);
  const Millis forever(INT64_C(1) << 40);
  const auto start =
      world_.faults.start_latest ? salesforce::Start::Latest : salesforce::Start::Earliest;
  parts.ingest = std::make_unique<Ingest>(Ingest::Parts{{kOrg, kTopic},
                                                        start,
                                                        *parts.source,
                                                        ledger,
                                                        parts.rows,
                                                        parts.ready,
                                                        clock_,
                                                        parts.health.add("stream", forever),
                                                        metrics(),
                                                        parts.hidden.get()});
  parts.worker = std::make_unique<OrgWorker>(OrgWorker::Parts{kOrg,
                                                              {},
                                                              {},
                                                              {},
                                                              *parts.api,
                                                              ledger,
                                                              parts.rows,
                                                              parts.ready,
                                                              [] {},
                                                              clock_,
                                                              parts.health.add("org", forever),
                                                              metrics(),
                                                              parts.hidden.get()});
  add_tasks();
  const std::int64_t now = world_.now_ms();
  parts.actors.push_back({"ingest", [this] { return step_ingest(); }, now});
  parts.actors.push_back({"repair", [&parts] { return parts.worker->step(); }, now});
  parts.actors.push_back({"main", [this] { return step_main(); }, now + kHousekeepingMs});
  parts.actors.push_back({"remap", [this] { return step_remap(); }, now});
  for (SimTarget* target : targets_) {
    const auto make = [this, target](const std::string& ledger_id) {
      return target->sink({ledger_id, holder()});
    };
    SinkLoop& loop = *parts.sinks.emplace_back(
        std::make_unique<SinkLoop>(SinkLoop::Parts{target->name(),
                                                   {kOrg},
                                                   make,
                                                   ledger,
                                                   clock_,
                                                   parts.health.add(target->name(), forever),
                                                   metrics()}));
    parts.actors.push_back({target->name(), [&loop] { return loop.step(); }, now});
  }
}

/// What of the org's work is behind the refetches.
void Process::add_tasks() {
  Parts& parts = *parts_;
  ledger::Ledger& ledger = *parts.ledger;
  parts.worker->add(std::make_unique<DeleteCheckTask>(parts.worker->tools(), *parts.reader));
  const auto streams = [&parts, &ledger] {
    const auto position = ledger.position({kOrg, kTopic});
    return std::vector<StreamProgress>{
        {position ? position->newest_commit_ts : 0, parts.ingest->at_tip(), kTopic}};
  };
  ObjectsAsked asked{{}, {kTopic}};
  if (world_.faults.snapshot) {
    for (const auto& object : org_.objects()) asked.snapshot_objects.push_back(object.name);
  }
  if (!world_.faults.unread) {
    JobPlanner::Plan plan;
    plan.topics = asked.topics;
    plan.streams = streams;
    plan.snapshot_objects = asked.snapshot_objects;
    if (world_.faults.snapshot) plan.snapshot_topics = plan.topics;
    parts.worker->add(std::make_unique<JobPlanner>(parts.worker->tools(), std::move(plan)));
    parts.worker->add(std::make_unique<ReadTask>(parts.worker->tools(), *parts.reader));
  }
  if (world_.faults.audits) {
    const auto whole = [&ledger](const std::string& object) {
      return ledger.last_snapped(kOrg, object).has_value();
    };
    const audit::AuditOptions options{kAuditEvery, {}, kAuditSettle};
    audit::Bench bench{parts.worker->tools(), *parts.reader, options, streams};
    parts.worker->add(std::make_unique<audit::AuditTask>(
        audit::AuditTask::Parts{std::move(bench), parts.desk, asked, whole}));
  }
}

/// A thread would sleep inside the step until something comes; here the step comes back at once.
Step Process::step_ingest() {
  const Step step = parts_->ingest->step(kStreamWait);
  if (step.next != Step::Next::Again || parts_->source->has_news() || !parts_->rows.empty()) {
    return step;
  }
  return Step::wait(world_.now_ms() + world_.random.between(5, world_.calm ? 1'000 : 150));
}

Step Process::step_main() {
  if (const auto trimmed = parts_->ledger->trim(); !trimmed) {
    // Nothing can go on; a start reads what is on the disk.
    throw Crash{id_};
  }
  return Step::wait(world_.now_ms() + kHousekeepingMs);
}

/// Now and then a mapping comes while the daemon lives, as by SIGHUP.
Step Process::step_remap() {
  if (!world_.calm && world_.roll(world_.faults.remap * kReloadShare)) {
    mapping_ = 1 - mapping_;
    for (auto& sink : parts_->sinks) sink->remake();
    if (!parts_->ledger->set_mapping(mappings()[mapping_])) throw Crash{id_};
    wake_sinks();
  }
  const auto more = parts_->ledger->reproject();
  if (!more) throw Crash{id_};
  return Step::wait(world_.now_ms() + world_.random.between(5, *more ? 200 : 2'000));
}

void Process::die(bool power) {
  parts_.reset();
  if (!power) {
    world_.trace.line(fmt::format("{} {} is gone", world_.now_ms(), id_));
    return;
  }
  const std::size_t unsynced = disk_->unsynced(), kept = world_.random.below(unsynced + 1);
  disk_->crash(kept);
  world_.trace.line(fmt::format("{} {} is gone, power too: {} of {} unsynced writes stay",
                                world_.now_ms(),
                                id_,
                                kept,
                                unsynced));
}

void Process::stop() {
  parts_->ingest->stop();
  for (auto& sink : parts_->sinks) sink->stop();
  parts_->ledger->flush();
  die(false);
}

void Process::wake_sinks() {
  for (std::size_t i = kFirstSink; i < parts_->actors.size(); ++i) {
    Actor& actor = parts_->actors[i];
    actor.ready_at = std::min(actor.ready_at, world_.now_ms() + world_.random.between(0, 20));
  }
}

}  // namespace headwater::sim
