#include "connectors/kafka/client.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "connectors/kafka/errors.hpp"

namespace headwater::kafka {
namespace {

using ListPtr = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                decltype(&rd_kafka_topic_partition_list_destroy)>;
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

int in_ms(Millis timeout) { return static_cast<int>(std::max<std::int64_t>(timeout.count(), 1)); }

/// Ours gave up, or the broker did: what was asked for may still happen.
bool is_timeout(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
         code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
}

/// What we set before the operator's properties (they may be overridden) and after them (they may
/// not).
using Settings = std::vector<std::pair<std::string, std::string>>;

Settings defaults(Client::Role role) {
  Settings out{{"client.id", "headwater"},
               {"socket.nagle.disable", "true"},
               {"reconnect.backoff.ms", "50"},
               {"reconnect.backoff.max.ms", "2000"},
               {"topic.metadata.refresh.fast.interval.ms", "50"},
               {"log.connection.close", "false"}};
  if (role == Client::Role::Reader || role == Client::Role::CommittedReader) {
    out.emplace_back("fetch.wait.max.ms", "20");  // how long the end of a partition takes to show
    out.emplace_back("fetch.error.backoff.ms", "50");
    // What lies unread, beside what one answer brings: of each partition at most so much,
    // compressed.
    out.emplace_back("queued.max.messages.kbytes", "2048");
    out.emplace_back("fetch.message.max.bytes", "262144");
  } else {
    out.emplace_back("compression.type", "lz4");
    out.emplace_back("linger.ms", "5");  // flush() ends it, so a lone change does not wait
    out.emplace_back("queue.buffering.max.kbytes", "131072");
    // Values are compressed from where they stand; only small ones are worth a copy before.
    out.emplace_back("message.copy.max.bytes", "512");
  }
  return out;
}

Settings promises(const KafkaConfig& config, const Client::Options& options) {
  Settings out{{"bootstrap.servers", config.brokers}};
  switch (options.role) {
    case Client::Role::Reader:
    case Client::Role::CommittedReader:
      out.emplace_back(
          "isolation.level",
          options.role == Client::Role::Reader ? "read_uncommitted" : "read_committed");
      out.emplace_back("enable.partition.eof", "true");
      // A range that retention has begun to eat is read from where it now begins.
      out.emplace_back("auto.offset.reset", "earliest");
      out.emplace_back("check.crcs", "true");
      out.emplace_back("receive.message.max.bytes", fmt::format("{}", answer_bytes_max(config)));
      return out;
    case Client::Role::Producer:
      out.emplace_back("enable.gapless.guarantee", "true");
      out.emplace_back("message.timeout.ms", "0");  // no expiry: the write's deadline decides
      break;
    case Client::Role::Transactional:
      out.emplace_back("transactional.id", options.transactional_id);
      out.emplace_back("transaction.timeout.ms",
                       "10000");  // readers wait at an open one after a crash
      break;
  }
  // The sink shortens what is longer; what cannot be shortened is refused before it is sent.
  out.emplace_back("message.max.bytes", fmt::format("{}", config.message_bytes_max));
  out.emplace_back("enable.idempotence", "true");
  out.emplace_back("acks", "all");
  out.emplace_back("max.in.flight.requests.per.connection", "5");
  out.emplace_back("partitioner",
                   "murmur2_random");  // as Java producers do; librdkafka's own is CRC32
  out.emplace_back("queue.buffering.max.messages", "1000000");
  return out;
}

/// The file's text without its trailing newline.
Result<std::string> read_password(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return blocked(fmt::format("kafka: read sasl_password_file {}: cannot be opened", path));
  }
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

Result<void> apply(rd_kafka_conf_t* conf, const std::string& key, const std::string& value) {
  char why[256] = "";
  if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK) {
    return {};
  }
  return blocked(fmt::format("kafka: librdkafka refuses {}: {}", key, why));
}

Result<void> configure(rd_kafka_conf_t* conf,
                       const KafkaConfig& config,
                       const Client::Options& options) {
  for (const auto& [key, value] : defaults(options.role)) {
    if (auto done = apply(conf, key, value); !done) return done;
  }
  for (const auto& [key, value] : config.properties) {
    if (auto done = apply(conf, key, value); !done) return done;
  }
  if (!config.sasl_password_file.empty()) {
    auto password = read_password(config.sasl_password_file);
    if (!password) return std::move(password).error();
    if (auto done = apply(conf, "sasl.password", *password); !done) return done;
  }
  for (const auto& [key, value] : promises(config, options)) {
    if (auto done = apply(conf, key, value); !done) return done;
  }
  return {};
}

/// librdkafka's log is silenced: what matters comes by the error callback and by return codes, and
/// it may name hosts at any rate while a broker is down.
void no_log(const rd_kafka_t*, int, const char*, const char*) {}

}  // namespace

Result<std::unique_ptr<Client>> Client::create(const KafkaConfig& config, const Options& options) {
  std::unique_ptr<Client> client{new Client};
  client->owner_ = options.owner;
  client->on_delivery_ = options.on_delivery;
  ConfPtr conf{rd_kafka_conf_new(), &rd_kafka_conf_destroy};
  if (auto done = configure(conf.get(), config, options); !done) return std::move(done).error();

  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_log_cb(conf.get(), &no_log);
  rd_kafka_conf_set_error_cb(conf.get(), &Client::on_error);
  const bool reads = options.role == Role::Reader || options.role == Role::CommittedReader;
  if (!reads) {
    rd_kafka_conf_set_dr_msg_cb(
        conf.get(), [](rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque) {
          const auto* self = static_cast<Client*>(opaque);
          self->on_delivery_(handle, message, self->owner_);
        });
  }
  char why[512] = "";
  client->handle_ =
      rd_kafka_new(reads ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf.get(), why, sizeof why);
  if (client->handle_ == nullptr) {
    return blocked(fmt::format("kafka: librdkafka refuses the configuration: {}", why));
  }
  conf.release();  // rd_kafka_new has taken it
  return client;
}

Client::~Client() {
  if (handle_ != nullptr) rd_kafka_destroy(handle_);
}

void Client::on_error(rd_kafka_s*, int code, const char* reason, void* opaque) {
  auto* self = static_cast<Client*>(opaque);
  // _ALL_BROKERS_DOWN follows every reason and says less.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && self->told_code_ != 0) return;
  self->told_code_ = code;
  self->told_ = reason;
}

Error Client::error(int code, std::string_view doing, std::string_view detail) {
  rd_kafka_poll(handle_, 0);
  const bool waited =
      code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
      code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
  if (waited && told_code_ != 0) return error_of(told_code_, doing, told_);
  return error_of(code, doing, detail);
}

Result<PartitionCounts> Client::list_topics(Millis timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto err = rd_kafka_metadata(handle_, 1, nullptr, &metadata, in_ms(timeout));
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return error(err, "list topics");
  PartitionCounts out;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0) {
      out[topic.topic] = topic.partition_cnt;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return out;
}

Creation Client::create_topics(std::span<const TopicSpec> topics, Millis timeout) {
  std::vector<rd_kafka_NewTopic_t*> wanted;
  Creation out;
  for (const TopicSpec& topic : topics) {
    char why[256] = "";
    auto* one = rd_kafka_NewTopic_new(topic.name.c_str(),
                                      topic.partitions,
                                      topic.replication > 0 ? topic.replication : -1,
                                      why,
                                      sizeof why);
    if (one == nullptr) {
      out.refused.push_back(fmt::format("{}: {}", topic.name, why));
      continue;
    }
    for (const auto& [key, value] : topic.settings) {
      rd_kafka_NewTopic_set_config(one, key.c_str(), value.c_str());
    }
    wanted.push_back(one);
  }
  char why[256] = "";
  auto* options = rd_kafka_AdminOptions_new(handle_, RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_AdminOptions_set_request_timeout(options, in_ms(timeout), why, sizeof why);
  rd_kafka_AdminOptions_set_operation_timeout(options, in_ms(timeout), why, sizeof why);
  auto* queue = rd_kafka_queue_new(handle_);
  rd_kafka_CreateTopics(handle_, wanted.data(), wanted.size(), options, queue);
  // The request has its own timeout; this one only guards against a lost event.
  auto* event = rd_kafka_queue_poll(queue, in_ms(timeout) + 1'000);
  const auto* result = event == nullptr ? nullptr : rd_kafka_event_CreateTopics_result(event);
  if (result == nullptr || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    out.answered = event != nullptr && !is_timeout(rd_kafka_event_error(event));
    const char* what = event == nullptr ? "no answer" : rd_kafka_event_error_string(event);
    for (const TopicSpec& topic : topics)
      out.refused.push_back(fmt::format("{}: {}", topic.name, what));
  } else {
    std::size_t count = 0;
    const auto** results = rd_kafka_CreateTopics_result_topics(result, &count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto err = rd_kafka_topic_result_error(results[i]);
      if (err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        out.existing.emplace(rd_kafka_topic_result_name(results[i]));
        continue;
      }
      if (is_timeout(err)) out.answered = false;
      if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
          err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
        out.forbidden.emplace(rd_kafka_topic_result_name(results[i]));
      const char* text = rd_kafka_topic_result_error_string(results[i]);
      out.refused.push_back(fmt::format("{}: {}",
                                        rd_kafka_topic_result_name(results[i]),
                                        text != nullptr ? text : rd_kafka_err2str(err)));
    }
  }
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
  return out;
}

Result<std::map<std::string, std::uint64_t>> Client::message_bytes_max(
    std::span<const std::string> topics, Millis timeout) {
  constexpr std::string_view kSetting = "max.message.bytes";
  std::vector<rd_kafka_ConfigResource_t*> wanted;
  for (const std::string& topic : topics)
    wanted.push_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  char why[256] = "";
  auto* options = rd_kafka_AdminOptions_new(handle_, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  rd_kafka_AdminOptions_set_request_timeout(options, in_ms(timeout), why, sizeof why);
  auto* queue = rd_kafka_queue_new(handle_);
  rd_kafka_DescribeConfigs(handle_, wanted.data(), wanted.size(), options, queue);
  // The request has its own timeout; this one only guards against a lost event.
  auto* event = rd_kafka_queue_poll(queue, in_ms(timeout) + 1'000);
  const auto* result = event == nullptr ? nullptr : rd_kafka_event_DescribeConfigs_result(event);
  const auto err = event == nullptr ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
  std::map<std::string, std::uint64_t> out;
  std::size_t count = 0;
  const auto** resources =
      result == nullptr ? nullptr : rd_kafka_DescribeConfigs_result_resources(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t entries = 0;
    const auto** entry = rd_kafka_ConfigResource_configs(resources[i], &entries);
    for (std::size_t k = 0; k < entries; ++k) {
      const char* value = rd_kafka_ConfigEntry_value(entry[k]);
      if (value == nullptr || rd_kafka_ConfigEntry_name(entry[k]) != kSetting) continue;
      out[rd_kafka_ConfigResource_name(resources[i])] = std::strtoull(value, nullptr, 10);
    }
  }
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_ConfigResource_destroy_array(wanted.data(), wanted.size());
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR || classify(err) != ErrorKind::Transient) return out;
  return error(err, fmt::format("ask for {} of our topics", kSetting));
}

Result<TopicEnds> Client::offsets(const PartitionCounts& topics, Edge edge, Millis timeout) {
  // A topic just made shows in the metadata before its leaders serve it.
  const auto until = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    int failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    auto out = ask_offsets(topics, edge, timeout, failed);
    const bool settling = failed == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
                          failed == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                          failed == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (out.ok() || !settling || std::chrono::steady_clock::now() > until) return out;
    std::this_thread::sleep_for(Millis(20));
  }
}

Result<bool> Client::is_hidden(const std::string& name, Millis timeout) {
  // By its name: then the broker says why it does not show it.
  const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> topic(
      rd_kafka_topic_new(handle_, name.c_str(), nullptr), &rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto err = rd_kafka_metadata(handle_, 0, topic.get(), &metadata, in_ms(timeout));
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return error(err, "ask for topic " + name);
  bool hidden = false;
  for (int i = 0; i < metadata->topic_cnt; ++i)
    hidden = hidden || metadata->topics[i].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
  rd_kafka_metadata_destroy(metadata);
  return hidden;
}

Result<TopicEnds> Client::ask_offsets(const PartitionCounts& topics,
                                      Edge edge,
                                      Millis timeout,
                                      int& failed) {
  // ListOffsets takes -1 for the end and -2 for the beginning where a time would stand: one request
  // per broker, where rd_kafka_query_watermark_offsets would make two per partition.
  const std::int64_t asked = edge == Edge::End ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
  const ListPtr list{rd_kafka_topic_partition_list_new(16), &rd_kafka_topic_partition_list_destroy};
  TopicEnds out;
  for (const auto& [topic, count] : topics) {
    out[topic].resize(static_cast<std::size_t>(count));
    for (int partition = 0; partition < count; ++partition) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = asked;
    }
  }
  if (list->cnt == 0) return out;
  failed = rd_kafka_offsets_for_times(handle_, list.get(), in_ms(timeout));
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return error(failed, "ask for the ends of our topics");
  for (int i = 0; i < list->cnt; ++i) {
    const auto& element = list->elems[i];
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      failed = element.err;
      return error(failed,
                   fmt::format("ask for the end of {}[{}]", element.topic, element.partition));
    }
    out[element.topic][static_cast<std::size_t>(element.partition)] =
        std::max<std::int64_t>(element.offset, 0);
  }
  return out;
}

}  // namespace headwater::kafka
