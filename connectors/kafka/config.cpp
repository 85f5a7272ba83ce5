#include "connectors/kafka/config.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <memory>

namespace headwater::kafka {
namespace {

constexpr std::array<std::string_view, 24> kReserved{"acks",
                                                     "auto.offset.reset",
                                                     "bootstrap.servers",
                                                     "check.crcs",
                                                     "delivery.timeout.ms",
                                                     "enable.auto.commit",
                                                     "enable.gapless.guarantee",
                                                     "enable.idempotence",
                                                     "enable.partition.eof",
                                                     "group.id",
                                                     "isolation.level",
                                                     "max.in.flight",
                                                     "max.in.flight.requests.per.connection",
                                                     "message.max.bytes",
                                                     "message.send.max.retries",
                                                     "message.timeout.ms",
                                                     "metadata.broker.list",
                                                     "partitioner",
                                                     "queue.buffering.max.messages",
                                                     "receive.message.max.bytes",
                                                     "request.required.acks",
                                                     "retries",
                                                     "transaction.timeout.ms",
                                                     "transactional.id"};

constexpr std::size_t kMessageBytesLeast = std::size_t{16} << 10;
constexpr std::size_t kMessageBytesMost = std::size_t{512} << 20;  // librdkafka's own is 10^9
/// What an answer may bring beside a message that fills it: librdkafka's fetch.max.bytes, 50 MiB,
/// and room for what frames it.
constexpr std::size_t kBesideMessageBytes = std::size_t{64} << 20;
constexpr std::size_t kAnswerBytesLeast = 100'000'000;  // librdkafka's own default

/// Kafka's own rule for topic names, of which ours is the start.
bool topic_letters(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

void read_properties(config::Node& node, KafkaConfig& config) {
  config::Node list = node.child("properties");
  const std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf{
      rd_kafka_conf_new(), &rd_kafka_conf_destroy};
  for (const std::string& key : list.keys()) {
    const std::string value = list.text(key);
    if (key == "message.max.bytes") {
      list.problem(key, "is set by sinks.kafka.message_bytes_max: give the size there");
      continue;
    }
    if (is_reserved(key)) {
      list.problem(key, "is set by Headwater and cannot be changed: exactly-once rests on it");
      continue;
    }
    char why[256] = "";
    if (rd_kafka_conf_set(conf.get(), key.c_str(), value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
      list.problem(key, fmt::format("librdkafka refuses it: {}", why));
      continue;
    }
    config.properties[key] = value;
  }
}

}  // namespace

std::size_t answer_bytes_max(const KafkaConfig& config) {
  return std::max(kAnswerBytesLeast, config.message_bytes_max + kBesideMessageBytes);
}

bool is_reserved(std::string_view property) {
  return std::find(kReserved.begin(), kReserved.end(), property) != kReserved.end();
}

KafkaConfig KafkaConfig::parse(config::Node& node) {
  KafkaConfig config;
  const auto whole =
      [&](std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most) {
        return node.integer(key, fallback, least, most);
      };
  config.brokers = node.text("brokers");
  config.topic_prefix = node.text("topic_prefix", config.topic_prefix);
  if (!topic_letters(config.topic_prefix) || config.topic_prefix.size() > 100) {
    node.problem("topic_prefix", "may hold letters, digits, '.', '_' and '-' only, at most 100");
  }
  config.transactions = node.boolean("transactions", config.transactions);
  config.partitions = static_cast<int>(whole("partitions", config.partitions, 1, 1'000));
  config.replication = static_cast<int>(whole("replication", config.replication, 0, 10));
  config.entries_max = static_cast<std::size_t>(
      whole("entries_max", static_cast<std::int64_t>(config.entries_max), 1, 100'000));
  config.bytes_max = node.bytes("bytes_max", config.bytes_max);
  config.message_bytes_max = node.bytes("message_bytes_max", config.message_bytes_max);
  if (config.message_bytes_max < kMessageBytesLeast ||
      config.message_bytes_max > kMessageBytesMost) {
    node.problem("message_bytes_max", "must be from 16KiB to 512MiB");
  }
  config.timeout = node.duration("timeout", config.timeout);
  if (config.timeout < Millis(100)) node.problem("timeout", "must be at least 100ms");
  config.claim_wait = node.duration("claim_wait", config.claim_wait);
  if (node.has("sasl_password_file")) {
    node.secret_file(
        "sasl_password_file");  // problems are told now; the text is read at every open
    config.sasl_password_file = node.path_of("sasl_password_file");
  }
  read_properties(node, config);
  return config;
}

}  // namespace headwater::kafka
