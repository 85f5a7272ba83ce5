#include <cstdlib>
#include <map>

#include "connectors/kafka/sink.hpp"
#include "tests/contract/target.hpp"
#include "tests/contract/text.hpp"
#include "tests/support/kafka_server.hpp"

namespace headwater::test {
namespace {

/// The system's clock, moved forward by hand.
class ShiftedClock final : public Clock {
 public:
  std::int64_t now_us() const override { return system_.now_us() + shift_ms_ * 1000; }
  std::int64_t monotonic_ms() const override { return system_.monotonic_ms() + shift_ms_; }
  void advance(Millis by) { shift_ms_ += by.count(); }

 private:
  SystemClock system_;
  std::int64_t shift_ms_ = 0;
};

/// Readers of Kafka follow one rule: upsert by key, the greater rev wins (unified-model.md section
/// 15).
class KafkaTarget : public Target {
 public:
  std::unique_ptr<Sink> sink(const Holder& holder) override {
    kafka::KafkaConfig config;
    config.brokers = brokers();
    config.topic_prefix = prefix_;
    config.timeout = timeout_;
    kafka::KafkaSinkOptions options;
    options.version = "0.0.0";
    options.entities = {"contact"};
    options.org_id = [](std::string_view) { return std::string("00D5f000000AbCdEAK"); };
    return std::make_unique<kafka::KafkaSink>(config, holder, options, clock_);
  }
  std::optional<Row> row(const std::string& id) override {
    std::optional<Row> out;
    for (const auto& message : read_topic(brokers(), prefix_ + "records.contact")) {
      const auto rev = std::stoull(message.headers.at("rev"));
      if (message.key != "emea:Contact:" + id || (out && rev < out->rev)) continue;
      out = Row{rev, message.value ? name_in(*message.value) : "", !message.value};
    }
    return out;
  }
  std::string state() override {
    std::string out;
    for (const auto* topic : {"changes.contact", "records.contact"}) {
      for (const auto& message : read_topic(brokers(), prefix_ + topic)) {
        out += message.key + "@" + message.headers.at("rev") + " ";
      }
    }
    return out;
  }
  std::optional<std::string> events() override {
    std::string out;
    int partition = -1;
    for (const auto& message : read_topic(brokers(), prefix_ + "events.Order_Event__e")) {
      if (partition != -1 && partition != message.partition) out += "(another partition) ";
      partition = message.partition;
      out += text_in(*message.value) + "@" + message.headers.at("rev") + " ";
    }
    return out;
  }
  void let_claim_lapse() override { clock_.advance(std::chrono::hours(1)); }

 protected:
  virtual const std::string& brokers() const = 0;

  std::string prefix_ = "crm.";
  Millis timeout_{20'000};

 private:
  ShiftedClock clock_;
};

class MockTarget final : public KafkaTarget {
 public:
  MockTarget() { timeout_ = Millis(3'000); }
  void kill() override { broker_.down(); }
  void restart() override { broker_.up(); }

 private:
  const std::string& brokers() const override { return broker_.brokers(); }

  MockKafka broker_{{{"crm.cursors", 1},
                     {"crm.quarantine", 1},
                     {"crm.events.Order_Event__e", 3},
                     {"crm.changes.contact", 3},
                     {"crm.records.contact", 3}}};
};

/// One broker for the whole program; a prefix of its own for each case.
class BrokerTarget final : public KafkaTarget {
 public:
  explicit BrokerTarget(KafkaServer& server) : server_(server) {
    static int next = 0;
    prefix_ = "c" + std::to_string(next++) + ".";
    timeout_ = Millis(8'000);
  }
  void kill() override { server_.kill(); }
  void restart() override { server_.restart(); }

 private:
  const std::string& brokers() const override { return server_.brokers(); }
  KafkaServer& server_;
};

}  // namespace

std::unique_ptr<Target> make_kafka_target() {
  const char* wanted = std::getenv("HEADWATER_CONTRACT_KAFKA");
  if (wanted == nullptr || std::string_view(wanted) != "broker")
    return std::make_unique<MockTarget>();
  static const std::unique_ptr<KafkaServer> server = KafkaServer::start();
  if (!server) return nullptr;
  return std::make_unique<BrokerTarget>(*server);
}

}  // namespace headwater::test
