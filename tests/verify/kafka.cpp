#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <boost/json.hpp>
#include <functional>
#include <memory>

#include "tests/verify/targets.hpp"

namespace headwater::verify {
namespace {

namespace json = boost::json;
constexpr int kTimeoutMs = 15'000;
constexpr std::size_t kFaultsShown = 10;

struct Message {
  std::string_view topic, key, value;
  bool tombstone = false;
  std::int32_t partition = 0;
};

/// Reads all partitions of the topics whose name begins with `prefix`, each from its beginning to
/// its end.
Result<void> read_topics(const std::string& brokers,
                         const std::string& prefix,
                         const std::function<void(const Message&)>& each) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), error, sizeof error);
  rd_kafka_conf_set(conf, "group.id", "headwater-verify", error, sizeof error);
  rd_kafka_conf_set(conf, "enable.auto.commit", "false", error, sizeof error);
  rd_kafka_conf_set(conf, "enable.partition.eof", "true", error, sizeof error);
  rd_kafka_conf_set(conf, "isolation.level", "read_committed", error, sizeof error);
  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> consumer(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error), rd_kafka_destroy);
  if (!consumer) return transient(fmt::format("kafka: {}", error));
  rd_kafka_poll_set_consumer(consumer.get());
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(consumer.get(), 1, nullptr, &metadata, kTimeoutMs) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return transient("kafka: no metadata from " + brokers);
  }
  auto* partitions = rd_kafka_topic_partition_list_new(16);
  for (int t = 0; t < metadata->topic_cnt; ++t) {
    if (!std::string_view(metadata->topics[t].topic).starts_with(prefix)) continue;
    for (int p = 0; p < metadata->topics[t].partition_cnt; ++p) {
      rd_kafka_topic_partition_list_add(partitions, metadata->topics[t].topic, p)->offset =
          RD_KAFKA_OFFSET_BEGINNING;
    }
  }
  int open = partitions->cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_assign(consumer.get(), partitions);
  rd_kafka_topic_partition_list_destroy(partitions);
  while (open > 0) {
    std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> m(
        rd_kafka_consumer_poll(consumer.get(), kTimeoutMs), rd_kafka_message_destroy);
    if (!m)
      return transient(
          fmt::format("kafka: {} partitions of {}* gave nothing more and no end", open, prefix));
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      --open;
      continue;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;  // librdkafka tries again by itself
    each({rd_kafka_topic_name(m->rkt),
          {static_cast<const char*>(m->key), m->key_len},
          {static_cast<const char*>(m->payload), m->len},
          m->payload == nullptr,
          m->partition});
  }
  rd_kafka_consumer_close(consumer.get());
  return {};
}

/// The number after the last `"rev":` at the top level of an envelope: it follows everything
/// nested.
std::uint64_t rev_of(std::string_view envelope) {
  const auto at = envelope.rfind(",\"rev\":");
  return at == std::string_view::npos ? 0 : std::strtoull(envelope.data() + at + 7, nullptr, 10);
}

/// meta.rev of the envelope's `before`, 0 if that is null.
std::uint64_t before_rev(const json::value& envelope) {
  const auto& before = envelope.at("before");
  return before.is_null() ? 0 : before.at("meta").at("rev").to_number<std::uint64_t>();
}

}  // namespace

Result<Documents> read_kafka_records(const std::string& brokers,
                                     const std::string& topic_prefix,
                                     std::map<std::string, std::string>* raw) {
  Documents out;
  auto read = read_topics(brokers, topic_prefix + "records.", [&](const Message& message) {
    const std::string key(message.key);
    if (message.tombstone) {
      out.erase(key);
      return;
    }
    out[key] = sections_of(message.value);
    if (raw != nullptr) (*raw)[key] = message.value;
  });
  if (!read) return read.error();
  return out;
}

Result<ChangeHistory> read_kafka_changes(const std::string& brokers,
                                         const std::string& topic_prefix) {
  ChangeHistory history;
  std::map<std::string, std::uint64_t> last_of_partition;  // topic/partition/org -> rev
  std::map<std::string, std::uint64_t> last_of_key;
  const auto fault = [&](std::string what) {
    if (history.faults.size() < kFaultsShown) history.faults.push_back(std::move(what));
  };
  auto read = read_topics(brokers, topic_prefix + "changes.", [&](const Message& message) {
    ++history.messages;
    const std::string key(message.key);
    const std::uint64_t rev = rev_of(message.value);
    std::uint64_t& seen = last_of_partition[fmt::format(
        "{}/{}/{}", message.topic, message.partition, key.substr(0, key.find(':')))];
    if (rev <= seen) {
      ++history.late_repeats;
      return;
    }
    seen = rev;
    ++history.accepted;
    boost::system::error_code broken;
    const auto envelope = json::parse({message.value.data(), message.value.size()}, broken);
    if (broken) {
      fault(fmt::format("{} rev {}: not JSON", key, rev));
      return;
    }
    std::uint64_t& last = last_of_key[key];
    const std::uint64_t before = before_rev(envelope);
    const bool restart =
        envelope.at("op").as_string() == "r" || envelope.at("op").as_string() == "c";
    if (!restart && before != last) {
      fault(fmt::format(
          "{} rev {}: follows rev {}, but the last change seen is rev {}", key, rev, before, last));
    }
    last = rev;
    history.last_message[key] = message.value;
  });
  if (!read) return read.error();
  return history;
}

}  // namespace headwater::verify
