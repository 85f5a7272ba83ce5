#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/kafka/sink.hpp"
#include "tests/support/entry_maker.hpp"
#include "tests/support/kafka_server.hpp"

namespace headwater::kafka {

/// The system's clock, moved forward by hand.
class ShiftedClock final : public Clock {
 public:
  std::int64_t now_us() const override { return system_.now_us() + shift_ms_ * 1000; }
  std::int64_t monotonic_ms() const override { return system_.monotonic_ms() + shift_ms_; }
  void advance_ms(std::int64_t ms) { shift_ms_ += ms; }

 private:
  SystemClock system_;
  std::int64_t shift_ms_ = 0;
};

/// Together more than a message may hold, and none large enough to be pointed at instead.
inline std::map<std::string, std::string> many_small_fields() {
  std::map<std::string, std::string> out;
  for (int i = 0; i < 2'000; ++i) out["f" + std::to_string(i)] = std::string(1'000, 'x');
  return out;
}

/// What a test of the sink needs: a topic prefix of its own on a shared broker, a clock, entries.
class SinkFixture {
 public:
  SinkFixture(std::string brokers, std::string prefix) {
    config.brokers = std::move(brokers);
    config.topic_prefix = std::move(prefix);
    config.timeout = Millis(20'000);
    options.version = "0.1.0";
    options.entities = {"contact"};
    options.org_id = [](std::string_view) { return std::string("00D5f000000AbCdEAK"); };
  }

  std::unique_ptr<KafkaSink> sink(const std::string& holder = "here",
                                  const std::string& ledger = "L1") {
    return std::make_unique<KafkaSink>(config, Holder{ledger, holder}, options, clock);
  }

  /// Entries of revs [from, to], each of one of `keys` contacts in turn.
  Entries updates(std::uint64_t from, std::uint64_t to, std::size_t keys = 3) {
    maker.clear();
    for (std::uint64_t rev = from; rev <= to; ++rev) {
      maker.add(
          {.id = id(rev % keys), .rev = rev, .fields = {{"name", "N" + std::to_string(rev)}}});
    }
    return maker.entries();
  }
  static std::string id(std::uint64_t number) {
    std::string text = std::to_string(number);
    return "0035f00000" + std::string(8 - text.size(), 'A') + text;
  }

  Result<void> write(KafkaSink& to, Entries entries, const std::string& org = "emea") {
    const CursorMove move{org, entries.back().meta.rev, 1'700'000'000'000};
    return to.write({entries, {&move, 1}, Mode::Follow});
  }
  Result<void> touch(KafkaSink& to, std::uint64_t rev, const std::string& org = "emea") {
    const CursorMove move{org, Rev(rev), 1'700'000'000'000};
    return to.write({{}, {&move, 1}, Mode::Follow});
  }

  std::vector<test::KafkaMessage> read(const std::string& topic, bool committed = false) const {
    return test::read_topic(config.brokers, config.topic_prefix + topic, committed);
  }
  /// The revs on a topic, sorted.
  std::vector<std::uint64_t> revs(const std::string& topic, bool committed = false) const {
    std::vector<std::uint64_t> out;
    for (const auto& message : read(topic, committed))
      out.push_back(std::stoull(message.headers.at("rev")));
    std::sort(out.begin(), out.end());
    return out;
  }
  /// The last value that a compacted topic would keep of a key.
  std::optional<std::string> last_record(const std::string& key) const {
    std::optional<std::string> out = "no message";
    for (const auto& message : read("records.contact")) {
      if (message.key == key) out = message.value;
    }
    return out;
  }

  /// What a dead predecessor's last request brings: an image of that record under an older epoch.
  void late_image(const std::string& key, std::uint64_t rev, std::uint64_t epoch) {
    const std::string topic = config.topic_prefix + "records.contact";
    TopicEnds ends{{topic, std::vector<std::int64_t>(16)}};
    auto producer = Producer::create(config, {}, ends);
    HeaderList headers;
    headers.add("org", "emea");
    headers.add("op", "u");
    headers.add("rev", std::to_string(rev));
    headers.add("epoch", std::to_string(epoch));
    const auto until = std::chrono::steady_clock::now() + config.timeout;
    ASSERT_TRUE(
        (*producer)->produce((*producer)->topic(topic), key, "an old image", headers, until).ok());
    ASSERT_TRUE((*producer)->wait(until).ok());
  }

  KafkaConfig config;
  KafkaSinkOptions options;
  ShiftedClock clock;
  test::EntryMaker maker;
  const std::vector<std::string> orgs{"emea"};
};

inline std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t rev = from; rev <= to; ++rev) out.push_back(rev);
  return out;
}

}  // namespace headwater::kafka
