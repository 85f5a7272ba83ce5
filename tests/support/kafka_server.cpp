#include "tests/support/kafka_server.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace headwater::test {
namespace {

constexpr int kTimeoutMs = 20'000;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "kafka_server: %s\n", what.c_str());
  std::abort();
}

rd_kafka_t* make_client(rd_kafka_type_t type, const std::map<std::string, std::string>& settings) {
  char why[256] = "";
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  for (const auto& [key, value] : settings) {
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK)
      give_up(why);
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
  if (client == nullptr) give_up(why);
  return client;
}

/// Runs scripts/lib/kafka.sh; its exit code, and the first line it printed.
int run_script(const std::string& arguments, std::string& line) {
  const std::string command = "KAFKA_OWNER=" + std::to_string(::getpid()) +
                              " " HEADWATER_SOURCE_DIR "/scripts/lib/kafka.sh " + arguments;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) give_up("cannot run " + command);
  std::array<char, 256> text{};
  if (std::fgets(text.data(), static_cast<int>(text.size()), pipe) != nullptr) line = text.data();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  const int status = ::pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

KafkaMessage copy_of(const rd_kafka_message_t& message) {
  KafkaMessage out;
  out.partition = message.partition;
  out.offset = message.offset;
  out.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.payload != nullptr)
    out.value.emplace(static_cast<const char*>(message.payload), message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
      out.headers[name].assign(static_cast<const char*>(value), size);
    }
  }
  return out;
}

/// Waits for the one event of an admin call.
rd_kafka_event_t* answer(rd_kafka_queue_t* queue) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
  if (event == nullptr || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    give_up(event == nullptr ? "no answer" : rd_kafka_event_error_string(event));
  }
  return event;
}

}  // namespace

std::vector<KafkaMessage> read_topic(const std::string& brokers,
                                     const std::string& topic,
                                     bool committed) {
  rd_kafka_t* client =
      make_client(RD_KAFKA_CONSUMER,
                  {{"bootstrap.servers", brokers},
                   {"group.id", "reader"},
                   {"enable.auto.commit", "false"},
                   {"enable.partition.eof", "true"},
                   {"fetch.wait.max.ms", "20"},
                   {"isolation.level", committed ? "read_committed" : "read_uncommitted"}});
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client, 0, handle, &metadata, kTimeoutMs) != 0)
    give_up("no metadata of " + topic);
  const int count = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);

  auto* list = rd_kafka_topic_partition_list_new(count);
  for (int partition = 0; partition < count; ++partition) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  std::vector<KafkaMessage> out;
  // A topic may be long: it is given up once nothing of it comes any more.
  const auto deadline = [] {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(kTimeoutMs);
  };
  auto until = deadline();
  for (int ended = 0; ended < count;) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 1'000);
    if (message == nullptr) {
      if (std::chrono::steady_clock::now() > until) give_up("no more of " + topic + " comes");
      continue;
    }
    until = deadline();
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) out.push_back(copy_of(*message));
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ++ended;
    rd_kafka_message_destroy(message);
  }
  std::stable_sort(out.begin(), out.end(), [](const KafkaMessage& a, const KafkaMessage& b) {
    return a.partition < b.partition;
  });
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return out;
}

// ---- a real node

std::unique_ptr<KafkaServer> KafkaServer::start() {
  std::unique_ptr<KafkaServer> server{new KafkaServer};
  std::string pattern = std::filesystem::temp_directory_path() / "headwater-kafka-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) give_up("no temporary folder");
  server->folder_ = pattern;
  const int code = run_script("start " + server->folder_.string(), server->brokers_);
  if (code == 3) {
    std::printf("kafka: no broker, the claims of this program are not tested\n");
    return nullptr;
  }
  if (code != 0) give_up("the node did not start");
  return server;
}

KafkaServer::~KafkaServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void KafkaServer::kill() {
  std::string line;
  run_script("kill " + folder_.string(), line);
}

void KafkaServer::stop() {
  std::string line;
  run_script("stop " + folder_.string(), line);
}

void KafkaServer::restart() {
  std::string line;
  if (run_script("start " + folder_.string(), line) != 0 || line != brokers_)
    give_up("the node did not restart");
}

std::string KafkaServer::topic_setting(const std::string& topic, const std::string& name) const {
  rd_kafka_t* client = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers_}});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  auto* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  rd_kafka_DescribeConfigs(client, &resource, 1, nullptr, queue);
  rd_kafka_ConfigResource_destroy(resource);
  rd_kafka_event_t* event = answer(queue);
  std::size_t count = 0, entries = 0;
  std::string out;
  const auto* result = rd_kafka_event_DescribeConfigs_result(event);
  const auto** resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
  if (count == 1) {
    const auto** list = rd_kafka_ConfigResource_configs(resources[0], &entries);
    for (std::size_t i = 0; i < entries; ++i) {
      if (name == rd_kafka_ConfigEntry_name(list[i])) out = rd_kafka_ConfigEntry_value(list[i]);
    }
  }
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
  return out;
}

void KafkaServer::create_topic(const std::string& topic,
                               int partitions,
                               const std::map<std::string, std::string>& settings) {
  rd_kafka_t* client = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers_}});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  auto* wanted = rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, nullptr, 0);
  for (const auto& [key, value] : settings)
    rd_kafka_NewTopic_set_config(wanted, key.c_str(), value.c_str());
  rd_kafka_CreateTopics(client, &wanted, 1, nullptr, queue);
  rd_kafka_event_destroy(answer(queue));
  rd_kafka_NewTopic_destroy(wanted);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
}

void KafkaServer::delete_topic(const std::string& topic) {
  rd_kafka_t* client = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers_}});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  auto* unwanted = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_DeleteTopics(client, &unwanted, 1, nullptr, queue);
  rd_kafka_event_destroy(answer(queue));
  rd_kafka_DeleteTopic_destroy(unwanted);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
}

// ---- the mock

struct MockKafka::Impl {
  rd_kafka_t* handle = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;
};

MockKafka::MockKafka(const std::map<std::string, int>& topics) : impl_(std::make_unique<Impl>()) {
  impl_->handle = make_client(RD_KAFKA_PRODUCER, {});
  impl_->cluster = rd_kafka_mock_cluster_new(impl_->handle, 1);
  brokers_ = rd_kafka_mock_cluster_bootstraps(impl_->cluster);
  for (const auto& [topic, partitions] : topics) create_topic(topic, partitions);
}

MockKafka::~MockKafka() {
  rd_kafka_mock_cluster_destroy(impl_->cluster);
  rd_kafka_destroy(impl_->handle);
}

void MockKafka::create_topic(const std::string& topic, int partitions) {
  if (rd_kafka_mock_topic_create(impl_->cluster, topic.c_str(), partitions, 1) != 0)
    give_up("no topic " + topic);
}

void MockKafka::fail_produce(int code, int count) {
  constexpr std::int16_t kProduce = 0;  // the protocol's number of Produce
  std::vector<rd_kafka_resp_err_t> errors(static_cast<std::size_t>(count),
                                          static_cast<rd_kafka_resp_err_t>(code));
  rd_kafka_mock_push_request_errors_array(impl_->cluster, kProduce, errors.size(), errors.data());
}

void MockKafka::down() { rd_kafka_mock_broker_set_down(impl_->cluster, 1); }
void MockKafka::up() { rd_kafka_mock_broker_set_up(impl_->cluster, 1); }

}  // namespace headwater::test
