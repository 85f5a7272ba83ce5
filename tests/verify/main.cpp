// headwater-verify: compares what a simulated org holds with the ledger and every configured sink,
// record by record.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <set>

#include "config/node.hpp"
#include "daemon/runtime/control.hpp"
#include "tests/verify/targets.hpp"

namespace {

using namespace headwater;

struct Settings {
  salesforce::OrgConfig org;
  std::string control_socket, postgres_url, schema = "crm", redis_url,
                                            redis_prefix = "crm:", brokers, topic_prefix = "crm.";
};

Settings read_settings(const std::string& path, config::Problems& problems) {
  Settings out;
  auto root = config::Node::load(path, problems);
  auto orgs = root.items("orgs");
  if (!orgs.empty()) out.org = salesforce::OrgConfig::parse(orgs.front());
  out.control_socket =
      root.child("control").text("socket", root.text("state_dir", "") + "/control.sock");
  auto sinks = root.child("sinks");
  if (sinks.has("postgres")) {
    out.postgres_url = sinks.child("postgres").text("url");
    out.schema = sinks.child("postgres").text("schema", out.schema);
  }
  if (sinks.has("redis")) {
    out.redis_url = sinks.child("redis").text("url");
    out.redis_prefix = sinks.child("redis").text("prefix", out.redis_prefix);
  }
  if (sinks.has("kafka")) {
    out.brokers = sinks.child("kafka").text("brokers");
    out.topic_prefix = sinks.child("kafka").text("topic_prefix", out.topic_prefix);
  }
  return out;
}

/// Collects what each comparison says.
class Report {
 public:
  void check(const std::string& what,
             const std::vector<std::string>& differences,
             const std::string& summary) {
    std::cout << fmt::format(
        "{:<22} {}{}\n", what, differences.empty() ? "equal: " : "DIFFERENT: ", summary);
    for (const auto& difference : differences) std::cout << "    " << difference << "\n";
    failed_ = failed_ || !differences.empty();
  }
  void failed(const Error& error) {
    std::cout << error.message << "\n";
    failed_ = true;
  }
  bool ok() const { return !failed_; }

 private:
  bool failed_ = false;
};

std::vector<std::string> compare(const verify::Truth& truth, const verify::Documents& found) {
  std::vector<std::string> out;
  const auto add = [&](std::string what) {
    if (out.size() < 10) out.push_back(std::move(what));
  };
  for (const auto& [key, expected] : truth) {
    const auto there = found.find(key);
    std::string difference;
    if (there == found.end()) {
      add(key + " is missing");
    } else if (!verify::same_sections(expected.sections, there->second, &difference)) {
      add(key + " " + difference);
    }
  }
  for (const auto& [key, text] : found) {
    if (!truth.contains(key)) add(key + " lives here but not in the org");
  }
  return out;
}

/// Every record of the truth, one by one through the control socket.
Result<verify::Documents> read_ledger(const Settings& settings, const verify::Truth& truth) {
  verify::Documents out;
  for (const auto& [key, expected] : truth) {
    auto reply = runtime::ask(settings.control_socket, "get " + key, Millis(30'000));
    if (!reply) return reply.error();
    if (reply->find("\"deleted\":true") == std::string::npos &&
        !verify::sections_of(*reply).empty()) {
      out[key] = verify::sections_of(*reply);
    }
  }
  return out;
}

void check_documents(Report& report,
                     const std::string& what,
                     const verify::Truth& truth,
                     const Result<verify::Documents>& found) {
  if (!found) return report.failed(found.error());
  report.check(
      what, compare(truth, *found), fmt::format("{} of {} records", found->size(), truth.size()));
}

void check_kafka(Report& report, const Settings& settings, const verify::Truth& truth) {
  check_documents(report,
                  "kafka records topics",
                  truth,
                  verify::read_kafka_records(settings.brokers, settings.topic_prefix, nullptr));
  const auto changes = verify::read_kafka_changes(settings.brokers, settings.topic_prefix);
  if (!changes) return report.failed(changes.error());
  report.check(
      "kafka changes topics",
      changes->faults,
      fmt::format("{} changes in order, none missing, {} late repeats dropped by the consumer rule",
                  changes->accepted,
                  changes->late_repeats));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("headwater-verify: is every sink equal to the simulated org?");
  std::string config_path, control_url;
  bool no_history = false;
  cli.add_option("--config", config_path, "the daemon's configuration file")->required();
  cli.add_option("--org-control", control_url, "control URL of headwater-org")->required();
  cli.add_flag("--no-history",
               no_history,
               "leave the changes topics alone (a mock broker drops old messages)");
  CLI11_PARSE(cli, argc, argv);
  config::Problems problems;
  const Settings settings = read_settings(config_path, problems);
  if (!problems.empty()) {
    std::cerr << problems.str();
    return 78;
  }
  const SystemClock clock;
  const auto truth = verify::read_truth(settings.org, control_url, clock);
  if (!truth) {
    std::cerr << truth.error().message << "\n";
    return 1;
  }
  Report report;
  check_documents(report, "ledger", *truth, read_ledger(settings, *truth));
  if (!settings.postgres_url.empty()) {
    std::uint64_t rows = 0;
    const auto differences =
        verify::compare_postgres(settings.postgres_url, settings.schema, *truth, &rows);
    if (differences) {
      report.check("postgres", *differences, fmt::format("{} of {} records", rows, truth->size()));
    } else {
      report.failed(differences.error());
    }
  }
  if (!settings.redis_url.empty()) {
    check_documents(
        report, "redis", *truth, verify::read_redis(settings.redis_url, settings.redis_prefix));
  }
  if (!settings.brokers.empty()) {
    if (no_history) {
      check_documents(report,
                      "kafka records topics",
                      *truth,
                      verify::read_kafka_records(settings.brokers, settings.topic_prefix, nullptr));
    } else {
      check_kafka(report, settings, *truth);
    }
  }
  return report.ok() ? 0 : 1;
}
