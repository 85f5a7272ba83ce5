#include "daemon/verify/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <span>

#include "config/mapping_file.hpp"
#include "config/node.hpp"
#include "connectors/kafka/log_reader.hpp"
#include "connectors/postgres/reader.hpp"
#include "connectors/redis/reader.hpp"
#include "daemon/runtime/control.hpp"
#include "daemon/verify/report.hpp"
#include "daemon/verify/verifier.hpp"

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
    Places::Org place{org.name, nullptr, {}};
    place.objects.insert(org.snapshot_objects.begin(), org.snapshot_objects.end());
    if (options.truth.empty())
      place.truth = make_rest_truth(org, settings.mapping, clock);
    else if (options.truth != "none")
      place.truth = make_dump_truth(org, settings.mapping, clock, options.truth);
    places.orgs.push_back(std::move(place));
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

/// Keys of one order: a line of the control socket holds 4,096 bytes.
constexpr std::size_t kKeysPerOrder = 50;

using Ask = LedgerView::Ask;

Result<void> tell_again(const Ask& ask, const std::string& by, std::span<const std::string> rkeys) {
  for (std::size_t i = 0; i < rkeys.size(); i += kKeysPerOrder) {
    std::string line = "audit restate by=" + by;
    for (const auto& rkey : rkeys.subspan(i, std::min(kKeysPerOrder, rkeys.size() - i)))
      line += " " + rkey;
    const auto reply = ask(line);
    if (!reply) return reply.error();
    boost::system::error_code broken;
    const auto document = boost::json::parse(*reply, broken);
    if (broken || !document.is_object()) return blocked("restate: the answer cannot be read");
    if (const auto* why = document.as_object().if_contains("error"))
      return blocked("restate: " + std::string(why->as_string()));
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
  if (!first || !options.restate || first->wrong.empty()) return first;
  if (auto told = tell_again(ask, options.by, first->wrong); !told) return told.error();
  auto second = compare(settings, options, ask, clock);
  if (second) second->restated = std::move(first->wrong);
  return second;
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
