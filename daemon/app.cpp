#include "daemon/app.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "config/mapping_file.hpp"
#include "connectors/salesforce/org.hpp"
#include "daemon/answer.hpp"
#include "daemon/audit/audit_task.hpp"
#include "daemon/audit/sink_audit.hpp"
#include "daemon/audit_orders.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/hole_counts.hpp"
#include "daemon/mapping_reload.hpp"
#include "daemon/observe/http.hpp"
#include "daemon/pipeline/delete_check_task.hpp"
#include "daemon/pipeline/facts_task.hpp"
#include "daemon/pipeline/ingest.hpp"
#include "daemon/pipeline/job_planner.hpp"
#include "daemon/pipeline/org_worker.hpp"
#include "daemon/pipeline/read_task.hpp"
#include "daemon/runtime/control.hpp"
#include "daemon/runtime/heap.hpp"
#include "daemon/runtime/loop_thread.hpp"
#include "daemon/runtime/sd_notify.hpp"
#include "daemon/status.hpp"
#include "schemas/model/topic.hpp"

namespace headwater {

const char* const kVersion = HEADWATER_VERSION;

namespace {

namespace asio = boost::asio;

/// Rows of so many refetches wait in an ingest's second lane at most.
constexpr std::size_t kLaneBatchesMax = 4;
/// Longest a step of ingest waits for the stream.
constexpr Millis kStreamWait{1'000};
/// Deadlines of one step, after which a thread counts as stuck: the longest bounded call each of
/// them makes, doubled.
/// A sink that lags so many entries is being filled, not following.
constexpr std::uint64_t kFillingEntries = 10'000;
constexpr Millis kIngestDeadline{180'000}, kWorkerDeadline{300'000}, kSinkDeadline{180'000};
constexpr auto kHousekeeping = std::chrono::seconds{1};
constexpr std::string_view kAllProjected = "all records are projected by the mapping in force";
/// Between two pieces of a re-projection: events get the ledger in turn with it.
constexpr auto kReprojectPause = Millis{5};

ObjectsAsked objects_asked(const salesforce::OrgConfig& org) {
  ObjectsAsked out{org.snapshot_objects, {}};
  for (const auto& stream : org.streams) out.topics.push_back(stream.topic);
  return out;
}

/// Who we are to a target: this machine and this state directory (unified-model.md section 13).
std::string holder_name(const std::string& state_dir) {
  std::ifstream in("/etc/machine-id");
  std::string machine;
  if (!std::getline(in, machine) || machine.empty()) {
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    machine = host;
  }
  std::error_code ignored;
  return machine + ":" + std::filesystem::weakly_canonical(state_dir, ignored).string();
}

/// One configured org with its parts.
struct Org {
  std::string name;
  std::shared_ptr<salesforce::OrgMetrics> counts;
  std::shared_ptr<salesforce::TokenSource> tokens;
  std::shared_ptr<salesforce::QuotaGovernor> quota;
  std::unique_ptr<salesforce::OrgApi> api;
  std::unique_ptr<salesforce::OrgReader> audit_reader;
  std::unique_ptr<salesforce::OrgReader> reader;
  std::atomic<bool> ready{false};
  RowLane rows{kLaneBatchesMax};
  std::vector<std::unique_ptr<salesforce::EventSource>> sources;
  std::vector<std::unique_ptr<Ingest>> ingests;
  std::unique_ptr<OrgWorker> worker;
};

}  // namespace

struct App::Impl {
  explicit Impl(DaemonConfig c)
      : config(std::move(c)),
        health(clock),
        signals(io),
        reloads(io),
        housekeeping(io),
        reprojecting(io),
        watchdog(io) {}

  Result<void> build(std::shared_ptr<const crm::Mapping> given);
  void build_org(salesforce::OrgConfig org_config);
  void build_sinks();
  void add_audit(Org& org, const salesforce::OrgConfig& org_config);
  void add_sink_audits();
  audit::SinkAudit::Snapshots read_in() const;
  bool filling(const std::string& sink) const;
  Result<void> open_doors();
  Result<void> try_again(RetryRequest& request);
  StatusSources sources() const;
  void arm_signals();
  void arm_reload();
  void reload();
  bool take_mapping(const DaemonConfig& fresh, config::Problems& problems);
  std::shared_ptr<const crm::Mapping> mapping_in_force() const;
  void arm_housekeeping();
  void arm_reprojecting(Millis pause);
  void ledger_failed(const Error& error);
  void arm_watchdog(Millis interval);
  void export_metrics();
  void export_org(const Org& org);
  void stop();

  DaemonConfig config;
  SystemClock clock;
  observe::Metrics metrics;
  observe::Health health;
  asio::io_context io;
  asio::signal_set signals, reloads;
  asio::steady_timer housekeeping, reprojecting, watchdog;
  std::mutex holes_mutex;
  mutable std::mutex mapping_mutex;
  std::shared_ptr<const crm::Mapping> mapping;
  std::unique_ptr<ledger::Ledger> ledger;
  audit::Desk desk;
  std::vector<std::unique_ptr<Org>> orgs;
  std::vector<std::unique_ptr<SinkLoop>> sinks;
  std::vector<std::unique_ptr<audit::SinkAudit>> sink_audits;
  std::unique_ptr<observe::HttpServer> http;
  std::unique_ptr<Orders> orders;
  std::unique_ptr<AuditOrders> audit_orders;
  std::unique_ptr<runtime::ControlServer> control;
  // Last: what calls into all of the above ends first.
  std::vector<std::unique_ptr<LoopThread>> org_threads, sink_threads;
  EpochMs started_at = clock.now_ms();
  runtime::HeapKeeper heap;
  bool told_ready = false;
  bool stopping = false;
  int exit_code = 0;
};

Result<void> App::Impl::build(std::shared_ptr<const crm::Mapping> given) {
  mapping = std::move(given);
  std::error_code failed;
  std::filesystem::create_directories(config.state_dir, failed);
  if (failed)
    return blocked(
        fmt::format("state_dir {}: cannot be made: {}", config.state_dir, failed.message()));
  std::filesystem::permissions(config.state_dir, std::filesystem::perms::owner_all, failed);
  auto opened = ledger::Ledger::open(config.state_dir + "/ledger", config.journal, mapping, clock);
  if (!opened) return opened.error();
  ledger = std::move(opened).value();
  for (const auto& org : config.orgs) build_org(org);
  for (std::size_t i = 0; i < orgs.size(); ++i) add_audit(*orgs[i], config.orgs[i]);
  build_sinks();
  add_sink_audits();
  return open_doors();
}

void App::Impl::build_org(salesforce::OrgConfig org_config) {
  // The name is bound for ever: a login that leads elsewhere is refused before any stream opens,
  // though the file names no id.
  if (org_config.org_id.empty()) org_config.org_id = ledger->org_id(org_config.name);
  Org& org = *orgs.emplace_back(std::make_unique<Org>());
  org.name = org_config.name;
  org.counts = std::make_shared<salesforce::OrgMetrics>();
  org.tokens = std::make_shared<salesforce::TokenSource>(org_config, org.counts, clock);
  org.quota = std::make_shared<salesforce::QuotaGovernor>(
      org.name, org_config.api_reserve_share, org.counts, clock);
  org.api = salesforce::make_org_client(org_config, org.tokens, org.counts, org.quota);
  org.reader = salesforce::make_org_reader(org_config, org.tokens, org.counts, org.quota);
  // A ledger that knows the org can go on with its streams while REST is away.
  org.ready = ledger->org_facts(org.name).has_value();

  for (const auto& stream : org_config.streams) {
    auto& source = *org.sources.emplace_back(
        salesforce::make_subscription(org_config, stream.topic, org.tokens, org.counts, clock));
    auto& part = health.add(fmt::format("stream {} {}", org.name, stream.topic), kIngestDeadline);
    Ingest& ingest =
        *org.ingests.emplace_back(std::make_unique<Ingest>(Ingest::Parts{{org.name, stream.topic},
                                                                         stream.start,
                                                                         source,
                                                                         *ledger,
                                                                         org.rows,
                                                                         org.ready,
                                                                         clock,
                                                                         part,
                                                                         metrics}));
    org_threads.push_back(std::make_unique<LoopThread>(
        "ingest-" + org.name,
        [&ingest] { return ingest.step(kStreamWait); },
        [this](std::int64_t until, std::stop_token stop) { wait_until(until, stop, clock); },
        [&ingest] { ingest.stop(); }));
  }

  auto& part = health.add("org " + org.name, kWorkerDeadline);
  const auto wake = [&org] {
    for (auto& source : org.sources) source->wake();
  };
  org_threads.push_back(std::make_unique<LoopThread>(
      "repair-" + org.name,
      [&org] { return org.worker->step(); },
      [this](std::int64_t until, std::stop_token stop) { wait_until(until, stop, clock); }));
  org.worker = std::make_unique<OrgWorker>(OrgWorker::Parts{org.name,
                                                            org_config.org_id,
                                                            org_config.region,
                                                            org_config.currency,
                                                            *org.api,
                                                            *ledger,
                                                            org.rows,
                                                            org.ready,
                                                            wake,
                                                            clock,
                                                            part,
                                                            metrics});
  org.worker->add(std::make_unique<DeleteCheckTask>(org.worker->tools(), *org.reader));
  JobPlanner::Plan plan{org_config.snapshot_objects, {}, {}, org_config.pubsub.channel_settle};
  for (const auto& stream : org_config.streams) {
    plan.topics.push_back(stream.topic);
    if (stream.snapshot) plan.snapshot_topics.push_back(stream.topic);
  }
  org.worker->add(std::make_unique<FactsTask>(org.worker->tools()));
  org.worker->add(std::make_unique<JobPlanner>(org.worker->tools(), std::move(plan)));
  org.worker->add(std::make_unique<ReadTask>(org.worker->tools(), *org.reader));
}

std::shared_ptr<const crm::Mapping> App::Impl::mapping_in_force() const {
  const std::lock_guard lock(mapping_mutex);
  return mapping;
}

void App::Impl::build_sinks() {
  std::vector<std::string> org_names;
  for (const auto& org : orgs) org_names.push_back(org->name);
  SinkContext context;
  context.version = kVersion;
  context.clock = &clock;
  for (const auto& org : config.orgs) {
    for (const auto& stream : org.streams)
      context.platform_events = context.platform_events || is_platform_topic(stream.topic);
  }
  context.org_id = [this](std::string_view org) { return ledger->org_id(org); };
  for (const SinkSection& section : config.sinks) {
    context.name = section.name;
    auto& part = health.add("sink " + section.name, kSinkDeadline);
    // Made again when the ledger is born anew, for a target must know whose cursor it holds, and
    // when another mapping is in force.
    const auto make = [this, context, &section](const std::string& ledger_id) mutable {
      context.holder = {ledger_id, holder_name(config.state_dir)};
      context.mapping = mapping_in_force();
      return section.make(context);
    };
    SinkLoop& loop = *sinks.emplace_back(std::make_unique<SinkLoop>(
        SinkLoop::Parts{section.name, org_names, make, *ledger, clock, part, metrics}));
    sink_threads.push_back(std::make_unique<LoopThread>(
        "sink-" + section.name,
        [&loop] { return loop.step(); },
        [&loop](std::int64_t until, std::stop_token stop) { loop.wait(until, stop); },
        [&loop] { loop.stop(); }));
  }
}

/// Behind all other work of the org.
void App::Impl::add_audit(Org& org, const salesforce::OrgConfig& org_config) {
  org.audit_reader = salesforce::make_org_reader(org_config, org.tokens, org.counts, org.quota);
  const auto streams = [this, &org] {
    std::vector<audit::StreamProgress> out;
    for (const auto& ingest : org.ingests) {
      if (!ingest->topic().starts_with("/data/")) continue;  // no changes of records
      const auto position = ledger->position({org.name, ingest->topic()});
      out.push_back({position ? position->newest_commit_ts : 0, ingest->at_tip()});
    }
    return out;
  };
  const auto whole = [this, &org](const std::string& object) {
    return ledger->last_snapped(org.name, object).has_value();
  };
  audit::Bench bench{org.worker->tools(),
                     *org.audit_reader,
                     config.audit,
                     streams,
                     config.journal.sweep_share_max};
  org.worker->add(std::make_unique<audit::AuditTask>(
      audit::AuditTask::Parts{std::move(bench), desk, objects_asked(org_config), whole}));
}

/// Of targets that can be asked for single records; a log is compared whole by the command alone.
void App::Impl::add_sink_audits() {
  std::vector<std::string> names;
  for (const auto& org : orgs) names.push_back(org->name);
  for (const SinkSection& section : config.sinks) {
    if (!section.reader) continue;
    auto& part = health.add("audit " + section.name, kSinkDeadline);
    const auto make = [this, &section] {
      return section.reader(section.name, *mapping_in_force());
    };
    const auto snapshots = [this, &section] {
      auto out = read_in();
      out.filling = filling(section.name);
      return out;
    };
    audit::SinkAudit& loop = *sink_audits.emplace_back(std::make_unique<
                                                       audit::SinkAudit>(audit::SinkAudit::Parts{
        section.name, names, make, *ledger, config.audit, desk, clock, part, metrics, snapshots}));
    org_threads.push_back(std::make_unique<LoopThread>(
        "audit-" + section.name,
        [&loop] { return loop.step(); },
        [this](std::int64_t until, std::stop_token stop) { wait_until(until, stop, clock); }));
  }
}

audit::SinkAudit::Snapshots App::Impl::read_in() const {
  audit::SinkAudit::Snapshots out;
  out.all = true;
  const auto look = [&](const std::string& org, const std::string& object) {
    const bool read = ledger->last_snapped(org, object).has_value();
    if (read) out.read_in.insert(org + ":" + object);
    return read;
  };
  for (const auto& org : config.orgs)
    for (const auto& object : org.snapshot_objects) out.all = look(org.name, object) && out.all;
  for (const auto& count : ledger->counts()) look(count.org, count.object);
  return out;
}

/// A target that is made, or made again, as against one that follows.
bool App::Impl::filling(const std::string& sink) const {
  return std::ranges::any_of(sinks, [&sink](const auto& loop) {
    const auto status = loop->status();
    return status.name == sink && (status.materializing || status.lag_entries > kFillingEntries);
  });
}

Result<void> App::Impl::open_doors() {
  std::vector<std::string> names;
  for (const auto& org : orgs) names.push_back(org->name);
  audit_orders = std::make_unique<AuditOrders>(desk, *ledger, std::move(names));
  orders = std::make_unique<Orders>(
      *ledger, clock, [this](RetryRequest& request) { return try_again(request); });
  auto socket = runtime::ControlServer::open(
      io, config.control_socket, [this](const runtime::Question& question, runtime::Reply reply) {
        static constexpr std::string_view kAudit = "audit ";
        if (question.line.starts_with(kAudit))
          return reply(audit_orders->answer(question.line.substr(kAudit.size()), question.peer));
        answer(question, sources(), *ledger, clock, *orders, std::move(reply));
      });
  if (!socket) return socket.error();
  control = std::move(socket).value();
  observe::HttpServer::Routes routes;
  routes["/metrics"] = [this] {
    export_metrics();
    return observe::HttpAnswer{200, "text/plain; version=0.0.4", metrics.text()};
  };
  routes["/livez"] = [this] {
    const bool live = health.live();
    return observe::HttpAnswer{
        live ? 200 : 503, "text/plain", live ? "ok\n" : "a thread is stuck: see /status\n"};
  };
  routes["/readyz"] = [this] {
    std::string text;
    for (const auto& reason : not_ready(sources(), clock)) text += reason + "\n";
    return observe::HttpAnswer{
        text.empty() ? 200 : 503, "text/plain", text.empty() ? "ok\n" : text};
  };
  routes["/status"] = [this] {
    return observe::HttpAnswer{200, "application/json", status_json(sources(), clock)};
  };
  auto server = observe::HttpServer::start(config.http_listen, std::move(routes));
  if (!server) return server.error();
  http = std::move(server).value();
  return {};
}

/// A row of a sink goes back to that sink, an event to its stream, or to any of its org if the row
/// is from before rows knew their stream.
Result<void> App::Impl::try_again(RetryRequest& request) {
  const std::string stage = request.row.stage;
  static constexpr std::string_view kSink = "sink.";
  const auto full = [&](bool taken) {
    return taken ? Result<void>() : transient("too many retries wait already; ask again later");
  };
  if (stage.starts_with(kSink)) {
    for (const auto& sink : sinks) {
      if (sink->status().name == stage.substr(kSink.size())) return full(sink->try_again(request));
    }
    return rejected(fmt::format("no {} is configured: discard the row", stage));
  }
  for (const auto& org : orgs) {
    for (const auto& ingest : org->ingests) {
      if (org->name == request.row.org &&
          (request.row.topic.empty() || request.row.topic == ingest->topic()))
        return full(ingest->try_again(request));
    }
  }
  return rejected(fmt::format(
      "no stream {} of org {} is configured: discard the row", request.row.topic, request.row.org));
}

StatusSources App::Impl::sources() const {
  StatusSources out{*ledger, health, {}, {}, kVersion, started_at};
  out.audit = &desk;
  for (const auto& sink : sinks) out.sinks.push_back(sink.get());
  for (const auto& org : config.orgs) {
    bool snapshot = false;
    for (const auto& stream : org.streams) {
      out.streams.push_back({org.name, stream.topic});
      snapshot = snapshot || stream.snapshot;
    }
    if (!snapshot) continue;
    for (const auto& object : org.snapshot_objects) out.snapshots.emplace_back(org.name, object);
  }
  return out;
}

void App::Impl::arm_signals() {
  signals.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    if (stopping) _exit(0);  // the second one: leave at once; what is durable is enough
    stopping = true;
    log::info("stopping: asking for nothing more, sinks drain");
    runtime::notify("STOPPING=1");
    arm_signals();
    io.stop();
  });
}

void App::Impl::arm_reload() {
  reloads.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    reload();
    arm_reload();
  });
}

/// SIGHUP: the file and its mapping files are read whole; with a problem in any nothing changes.
/// Secrets need no reload, they are read at every login. Log level and mapping are taken over at
/// once; what else differs waits for a restart, and is not half applied.
void App::Impl::reload() {
  runtime::notify("RELOADING=1");
  config::Problems problems;
  const auto fresh = DaemonConfig::load(config.path, problems);
  const bool remapped = problems.empty() && take_mapping(fresh, problems);
  metrics.gauge("headwater_config_last_reload_success", "1 if the last SIGHUP found a valid file")
      .set(problems.empty() ? 1 : 0);
  if (problems.empty()) {
    log::set_level(fresh.log_level);
    log::info(
        "configuration is valid: log level and mapping are in force, all else with the next start",
        {{"file", config.path},
         {"mapping", remapped ? "another" : "as it was"},
         {"mapping_rev", mapping_in_force()->mapping_rev()}});
  } else {
    for (const auto& problem : problems.list())
      log::error("configuration not taken over", {{"problem", problem.str()}});
  }
  runtime::notify("READY=1");
}

/// True if another mapping is in force now: the ledger projects all records by it, piece by piece,
/// and sinks open again with the tables and topics that it needs.
bool App::Impl::take_mapping(const DaemonConfig& fresh, config::Problems& problems) {
  auto next = config::load_mapping(fresh.mapping_files, problems);
  if (!problems.empty() || next->digest() == mapping->digest()) return false;
  for (std::string& what : reload_refusals(*mapping, *next)) {
    problems.add({config.path, 0, 0, "mapping", std::move(what)});
  }
  config.check_sinks(*next, problems);
  if (!problems.empty()) return false;
  {
    const std::lock_guard lock(mapping_mutex);
    mapping = next;
  }
  for (const auto& sink : sinks) sink->remake();
  if (auto taken = ledger->set_mapping(std::move(next)); !taken) {
    ledger_failed(taken.error());
    return false;
  }
  if (ledger->reprojecting()) {
    arm_reprojecting(kReprojectPause);
  } else {
    log::info(kAllProjected);
  }
  return true;
}

void App::Impl::arm_reprojecting(Millis pause) {
  reprojecting.expires_after(pause);
  reprojecting.async_wait([this](boost::system::error_code error) {
    if (error) return;
    const bool owed = ledger->reprojecting();
    const auto more = ledger->reproject();
    if (!more) return ledger_failed(more.error());
    if (owed && !ledger->reprojecting()) log::info(kAllProjected);
    arm_reprojecting(*more ? kReprojectPause : Millis(kHousekeeping));
  });
}

/// A ledger that failed to write refuses all writes: nothing can go on, and a restart reads what is
/// on the disk.
void App::Impl::ledger_failed(const Error& error) {
  log::error(error.message);
  exit_code = 1;
  stopping = true;
  io.stop();
}

void App::Impl::arm_housekeeping() {
  housekeeping.expires_after(kHousekeeping);
  housekeeping.async_wait([this](boost::system::error_code error) {
    if (error) return;
    if (auto trimmed = ledger->trim(); !trimmed) return ledger_failed(trimmed.error());
    if (!told_ready) {
      const auto parts = health.parts();
      const bool settled = std::none_of(parts.begin(), parts.end(), [](const auto& p) {
        return p.state == observe::PartState::Starting;
      });
      if (settled) {
        told_ready = true;
        runtime::notify("READY=1");
        log::info("ready", {{"http", http->address()}, {"control", config.control_socket}});
      }
    }
    const auto reasons = not_ready(sources(), clock);
    runtime::notify("STATUS=" + (reasons.empty()
                                     ? fmt::format("in step at rev {}", ledger->head().value)
                                     : reasons.front()));
    heap.step(clock.monotonic_ms());
    arm_housekeeping();
  });
}

/// The watchdog is fed by progress: only while every thread comes round.
void App::Impl::arm_watchdog(Millis interval) {
  watchdog.expires_after(interval);
  watchdog.async_wait([this, interval](boost::system::error_code error) {
    if (error) return;
    if (health.live()) runtime::notify("WATCHDOG=1");
    arm_watchdog(interval);
  });
}

/// What the org's clients count.
void App::Impl::export_org(const Org& org) {
  const auto gauge =
      [&](const char* name, const char* help, double value, const observe::Labels& labels) {
        metrics.gauge(name, help, labels).set(value);
      };
  const observe::Labels labels{{"org", org.name}};
  gauge("headwater_api_calls_used",
        "Requests of the last 24 h, as the org counts",
        static_cast<double>(org.counts->api_used.load()),
        labels);
  gauge("headwater_api_calls_limit",
        "Requests allowed in 24 h",
        static_cast<double>(org.counts->api_max.load()),
        labels);
  gauge("headwater_api_calls_sent",
        "REST requests sent since the start",
        static_cast<double>(org.counts->api_calls.load()),
        labels);
  for (const auto priority : {salesforce::Priority::Repair,
                              salesforce::Priority::Snapshot,
                              salesforce::Priority::Audit}) {
    const auto& refused = org.counts->api_refused[static_cast<std::size_t>(priority)];
    gauge("headwater_api_calls_withheld",
          "REST requests not sent since the start, to leave some to others",
          static_cast<double>(refused.load()),
          {{"org", org.name}, {"priority", to_string(priority)}});
  }
  gauge("headwater_token_refreshes_ok",
        "Logins that succeeded since the start",
        static_cast<double>(org.counts->token_refreshes_ok.load()),
        labels);
  gauge("headwater_token_refreshes_failed",
        "Logins that failed since the start",
        static_cast<double>(org.counts->token_refreshes_failed.load()),
        labels);
  gauge("headwater_api_rows_read",
        "Rows read by queries and Bulk jobs since the start",
        static_cast<double>(org.counts->rows_read.load()),
        labels);
  gauge("headwater_bulk_jobs_created",
        "Bulk query jobs created since the start; Salesforce allows 10,000 in 24 h",
        static_cast<double>(org.counts->bulk_jobs_created.load()),
        labels);
}

void App::Impl::export_metrics() {
  const auto journal = ledger->journal();
  const auto gauge =
      [&](const char* name, const char* help, double value, const observe::Labels& labels = {}) {
        metrics.gauge(name, help, labels).set(value);
      };
  gauge("headwater_build_info", "1, with the version", 1, {{"version", kVersion}});
  gauge("headwater_start_time_seconds",
        "When the daemon started",
        static_cast<double>(started_at) / 1000.0);
  gauge("headwater_journal_head_rev", "Last durable rev", static_cast<double>(journal.head.value));
  gauge(
      "headwater_journal_entries", "Entries in the journal", static_cast<double>(journal.entries));
  gauge("headwater_journal_bytes", "Bytes in the journal", static_cast<double>(journal.bytes));
  gauge("headwater_journal_bytes_max",
        "Bound of the journal",
        static_cast<double>(journal.bytes_max));
  gauge("headwater_journal_oldest_timestamp_seconds",
        "Time of the oldest entry",
        static_cast<double>(journal.oldest_ts) / 1000.0);
  for (const auto& count : ledger::AuditBook(*ledger).hole_counts()) {
    const observe::Labels cause{{"cause", count.cause}};
    gauge("headwater_holes_open", "Open holes", static_cast<double>(count.open), cause);
    const std::lock_guard lock(holes_mutex);  // of two who ask at once
    auto opened =
        metrics.counter("headwater_holes_opened_total", "Holes opened since the start", cause);
    opened.add(std::max(0.0, static_cast<double>(count.opened) - opened.value()));
  }
  gauge("headwater_quarantine_open",
        "Open quarantine rows",
        static_cast<double>(ledger->quarantine_open()));
  for (const auto& count : ledger->counts()) {
    const auto records = [&](const char* state, std::uint64_t n) {
      gauge("headwater_records",
            "Records in the ledger",
            static_cast<double>(n),
            {{"org", count.org}, {"entity", count.entity}, {"state", state}});
    };
    records("alive", count.alive);
    records("deleted", count.deleted);
    records("incomplete", count.incomplete);
  }
  for (const auto& org : orgs) export_org(*org);
  for (const auto& part : health.parts()) {
    for (const auto state : {observe::PartState::Ok,
                             observe::PartState::Waiting,
                             observe::PartState::Blocked,
                             observe::PartState::Fatal}) {
      gauge("headwater_part_state",
            "1 for the state that a part is in",
            part.state == state ? 1 : 0,
            {{"part", part.name}, {"state", std::string(observe::to_string(state))}});
    }
  }
}

void App::Impl::stop() {
  for (auto& thread : org_threads) thread->request_stop();
  for (auto& org : orgs) {
    for (auto& source : org->sources) source->wake();
  }
  for (auto& thread : org_threads) thread->join();
  const auto deadline = clock.monotonic_ms() + config.stop_deadline.count();
  const auto drained = [this] {
    return std::all_of(
        sinks.begin(), sinks.end(), [](const auto& sink) { return sink->caught_up(); });
  };
  while (!drained() && clock.monotonic_ms() < deadline)
    wait_until(clock.monotonic_ms() + 10, {}, clock);
  for (auto& thread : sink_threads) thread->request_stop();
  ledger->wake();
  for (auto& thread : sink_threads) thread->join();
  ledger->flush();
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::build(DaemonConfig config,
                                        std::shared_ptr<const crm::Mapping> mapping) {
  std::signal(SIGPIPE, SIG_IGN);  // hiredis writes without MSG_NOSIGNAL
  auto impl = std::make_unique<Impl>(std::move(config));
  if (auto built = impl->build(std::move(mapping)); !built) return built.error();
  return std::unique_ptr<App>(new App(std::move(impl)));
}

int App::run() {
  impl_->signals.add(SIGTERM);
  impl_->signals.add(SIGINT);
  impl_->arm_signals();
  impl_->reloads.add(SIGHUP);
  impl_->arm_reload();
  impl_->arm_housekeeping();
  impl_->arm_reprojecting(Millis{0});
  if (const auto interval = runtime::watchdog_interval()) impl_->arm_watchdog(*interval);
  for (auto& thread : impl_->org_threads) thread->start();
  for (auto& thread : impl_->sink_threads) thread->start();
  log::info(
      "started",
      {{"version", kVersion}, {"ledger", impl_->ledger->id()}, {"http", impl_->http->address()}});
  impl_->io.run();
  // Signals go on being served: the second one must find somebody.
  impl_->io.restart();
  std::thread signal_thread([this] { impl_->io.run(); });
  impl_->stop();
  impl_->io.stop();
  signal_thread.join();
  log::info("stopped");
  return impl_->exit_code;
}

}  // namespace headwater
