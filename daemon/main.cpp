#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "config/mapping_file.hpp"
#include "daemon/app.hpp"
#include "daemon/observe/log.hpp"

namespace {

constexpr int kExitFatal = 1;
constexpr int kExitUsage = 64;   // EX_USAGE of sysexits.h
constexpr int kExitConfig = 78;  // EX_CONFIG: systemd is told not to restart on either

/// Secrets live in this process: no core dumps, no ptrace by others.
void protect_memory() {
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

/// Every file of the ledger stays open, and a journal or a state at its size has more of them than
/// a shell's usual soft limit of 1024. Nothing here uses select(2), which would break above that.
void take_all_descriptors() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("headwaterd: keeps Postgres, Redis and Kafka in step with Salesforce");
  std::string config_path;
  bool check_only = false;
  cli.add_option("--config", config_path, "configuration file (YAML)")->required();
  cli.add_flag("--check-config", check_only, "read the configuration, tell every problem, exit");
  cli.set_version_flag("--version", std::string("headwaterd ") + headwater::kVersion);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? 0 : kExitUsage;  // 0: help or version was asked for
  }
  protect_memory();
  take_all_descriptors();

  headwater::config::Problems problems;
  auto config = headwater::DaemonConfig::load(config_path, problems);
  auto mapping = headwater::config::load_mapping(config.mapping_files, problems);
  if (problems.empty()) config.check_sinks(*mapping, problems);
  if (!problems.empty()) {
    std::fputs(problems.str().c_str(), stderr);
    return kExitConfig;
  }
  if (check_only) {
    std::puts("configuration ok");
    return 0;
  }
  config.journal.read_mapping = headwater::config::read_mapping;
  headwater::log::set_level(config.log_level);
  auto app = headwater::App::build(std::move(config), std::move(mapping));
  if (!app) {
    headwater::log::error(app.error().message);
    return kExitFatal;
  }
  return (*app)->run();
}
