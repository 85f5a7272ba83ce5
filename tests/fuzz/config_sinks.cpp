// The sinks' sections for the target `config`: read as daemon/registry.cpp reads them, without the
// client libraries that its sinks are made with. In every other build registry.cpp itself is
// linked.

#include "connectors/kafka/config.hpp"
#include "connectors/postgres/config.hpp"
#include "connectors/redis/config.hpp"
#include "daemon/registry.hpp"

namespace headwater {

SinkMaker parse_sink(const std::string& name, config::Node& section) {
  SinkMaker maker;
  maker.make = [](const SinkContext&) { return nullptr; };
  const std::string type = section.text("type", name);
  if (type == "postgres") {
    postgres::PostgresConfig::parse(section);
  } else if (type == "redis") {
    redis::RedisConfig::parse(section);
  } else if (type == "kafka") {
    kafka::KafkaConfig::parse(section);
  } else {
    section.problem("type", "must be postgres, redis or kafka");
    return {};
  }
  return maker;
}

}  // namespace headwater
