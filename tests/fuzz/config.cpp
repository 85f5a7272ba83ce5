// Any text is a configuration, or every problem is told with a place that the text has. Read twice,
// it says the same twice.

#include "connectors/kafka/config.hpp"

#include <algorithm>
#include <string>

#include "config/node.hpp"
#include "connectors/postgres/config.hpp"
#include "connectors/redis/config.hpp"
#include "connectors/salesforce/config.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

namespace {

std::string read(const std::string& text) {
  config::Problems problems;
  config::Node root = config::Node::parse("fuzz.yaml", text, problems);
  root.text("state_dir", "");
  for (config::Node& org : root.items("orgs")) salesforce::OrgConfig::parse(org);
  config::Node sinks = root.child("sinks");
  config::Node postgres = sinks.child("postgres"), redis = sinks.child("redis"),
               kafka = sinks.child("kafka");
  postgres::PostgresConfig::parse(postgres);
  redis::RedisConfig::parse(redis);
  kafka::KafkaConfig::parse(kafka);
  config::Node journal = root.child("journal");
  journal.bytes("bytes_max", 0);
  journal.duration("keep", Millis(0));
  root.child("mapping").texts("files");
  root.finish();
  (void)root.unanswered();

  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const auto& problem : problems.list()) {
    HEADWATER_ASSERT(problem.file == "fuzz.yaml" && !problem.what.empty());
    HEADWATER_ASSERT(problem.line >= 0 && problem.line <= lines + 1 && problem.column >= 0);
  }
  return problems.str();
}

}  // namespace

FUZZ_TARGET(config) {
  const std::string text(input);
  HEADWATER_ASSERT(read(text) == read(text));
}
