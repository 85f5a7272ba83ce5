#include "daemon/app.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "config/mapping_file.hpp"
#include "daemon/answer.hpp"
#include "daemon/audit/sink_audit.hpp"
#include "daemon/audit_orders.hpp"
#include "daemon/exporter.hpp"
#include "daemon/mapping_reload.hpp"
#include "daemon/observe/http.hpp"
#include "daemon/org.hpp"
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

/// A sink that lags so many entries is being filled, not following.
constexpr std::uint64_t kFillingEntries = 10'000;
/// Of one step, after which a sink's thread counts as stuck: its longest bounded call, doubled.
constexpr Millis kSinkDeadline{180'000};
constexpr auto kHousekeeping = std::chrono::seconds{1};
constexpr std::string_view kAllProjected = "all records are projected by the mapping in force";
/// Between two pieces of a re-projection: events get the ledger in turn with it.
constexpr auto kReprojectPause = Millis{5};

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
  void build_sinks();
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
  void stop();

  DaemonConfig config;
  SystemClock clock;
  observe::Metrics metrics;
  observe::Health health;
  asio::io_context io;
  asio::signal_set signals, reloads;
  asio::steady_timer housekeeping, reprojecting, watchdog;
  mutable std::mutex mapping_mutex;
  std::shared_ptr<const crm::Mapping> mapping;
  std::unique_ptr<ledger::Ledger> ledger;
  audit::Desk desk;
  std::vector<std::unique_ptr<Org>> orgs;
  std::vector<std::unique_ptr<SinkLoop>> sinks;
  std::vector<std::unique_ptr<audit::SinkAudit>> sink_audits;
  std::unique_ptr<Exporter> exporter;
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
  const Org::Around around{*ledger, clock, health, metrics, org_threads};
  const Org::Audits audits{desk, config.audit, config.journal.sweep_share_max};
  for (const auto& org : config.orgs)
    orgs.emplace_back(std::make_unique<Org>(org, around))->add_audit(audits);
  build_sinks();
  add_sink_audits();
  return open_doors();
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
  audit_orders = std::make_unique<AuditOrders>(desk, *ledger, health, std::move(names));
  orders = std::make_unique<Orders>(
      *ledger, clock, [this](RetryRequest& request) { return try_again(request); });
  auto socket = runtime::ControlServer::open(
      io, config.control_socket, [this](const runtime::Question& question, runtime::Reply reply) {
        answer(question, sources(), *ledger, clock, *orders, *audit_orders, std::move(reply));
      });
  if (!socket) return socket.error();
  control = std::move(socket).value();
  std::vector<Exporter::OrgCounts> counts;
  for (const auto& org : orgs) counts.push_back({org->name, org->counts});
  exporter = std::make_unique<Exporter>(
      Exporter::Parts{metrics, *ledger, health, kVersion, started_at}, std::move(counts));
  observe::HttpServer::Routes routes;
  routes["/metrics"] = [this] {
    return observe::HttpAnswer{200, "text/plain; version=0.0.4", exporter->text()};
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
  if (problems.empty()) config.ask_sinks(*next, problems);
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
