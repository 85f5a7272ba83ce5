#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace headwater::test {

/// A message as a consumer of ours sees it.
struct KafkaMessage {
  int partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::optional<std::string> value;  ///< nothing: a tombstone
  std::map<std::string, std::string> headers;
};

/// Reads a topic from its beginning to its end, ordered by partition and offset. Failures end the
/// program.
std::vector<KafkaMessage> read_topic(const std::string& brokers,
                                     const std::string& topic,
                                     bool committed = false);

/// One private Apache Kafka node, by scripts/lib/kafka.sh. Costs some seconds, so one per test
/// program.
class KafkaServer {
 public:
  /// Nothing if there are no jars and none can be fetched: says so on stdout, the tests are then
  /// skipped.
  static std::unique_ptr<KafkaServer> start();
  ~KafkaServer();
  KafkaServer(const KafkaServer&) = delete;
  KafkaServer& operator=(const KafkaServer&) = delete;

  const std::string& brokers() const { return brokers_; }
  void kill();     ///< SIGKILL
  void stop();     ///< SIGTERM
  void restart();  ///< on the same port, with its data

  /// A setting of a topic as the broker tells it, empty if unknown.
  std::string topic_setting(const std::string& topic, const std::string& name) const;
  void create_topic(const std::string& topic,
                    int partitions,
                    const std::map<std::string, std::string>& settings = {});
  void delete_topic(const std::string& topic);

 private:
  KafkaServer() = default;
  std::filesystem::path folder_;
  std::string brokers_;
};

/// librdkafka's mock cluster in this process: no isolation, no topic creation, few MiB per
/// partition.
class MockKafka {
 public:
  explicit MockKafka(const std::map<std::string, int>& topics = {});
  ~MockKafka();
  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

  const std::string& brokers() const { return brokers_; }
  void create_topic(const std::string& topic, int partitions);
  /// The next `count` produce requests are answered with this error code.
  void fail_produce(int code, int count);
  void down();
  void up();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string brokers_;
};

}  // namespace headwater::test
