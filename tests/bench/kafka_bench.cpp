// What an entry costs on its way into a real broker: both messages rendered and delivered through
// the sink, against a naked idempotent producer that sends the same bytes without looking at them.
//
//   kafka_bench [entries]
//
// cpu_us: CPU of this process per entry, librdkafka's threads included; the broker is another
// process.
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "connectors/kafka/sink.hpp"
#include "connectors/sink.hpp"
#include "schemas/core/assert.hpp"
#include "tests/support/entry_maker.hpp"
#include "tests/support/kafka_server.hpp"

namespace headwater::kafka {
namespace {

constexpr std::size_t kBatch = 2'000;

double cpu_us() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

/// Contacts of 20 fields, about 800 bytes of JSON, each changed once per batch.
void fill(test::EntryMaker& maker, std::uint64_t first) {
  maker.clear();
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    std::string id = std::to_string(10'000'000 + (i * 7'919 + first) % 100'000);
    std::map<std::string, std::string> fields;
    for (int f = 0; f < 20; ++f) {
      fields["field_" + std::to_string(f)] =
          "value " + std::to_string((first + i) * 31 + static_cast<std::uint64_t>(f) * 977);
    }
    maker.add({.id = "0035f00000" + id, .rev = first + i, .fields = std::move(fields)});
  }
}

struct Cost {
  double cpu = 0, rate = 0;
};

template <typename Work>
Cost measure(std::size_t entries, Work work) {
  double cpu = 0, seconds = 0;
  for (std::size_t done = 0; done < entries; done += kBatch) work(done, cpu, seconds);
  return {cpu / static_cast<double>(entries), static_cast<double>(entries) / seconds};
}

template <typename Call>
void timed(double& cpu, double& seconds, Call call) {
  const auto start = std::chrono::steady_clock::now();
  const double before = cpu_us();
  call();
  cpu += cpu_us() - before;
  seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Cost run_sink(const KafkaConfig& config, std::size_t entries) {
  SystemClock clock;
  KafkaSinkOptions options;
  options.version = "0.1.0";
  options.entities = {"contact"};
  KafkaSink sink(config, {"L1", "bench"}, options, clock);
  const std::vector<std::string> orgs{"emea"};
  HEADWATER_ASSERT(sink.open(orgs).ok());
  test::EntryMaker maker;
  return measure(entries, [&](std::size_t done, double& cpu, double& seconds) {
    fill(maker, done + 1);
    const CursorMove move{"emea", Rev(done + kBatch), 0};
    timed(cpu, seconds, [&] {
      HEADWATER_ASSERT(sink.write({maker.entries(), {&move, 1}, Mode::Follow}).ok());
    });
  });
}

/// The values of the sink's own messages, without headers, straight into librdkafka.
Cost run_naked(const KafkaConfig& config, std::size_t entries) {
  const std::string changes = config.topic_prefix + "changes.contact";
  const std::string records = config.topic_prefix + "records.contact";
  const auto sent = test::read_topic(config.brokers, changes);
  const auto images = test::read_topic(config.brokers, records);
  TopicEnds ends{{changes, std::vector<std::int64_t>(6)}, {records, std::vector<std::int64_t>(6)}};
  auto producer = Producer::create(config, {}, ends);
  HEADWATER_ASSERT(producer.ok());
  auto& to_changes = (*producer)->topic(changes);
  auto& to_records = (*producer)->topic(records);
  const HeaderList none;
  return measure(entries, [&](std::size_t done, double& cpu, double& seconds) {
    timed(cpu, seconds, [&] {
      const Deadline until = std::chrono::steady_clock::now() + config.timeout;
      for (std::size_t i = done; i < done + kBatch; ++i) {
        HEADWATER_ASSERT(
            (*producer)->produce(to_changes, sent[i].key, *sent[i].value, none, until).ok());
        HEADWATER_ASSERT(
            (*producer)->produce(to_records, images[i].key, *images[i].value, none, until).ok());
      }
      HEADWATER_ASSERT((*producer)->wait(until).ok());
    });
  });
}

int run(std::size_t entries) {
  const auto broker = test::KafkaServer::start();
  if (broker == nullptr) return 0;
  KafkaConfig config;
  config.brokers = broker->brokers();
  run_sink(config, kBatch * 5);  // the broker warms up
  for (int round = 1; round <= 3; ++round) {
    config.topic_prefix = "b" + std::to_string(round) + ".";
    const Cost sink = run_sink(config, entries);
    const Cost naked = run_naked(config, entries);
    std::printf(
        "round %d: sink %.2f cpu_us, %.0f entries/s; naked %.2f cpu_us, %.0f entries/s; ratio of "
        "rates %.2f\n",
        round,
        sink.cpu,
        sink.rate,
        naked.cpu,
        naked.rate,
        sink.rate / naked.rate);
  }
  return 0;
}

}  // namespace
}  // namespace headwater::kafka

int main(int argc, char** argv) {
  const std::size_t wanted = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
  return headwater::kafka::run((wanted + headwater::kafka::kBatch - 1) / headwater::kafka::kBatch *
                               headwater::kafka::kBatch);
}
