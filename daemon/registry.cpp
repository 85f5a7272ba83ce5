#include "daemon/registry.hpp"

#include <map>

#include "connectors/kafka/sink.hpp"
#include "connectors/postgres/sink.hpp"
#include "connectors/redis/sink.hpp"

namespace headwater {
namespace {

MakeSink postgres_sink(config::Node& section) {
  auto config = postgres::PostgresConfig::parse(section);
  return [config](const SinkContext& context) -> std::unique_ptr<Sink> {
    return std::make_unique<postgres::PostgresSink>(
        config, context.holder, context.name, postgres::plan_tables(*context.mapping));
  };
}

MakeSink redis_sink(config::Node& section) {
  auto config = redis::RedisConfig::parse(section);
  return [config](const SinkContext& context) -> std::unique_ptr<Sink> {
    return std::make_unique<redis::RedisSink>(config, context.holder);
  };
}

MakeSink kafka_sink(config::Node& section) {
  auto config = kafka::KafkaConfig::parse(section);
  return [config](const SinkContext& context) -> std::unique_ptr<Sink> {
    kafka::KafkaSinkOptions options;
    options.name = context.name;
    options.version = context.version;
    for (const auto& entity : context.mapping->entities())
      options.entities.push_back(entity.entity);
    options.org_id = context.org_id;
    return std::make_unique<kafka::KafkaSink>(
        config, context.holder, std::move(options), *context.clock);
  };
}

}  // namespace

MakeSink parse_sink(const std::string& name, config::Node& section) {
  static const std::map<std::string, MakeSink (*)(config::Node&)> kTypes{
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
