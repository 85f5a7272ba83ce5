// headwater-mock-kafka: librdkafka's mock cluster as a program of its own, for the demo and for
// client tests.
//
// It keeps at most 5 MiB or 100,000 messages per partition, has no transaction isolation and serves
// no topic creation: topics are made here, by flag, or by lines on stdin (`name` or
// `name:partitions`). Prints {"bootstrap":"127.0.0.1:PORT,…"} on one line when ready; ends at
// SIGTERM, SIGINT, or, with
// --until-eof, when stdin closes.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

volatile sig_atomic_t stopped = 0;

void on_signal(int) { stopped = 1; }

/// `name` or `name:partitions`. Entities of custom objects stand in topics with a dot, so a colon
/// is free.
bool create_topic(rd_kafka_mock_cluster_t* cluster, const std::string& word, int partitions) {
  std::string name = word;
  if (const auto colon = word.rfind(':'); colon != std::string::npos) {
    name = word.substr(0, colon);
    partitions = std::atoi(word.c_str() + colon + 1);
  }
  if (name.empty() || partitions < 1) {
    std::fprintf(stderr, "headwater-mock-kafka: not a topic: %s\n", word.c_str());
    return false;
  }
  // The mock's thread drains its wake-up pipe after serving a request: one sent meanwhile waits a
  // whole second for its poll to time out. So it gets a moment between requests.
  poll(nullptr, 0, 3);
  const auto err = rd_kafka_mock_topic_create(cluster, name.c_str(), partitions, 1);
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    return true;
  std::fprintf(
      stderr, "headwater-mock-kafka: create %s: %s\n", name.c_str(), rd_kafka_err2str(err));
  return false;
}

/// Takes topics from stdin until a signal; what remains after its end depends on `until_eof`.
void serve(rd_kafka_mock_cluster_t* cluster, int partitions, bool until_eof) {
  std::string pending;
  bool open = true;
  while (stopped == 0) {
    pollfd input{open ? STDIN_FILENO : -1, POLLIN, 0};
    if (poll(&input, 1, 1'000) <= 0) continue;
    char bytes[4096];
    const ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
    if (size <= 0) {
      if (until_eof) return;
      open = false;
      continue;
    }
    pending.append(bytes, static_cast<std::size_t>(size));
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      if (end > 0) create_topic(cluster, pending.substr(0, end), partitions);
      pending.erase(0, end + 1);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A mock Kafka cluster on loopback, in memory"};
  int brokers = 1, partitions = 6;
  bool until_eof = false;
  std::vector<std::string> topics, entities;
  std::string prefix = "crm.";
  app.add_option("--brokers", brokers, "number of brokers")->check(CLI::Range(1, 9));
  app.add_option("--partitions", partitions, "of topics that do not say")
      ->check(CLI::Range(1, 1000));
  app.add_option("--topic", topics, "NAME or NAME:PARTITIONS; may be given often");
  app.add_option("--entity", entities, "makes this entity's topics, and cursors and quarantine");
  app.add_option("--prefix", prefix, "of the topics that --entity makes");
  app.add_flag("--until-eof", until_eof, "end when stdin closes");
  CLI11_PARSE(app, argc, argv);

  struct sigaction action {};
  action.sa_handler = on_signal;  // without SA_RESTART: poll() returns
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  if (!entities.empty()) topics.push_back(prefix + "cursors:1");
  if (!entities.empty()) topics.push_back(prefix + "quarantine");
  for (std::string& entity : entities) {
    std::replace(entity.begin(), entity.end(), ':', '.');  // custom:X__c
    topics.push_back(prefix + "changes." + entity);
    topics.push_back(prefix + "records." + entity);
  }

  char why[512] = "";
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(
      conf, "log_level", "3", why, sizeof why);  // it would warn that it has no brokers
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (handle == nullptr) {
    std::fprintf(stderr, "headwater-mock-kafka: %s\n", why);
    return 1;
  }
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(handle, brokers);
  bool good = true;
  for (const auto& topic : topics) good = create_topic(cluster, topic, partitions) && good;
  if (good) {
    std::printf("{\"bootstrap\":\"%s\"}\n", rd_kafka_mock_cluster_bootstraps(cluster));
    std::fflush(stdout);
    serve(cluster, partitions, until_eof);
  }
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(handle);
  return good ? 0 : 1;
}
