#include "daemon/registry.hpp"

#include <fmt/format.h>

#include <map>

#include "connectors/kafka/records_reader.hpp"
#include "connectors/kafka/sink.hpp"
#include "connectors/kafka/topics.hpp"
#include "connectors/postgres/reader.hpp"
#include "connectors/postgres/sink.hpp"
#include "connectors/redis/reader.hpp"
#include "connectors/redis/sink.hpp"

namespace headwater {
namespace {

SinkMaker postgres_sink(config::Node& section) {
  auto config = postgres::PostgresConfig::parse(section);
  return {[config](const SinkContext& context) -> std::unique_ptr<Sink> {
            return std::make_unique<postgres::PostgresSink>(config,
                                                            context.holder,
                                                            context.name,
                                                            postgres::plan_tables(*context.mapping),
                                                            context.platform_events);
          },
          {},
          [config](const std::string& name,
                   const crm::Mapping& mapping) -> std::unique_ptr<TargetReader> {
            return std::make_unique<postgres::PostgresReader>(
                config, name, postgres::plan_tables(mapping));
          },
          fmt::format("{} schema {}", config.url, config.schema)};
}

SinkMaker redis_sink(config::Node& section) {
  auto config = redis::RedisConfig::parse(section);
  return {[config](const SinkContext& context) -> std::unique_ptr<Sink> {
            return std::make_unique<redis::RedisSink>(config, context.holder);
          },
          {},
          [config](const std::string&, const crm::Mapping&) -> std::unique_ptr<TargetReader> {
            return std::make_unique<redis::RedisReader>(config);
          },
          fmt::format(
              "{}/{} prefix {}", config.endpoint.str(), config.endpoint.database, config.prefix)};
}

std::vector<std::string> entities_of(const crm::Mapping& mapping) {
  std::vector<std::string> out;
  for (const auto& entity : mapping.entities()) out.push_back(entity.entity);
  return out;
}

SinkMaker kafka_sink(config::Node& section) {
  auto config = kafka::KafkaConfig::parse(section);
  const auto make = [config](const SinkContext& context) -> std::unique_ptr<Sink> {
    kafka::KafkaSinkOptions options;
    options.name = context.name;
    options.version = context.version;
    options.entities = entities_of(*context.mapping);
    options.org_id = context.org_id;
    return std::make_unique<kafka::KafkaSink>(
        config, context.holder, std::move(options), *context.clock);
  };
  const auto check = [config](const crm::Mapping& mapping) {
    return kafka::Topics(config.topic_prefix, config.partitions, config.replication)
        .clashes(entities_of(mapping));
  };
  const auto reader = [config](const std::string& name,
                               const crm::Mapping&) -> std::unique_ptr<TargetReader> {
    return std::make_unique<kafka::RecordsReader>(config, name);
  };
  return {make, check, reader, fmt::format("{} topics {}", config.brokers, config.topic_prefix)};
}

}  // namespace

SinkMaker parse_sink(const std::string& name, config::Node& section) {
  static const std::map<std::string, SinkMaker (*)(config::Node&)> kTypes{
      {"postgres", postgres_sink}, {"redis", redis_sink}, {"kafka", kafka_sink}};
  const std::string type = section.text("type", name);
  const auto known = kTypes.find(type);
  if (known == kTypes.end()) {
    section.problem(
        "type",
        "must be postgres, redis or kafka (a sink's name is its type unless type says more), got " +
            type);
    return {};
  }
  return known->second(section);
}

}  // namespace headwater
