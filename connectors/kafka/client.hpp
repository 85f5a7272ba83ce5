#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/config.hpp"
#include "connectors/kafka/cursor_record.hpp"
#include "connectors/kafka/topics.hpp"
#include "schemas/core/result.hpp"

// librdkafka's own types; its header is included by our .cpp files only.
struct rd_kafka_s;
struct rd_kafka_message_s;

namespace headwater::kafka {

/// Existing topics and how many partitions each has.
using PartitionCounts = std::map<std::string, int, std::less<>>;

/// One librdkafka handle: settings, what it last complained of, and the calls that both readers and
/// producers need. Disposable: after an error of unknown effect it is destroyed and another one
/// made.
///
/// Used by one thread.
class Client {
 public:
  enum class Role {
    Reader,           ///< sees every message
    CommittedReader,  ///< sees no open or aborted transaction
    Producer,         ///< idempotent
    Transactional,    ///< with a transactional id
  };
  using DeliveryReport = void (*)(rd_kafka_s*, const rd_kafka_message_s*, void*);
  struct Options {
    Role role = Role::Reader;
    std::string transactional_id;
    DeliveryReport on_delivery = nullptr;
    void* owner = nullptr;  ///< handed to on_delivery
  };

  /// Blocked: a property or the password file is not acceptable.
  static Result<std::unique_ptr<Client>> create(const KafkaConfig& config, const Options& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_s* handle() const { return handle_; }

  Result<PartitionCounts> list_topics(Millis timeout);
  /// True: the topic, which no list shows, is there and we may not see it. Makes none. For readers.
  Result<bool> is_hidden(const std::string& topic, Millis timeout);
  /// Asks the controller to create them; an existing one is fine.
  Creation create_topics(std::span<const TopicSpec> topics, Millis timeout);

  /// `max.message.bytes` of topics, as the broker applies it now. Left out: what it does not tell
  /// us (an older one, or no right to DescribeConfigs).
  Result<std::map<std::string, std::uint64_t>> message_bytes_max(
      std::span<const std::string> topics, Millis timeout);

  enum class Edge { First, End };
  /// The offset of the first message, or after the last one, of every partition.
  Result<TopicEnds> offsets(const PartitionCounts& topics, Edge edge, Millis timeout);

  /// The error of a failed call. A refused login or certificate, which librdkafka tells aside and
  /// goes on trying, explains a timeout better than the timeout itself.
  Error error(int code, std::string_view doing, std::string_view detail = {});

 private:
  Client() = default;
  Result<TopicEnds> ask_offsets(const PartitionCounts& topics,
                                Edge edge,
                                Millis timeout,
                                int& failed);
  static void on_error(rd_kafka_s* handle, int code, const char* reason, void* opaque);

  rd_kafka_s* handle_ = nullptr;
  void* owner_ = nullptr;
  DeliveryReport on_delivery_ = nullptr;
  int told_code_ = 0;
  std::string told_;
};

}  // namespace headwater::kafka
