#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/client.hpp"
#include "connectors/kafka/cursor_record.hpp"
#include "connectors/kafka/header_pool.hpp"
#include "connectors/kafka/headers.hpp"
#include "connectors/kafka/reader.hpp"
#include "connectors/kafka/value_store.hpp"

struct rd_kafka_topic_s;
struct rd_kafka_error_s;
struct rd_kafka_vu_s;

namespace headwater::kafka {

using Deadline = std::chrono::steady_clock::time_point;

/// Offsets that no message of ours has taken: per topic and partition one range over all of them.
using Gaps = std::map<std::pair<std::string, std::int32_t>, Range>;
void add_gap(Gaps& gaps, const Range& gap);

/// An idempotent producer, with transactions if it was given a transactional id.
///
/// Used by one thread. Disposable: after any error but Rejected its owner destroys it, because what
/// was still under way may or may not arrive; destroying forgets it at once.
class Producer {
 public:
  /// A topic to produce to. Owned by the producer.
  struct Topic {
    rd_kafka_topic_s* handle = nullptr;
    std::vector<std::int64_t>* ends = nullptr;  ///< per partition, raised by every delivery
    std::vector<std::int64_t>* offsets =
        nullptr;           ///< if set, every delivery's offset is added (-1: unknown)
    Gaps* gaps = nullptr;  ///< if set, what came between two deliveries is added
  };

  /// `ends` is kept current with every delivery and must outlive the producer.
  static Result<std::unique_ptr<Producer>> create(const KafkaConfig& config,
                                                  const std::string& transactional_id,
                                                  TopicEnds& ends);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// REQUIRES: the topic exists, and `ends` has it.
  Topic& topic(const std::string& name);

  /// Hands a message over; key, value and headers are copied. Without a value: a tombstone.
  /// Rejected: larger than message.max.bytes.
  Result<void> produce(Topic& topic,
                       std::string_view key,
                       std::optional<std::string_view> value,
                       const HeaderList& headers,
                       Deadline deadline);
  /// The same for the many: value and headers stand in values() and header_pool() and are taken
  /// back by the delivery report, or by the refusal. Only the key is copied.
  Result<void> produce(Topic& topic,
                       std::string_view key,
                       std::optional<ValueStore::Value> value,
                       HeaderPool::Set& headers,
                       Deadline deadline);
  ValueStore& values() { return values_; }
  HeaderPool& header_pool() { return header_pool_; }
  /// Gives back the memory that only a busy time needs.
  void shrink();
  /// The topic in which a message of ours came to stand before others that were delivered: it was
  /// truncated or made anew meanwhile. Empty: none. It is also the failure that wait() tells.
  const std::string& made_anew() const { return made_anew_; }
  /// Waits for the reports of all that was handed over; the first failure is the error.
  Result<void> wait(Deadline deadline);

  // Transactions. Any error of commit() but Rejected leaves the outcome open: destroy, never commit
  // again.
  Result<void> init_transactions(
      Deadline deadline);  ///< settles a predecessor's, fences it if it lives
  Result<void> begin();
  Result<void> commit(Deadline deadline);
  Result<void> abort(Deadline deadline);

 private:
  explicit Producer(TopicEnds& ends) : ends_(ends) {}
  static void on_delivery(rd_kafka_s* handle,
                          const struct rd_kafka_message_s* message,
                          void* owner);
  void take_back(const struct rd_kafka_message_s& message, HeaderPool::Set& set);
  Result<void> hand_over(const rd_kafka_vu_s* parts,
                         std::size_t count,
                         const Topic& topic,
                         std::string_view key,
                         std::size_t size,
                         Deadline deadline);
  Result<void> settle(rd_kafka_error_s* error, std::string_view doing);

  TopicEnds& ends_;
  // Before client_, which reads them to its end.
  ValueStore values_;
  HeaderPool header_pool_;
  std::unique_ptr<Client> client_;
  std::map<std::string, Topic, std::less<>> topics_;
  std::size_t since_poll_ = 0;
  int failed_ = 0;  // first failed delivery since the last wait(): its code, and where
  std::string failed_topic_, made_anew_;
  bool purged_ = false;
};

}  // namespace headwater::kafka
