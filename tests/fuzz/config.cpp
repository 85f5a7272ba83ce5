// Any text is the daemon's configuration, or every problem is told with a place that the text has.
// Read twice, it says the same twice.

#include <algorithm>
#include <string>

#include "daemon/daemon_config.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

namespace {

std::string read(const std::string& text) {
  config::Problems problems;
  config::Node root = config::Node::parse("fuzz.yaml", text, problems);
  const DaemonConfig config = DaemonConfig::parse(root);
  (void)root.unanswered();

  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const auto& problem : problems.list()) {
    HEADWATER_ASSERT(problem.file == "fuzz.yaml" && !problem.what.empty());
    HEADWATER_ASSERT(problem.line >= 0 && problem.line <= lines + 1 && problem.column >= 0);
  }
  if (problems.empty()) {
    // What every part of the daemon takes for granted.
    HEADWATER_ASSERT(!config.state_dir.empty() && !config.orgs.empty());
    HEADWATER_ASSERT(config.journal.journal_bytes_max >= 1U << 20);
    for (const auto& org : config.orgs) HEADWATER_ASSERT(!org.name.empty() && !org.streams.empty());
    for (const auto& sink : config.sinks) HEADWATER_ASSERT(!sink.name.empty());
  }
  return problems.str();
}

}  // namespace

FUZZ_TARGET(config) {
  const std::string text(input);
  HEADWATER_ASSERT(read(text) == read(text));
}
