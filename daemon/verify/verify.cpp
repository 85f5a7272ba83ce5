#include "daemon/verify/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <map>
#include <set>

#include "config/mapping_file.hpp"
#include "config/node.hpp"
#include "connectors/kafka/log_reader.hpp"
#include "connectors/postgres/reader.hpp"
#include "connectors/redis/reader.hpp"
#include "connectors/salesforce/org_facts.hpp"
#include "daemon/runtime/control.hpp"
#include "daemon/verify/report.hpp"
#include "daemon/verify/verifier.hpp"
#include "schemas/model/topic.hpp"

namespace headwater::verify {
namespace {

constexpr Millis kAnswerTime{30'000};

/// What of the daemon's configuration a comparison needs.
struct Settings {
  std::vector<salesforce::OrgConfig> orgs;
  std::vector<std::pair<std::string, postgres::PostgresConfig>> postgres;
  std::vector<std::pair<std::string, redis::RedisConfig>> redis;
  std::vector<std::pair<std::string, kafka::KafkaConfig>> kafka;
  std::shared_ptr<const crm::Mapping> mapping;
  std::string socket;
};

Settings read_settings(const std::string& path, config::Problems& problems) {
  Settings out;
  auto root = config::Node::load(path, problems);
  if (!problems.empty()) return out;
  for (auto& item : root.items("orgs")) out.orgs.push_back(salesforce::OrgConfig::parse(item));
  auto sinks = root.child("sinks");
  for (const auto& name : sinks.keys()) {
    auto section = sinks.child(name);
    const auto type = section.text("type", name);
    if (type == "postgres")
      out.postgres.emplace_back(name, postgres::PostgresConfig::parse(section));
    if (type == "redis") out.redis.emplace_back(name, redis::RedisConfig::parse(section));
    if (type == "kafka") out.kafka.emplace_back(name, kafka::KafkaConfig::parse(section));
  }
  out.mapping = config::load_mapping(root.child("mapping").texts("files"), problems);
  out.socket = root.child("control").text(
      "socket", root.text("state_dir", "/var/lib/headwater") + "/control.sock");
  return out;
}

Result<Places> open_places(const Settings& settings, const Options& options, const Clock& clock) {
  Places places;
  for (const auto& org : settings.orgs) {
    Places::Org place{org.name, nullptr, {}, {}};
    place.objects.insert(org.snapshot_objects.begin(), org.snapshot_objects.end());
    for (const auto& stream : org.streams) {
      if (auto object = salesforce::object_of_topic(stream.topic); !object.empty())
        place.own.insert(object);
    }
    if (options.truth.empty())
      place.truth = make_rest_truth(org, settings.mapping, clock);
    else if (options.truth != "none")
      place.truth = make_dump_truth(org, settings.mapping, clock, options.truth);
    places.orgs.push_back(std::move(place));
    places.platform_events |= std::ranges::any_of(
        org.streams, [](const auto& stream) { return is_platform_topic(stream.topic); });
  }
  for (const auto& [name, config] : settings.postgres)
    places.targets.push_back({name,
                              std::make_unique<postgres::PostgresReader>(
                                  config, name, postgres::plan_tables(*settings.mapping))});
  for (const auto& [name, config] : settings.redis)
    places.targets.push_back({name, std::make_unique<redis::RedisReader>(config)});
  for (const auto& [name, config] : settings.kafka) {
    auto reader = kafka::LogReader::open(config);
    if (!reader) return std::move(reader).error();
    places.logs.push_back({name, std::move(reader).value(), config.transactions, options.history});
  }
  return places;
}

/// Most bytes of one order: a line of the control socket holds 4,096.
constexpr std::size_t kOrderBytes = 3'500;
constexpr std::size_t kWhatBytes = 300;

using Ask = LedgerView::Ask;

Result<void> order(const Ask& ask, const std::string& line) {
  const auto reply = ask(line);
  if (!reply) return reply.error();
  boost::system::error_code broken;
  const auto document = boost::json::parse(*reply, broken);
  if (broken || !document.is_object()) return blocked("audit: the answer cannot be read");
  if (const auto* why = document.as_object().if_contains("error"))
    return blocked("audit: " + std::string(why->as_string()));
  return {};
}

/// `audit VERB by=WHO sink=NAME ITEM\tITEM…`, in as many lines as it takes.
Result<void> order_of_sinks(const Ask& ask,
                            const std::string& verb,
                            const std::string& by,
                            const std::map<std::string, std::vector<std::string>>& items) {
  for (const auto& [sink, list] : items) {
    const auto head = fmt::format("audit {} by={} sink={} ", verb, by, sink);
    std::string line;
    for (const auto& item : list) {
      if (line.size() + item.size() > kOrderBytes) {
        if (auto done = order(ask, head + line); !done) return done;
        line.clear();
      }
      line += (line.empty() ? "" : "\t") + item;
    }
    if (auto done = order(ask, head + line); !done) return done;
  }
  return {};
}

Result<Outcome> compare(const Settings& settings,
                        const Options& options,
                        const Ask& ask,
                        const Clock& clock) {
  auto places = open_places(settings, options, clock);
  if (!places) return places.error();
  Patience patience;
  patience.wait = options.wait;
  patience.wording.values = options.values;
  return Verifier(LedgerView(ask), std::move(places).value(), patience, clock).run();
}

Result<Outcome> compare_and_restate(const Settings& settings,
                                    const Options& options,
                                    const Ask& ask,
                                    const Clock& clock) {
  auto first = compare(settings, options, ask, clock);
  if (!first || !options.restate) return first;
  auto last = std::move(first);
  if (!last->wrong.empty()) {
    std::map<std::string, std::vector<std::string>> wrong;
    std::set<std::string> told;
    for (const auto& one : last->wrong) {
      const std::string ahead = one.ahead > 0 ? fmt::format(" rev={}", one.ahead) : "";
      wrong[one.sink].push_back(one.rkey + ahead + " " + one.what.substr(0, kWhatBytes));
      told.insert(one.rkey);
    }
    if (auto done = order_of_sinks(ask, "drift", options.by, wrong); !done) return done.error();
    last = compare(settings, options, ask, clock);
    if (!last) return last;
    last->restated.assign(told.begin(), told.end());
  }
  std::map<std::string, std::vector<std::string>> proven;
  for (auto& [sink, rkey] : last->proven()) proven[sink].push_back(std::move(rkey));
  if (auto done = order_of_sinks(ask, "proven", options.by, proven); !done) return done.error();
  if (auto holes = LedgerView(ask).document("holes")) last->holes = std::move(*holes);
  return last;
}

}  // namespace

int run(const Options& options, std::ostream& out, std::ostream& err) {
  std::signal(SIGPIPE, SIG_IGN);  // hiredis writes without MSG_NOSIGNAL
  config::Problems problems;
  const auto settings = read_settings(options.config_path, problems);
  if (!problems.empty()) return err << problems.str(), kCouldNotCheck;
  const SystemClock clock;
  const auto socket = options.socket.empty() ? settings.socket : options.socket;
  const auto ask = [&socket](const std::string& line) {
    return runtime::ask(socket, line, kAnswerTime);
  };
  const auto outcome = compare_and_restate(settings, options, ask, clock);
  if (!outcome) return err << "headwater: " << outcome.error().message << "\n", kCouldNotCheck;
  out << (options.json ? report_json(*outcome) + "\n" : report_text(*outcome));
  if (!outcome->equal()) return kDifferent;
  return outcome->could_check() ? kEqual : kCouldNotCheck;
}

}  // namespace headwater::verify
