#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "config/node.hpp"
#include "schemas/core/time.hpp"

namespace headwater::kafka {

/// `sinks.kafka` of the configuration.
struct KafkaConfig {
  std::string brokers;                 ///< bootstrap list, `host:port,host:port`
  std::string topic_prefix = "crm.";   ///< of every topic and of the transactional ids
  bool transactions = false;           ///< consumers must then read committed
  int partitions = 6;                  ///< of topics made from now on; more later would move keys
  int replication = 0;                 ///< of topics made from now on; 0: the broker's default
  std::size_t entries_max = 5'000;     ///< most entries in one write
  std::size_t bytes_max = 8ULL << 20;  ///< most journal bytes in one write
  /// Largest message, key and headers included; a longer one is shortened. Topics must allow it
  /// (`max.message.bytes`, 1 MiB by default).
  std::size_t message_bytes_max = 1'000'000;
  Millis timeout{30'000};     ///< of one open step or one write with all its reports
  Millis claim_wait{30'000};  ///< a cursor that another holder has not touched for so long is free
  std::string sasl_password_file;  ///< path, read again at every open; empty: none
  /// Handed to librdkafka: security, linger.ms, compression.type, … Never those in which our
  /// promise rests.
  std::map<std::string, std::string> properties;

  /// Every property is tried on librdkafka: an unknown one, or a wrong value, is a problem.
  static KafkaConfig parse(config::Node& node);
};

/// Largest answer of a broker that a reader takes: a message that was sent can be read back,
/// however long it is.
std::size_t answer_bytes_max(const KafkaConfig& config);

/// True for the properties that only we set: idempotence, acknowledgements, partitioner,
/// transactions, ….
bool is_reserved(std::string_view property);

}  // namespace headwater::kafka
