#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/node.hpp"
#include "connectors/salesforce/config.hpp"
#include "daemon/audit/options.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/registry.hpp"

namespace headwater {

struct SinkSection {
  std::string name;  ///< its key under `sinks`
  MakeSink make;
  CheckSink check;
  MakeReader reader;
};

/// The whole configuration file (config/headwater.example.yaml has every key).
struct DaemonConfig {
  std::string path;  ///< of the file, for SIGHUP
  std::string state_dir;
  std::vector<salesforce::OrgConfig> orgs;
  std::vector<SinkSection> sinks;
  ledger::LedgerOptions journal;
  audit::AuditOptions audit;
  std::vector<std::string> mapping_files;
  std::string http_listen = "127.0.0.1:9464";
  std::string control_socket;  ///< default: <state_dir>/control.sock
  log::Level log_level = log::Level::Info;
  Millis stop_deadline{5'000};  ///< how long sinks may drain at a stop

  /// Everything that the file says; problems, all of them, in `problems`.
  static DaemonConfig load(const std::string& path, config::Problems& problems);
  static DaemonConfig parse(config::Node& root);
  /// What the sinks cannot do with this mapping.
  void check_sinks(const crm::Mapping& mapping, config::Problems& problems) const;
  /// Asks the targets themselves, each within its connect_timeout. One that cannot be asked says
  /// nothing against it: should it not take the mapping, its sink is blocked and says what to do.
  void ask_sinks(const crm::Mapping& mapping, config::Problems& problems) const;
};

}  // namespace headwater
