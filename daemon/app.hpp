#pragma once

#include <memory>
#include <string>

#include "daemon/daemon_config.hpp"

namespace headwater {

/// Version of this build, as `--version` says it.
extern const char* const kVersion;

/// The daemon: builds all parts, starts all, and stops them in reverse.
///
///   build:  ledger <- mapping;  per org: token source, org worker;  per stream: subscription,
///   ingest;  per sink: sink loop run:    threads start; main's io_context serves signals,
///   watchdog, trimming and the control socket stop:   SIGTERM: ingest stops asking, sinks drain
///   until stop_deadline, memtables are flushed, exit 0.
///           A second SIGTERM: exit at once; nothing is lost, as with SIGKILL
class App {
 public:
  /// Errors are what exit code 1 is for: a locked or damaged state directory, a socket in use.
  static Result<std::unique_ptr<App>> build(DaemonConfig config,
                                            std::shared_ptr<const crm::Mapping> mapping);
  ~App();
  /// Until stopped. Returns the exit code.
  int run();

 private:
  struct Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater
