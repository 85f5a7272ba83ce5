#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "connectors/sink.hpp"

namespace headwater::test {

/// What a reader of a target sees of one contact.
struct Row {
  std::uint64_t rev = 0;
  std::string name;
  bool deleted = false;

  friend bool operator==(const Row&, const Row&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << (row.deleted ? "deleted " : "") << row.name << "@" << row.rev;
  }
};

/// A real server that a sink writes to, and a reader of it: what the contract needs to know of a
/// kind of sink. A new sink brings one, and one line in all_targets().
class Target {
 public:
  virtual ~Target() = default;

  virtual std::unique_ptr<Sink> sink(const Holder& holder) = 0;

  /// The contact as readers have it, by the rule that the target promises them; nothing if it was
  /// never there.
  virtual std::optional<Row> row(const std::string& id) = 0;
  /// All that readers can see of the contacts, repeats included: equal before and after what must
  /// change nothing.
  virtual std::string state() = 0;

  /// The platform events as readers have them, in order, each as `text@rev `; nothing: the target
  /// keeps none.
  virtual std::optional<std::string> events() { return std::nullopt; }

  virtual void kill() = 0;     ///< as a crash of the server
  virtual void restart() = 0;  ///< with the data it had
  /// The present holder has been silent for longer than the claim's wait.
  virtual void let_claim_lapse() = 0;
};

/// Nothing if the server cannot be had on this machine: the contract is then skipped for it.
using MakeTarget = std::unique_ptr<Target> (*)();

struct TargetKind {
  const char* name;
  MakeTarget make;
};

std::unique_ptr<Target> make_postgres_target();
std::unique_ptr<Target> make_redis_target();
/// librdkafka's mock cluster; Apache Kafka itself if HEADWATER_CONTRACT_KAFKA is `broker`.
std::unique_ptr<Target> make_kafka_target();
/// The models that the simulation writes to: what it shows is worth as much as they are true.
std::unique_ptr<Target> make_simulated_postgres();
std::unique_ptr<Target> make_simulated_redis();
std::unique_ptr<Target> make_simulated_kafka();

inline std::vector<TargetKind> all_targets() {
  return {{"postgres", make_postgres_target},
          {"redis", make_redis_target},
          {"kafka", make_kafka_target},
          {"simulated_postgres", make_simulated_postgres},
          {"simulated_redis", make_simulated_redis},
          {"simulated_kafka", make_simulated_kafka}};
}

}  // namespace headwater::test
