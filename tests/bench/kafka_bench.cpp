// What an entry costs on its way into a real broker: both its messages rendered and delivered
// through the sink, against a naked idempotent producer that is handed the same keys, values and
// headers ready-made. The two take turns batch by batch, so that a noisy machine disturbs both.
//
//   [KAFKA_BENCH_PROPERTIES=linger.ms=0,…] kafka_bench [entries per round] [entries per batch]
//
// Microseconds of CPU per entry, of the thread that writes and of librdkafka's threads; the broker
// is another process. The median of the rounds is what counts.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include "connectors/kafka/sink.hpp"
#include "connectors/sink.hpp"
#include "schemas/core/assert.hpp"
#include "schemas/model/render.hpp"
#include "tests/support/entry_maker.hpp"
#include "tests/support/kafka_server.hpp"

namespace headwater::kafka {
namespace {

constexpr int kRounds = 5;

double cpu_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Cost {
  double own = 0, others = 0;  ///< the calling thread; all other threads of the process
};

template <typename Call>
void timed(Cost& cost, Call call) {
  const double process = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
  const double thread = cpu_us(CLOCK_THREAD_CPUTIME_ID);
  call();
  const double own = cpu_us(CLOCK_THREAD_CPUTIME_ID) - thread;
  cost.own += own;
  cost.others += cpu_us(CLOCK_PROCESS_CPUTIME_ID) - process - own;
}

/// Contacts of 25 fields, about 1.2 kB of JSON; updates that change two of them, with all that an
/// event brings along.
class Workload {
 public:
  explicit Workload(std::size_t batch) : batch_(batch) {}

  Entries fill(std::uint64_t first) {
    maker_.clear();
    entries_.clear();
    for (std::uint64_t i = 0; i < batch_; ++i) add(first + i);
    return entries_;
  }

 private:
  void add(std::uint64_t number) {
    const std::uint64_t rev = 1'769'904'000'000'000 + number;
    std::map<std::string, std::string> fields;
    for (std::uint64_t f = 0; f < 25; ++f) {
      fields["some_field_" + std::to_string(f)] = "value " + std::to_string(number * 31 + f * 977);
    }
    EntryView entry =
        maker_.add({.id = "0035f00000" + std::to_string(10'000'000 + number * 7'919 % 1'000'000),
                    .rev = rev,
                    .fields = std::move(fields),
                    .refs = {{"account", "emea:Account:0015f00002JUXA8AAP"},
                             {"owner", "emea:User:0055f000005mc66AAA"}},
                    .before_rev = rev - batch_});
    entry.meta.commit_ts = entry.ts_ms = 1'772'366'400'000 + static_cast<EpochMs>(number);
    entry.before.commit_ts = entry.meta.commit_ts - 60'000;
    entry.before_bu = entry.bu;
    entry.old.sections[0] = entry.after.sections[0].subspan(3, 2);
    entry.changed_source = source_names_;
    entry.origin.commit_user = "0055f000005mc66AAA";
    entry.origin.change_origin = "com/salesforce/api/rest/62.0;client=portal";
    entry.origin.transaction_key = "00006bec-ce66-0611-9018-30a98446c9f2";
    entry.origin.schema_id = "I8b-dYxvxs5wOtCBr4qsew";
    entry.origin.event_uuid = "5b3c0f0e-6c0a-4f4e-9c55-6a7d1f0f3a11";
    entry.origin.replay_id = std::string_view("\0\0\0\0\0\xa1\xb2\xc3\0\0", 10);
    entries_.push_back(entry);
  }

  std::size_t batch_;
  test::EntryMaker maker_;
  std::vector<EntryView> entries_;
  std::vector<NameId> source_names_{3, 4};
};

/// What anybody would write first: one produce call per message, everything copied.
class Naked {
 public:
  Naked(const std::string& brokers, const std::string& prefix) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::vector<std::pair<const char*, const char*>> settings{
        {"bootstrap.servers", brokers.c_str()},
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"compression.type", "lz4"},
        {"linger.ms", "5"},
        {"socket.nagle.disable", "true"},
        {"partitioner", "murmur2_random"},
        {"queue.buffering.max.kbytes", "131072"},
        {"queue.buffering.max.messages", "1000000"}};
    for (const auto& [key, value] : settings) {
      HEADWATER_ASSERT(rd_kafka_conf_set(conf, key, value, nullptr, 0) == RD_KAFKA_CONF_OK);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      HEADWATER_ASSERT(message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
    });
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    changes_ = rd_kafka_topic_new(handle_, (prefix + "changes.contact").c_str(), nullptr);
    records_ = rd_kafka_topic_new(handle_, (prefix + "records.contact").c_str(), nullptr);
  }
  ~Naked() {
    rd_kafka_topic_destroy(changes_);
    rd_kafka_topic_destroy(records_);
    rd_kafka_destroy(handle_);
  }
  Naked(const Naked&) = delete;
  Naked& operator=(const Naked&) = delete;

  /// Renders what send() sends.
  void prepare(Entries entries) {
    messages_.clear();
    for (const EntryView& entry : entries) {
      Message& change = messages_.emplace_back();
      change.topic = changes_;
      change.key = entry.rkey;
      envelopes_.append(change.value, entry, {"0.1.0", "00D5f000000AbCdEAK"});
      render_fixed_change_headers(change.headers, entry, 1);
      render_varying_change_headers(change.headers, entry);
      Message& record = messages_.emplace_back();
      record.topic = records_;
      record.key = entry.rkey;
      append_record_json(record.value, entry);
      render_fixed_record_headers(record.headers, entry, 1);
      render_varying_record_headers(record.headers, entry);
    }
  }

  void send() {
    for (const Message& message : messages_) {
      rd_kafka_headers_t* headers = rd_kafka_headers_new(message.headers.size());
      for (std::size_t i = 0; i < message.headers.size(); ++i) {
        const auto [name, value] = message.headers[i];
        rd_kafka_header_add(headers,
                            name.data(),
                            static_cast<ssize_t>(name.size()),
                            value.data(),
                            static_cast<ssize_t>(value.size()));
      }
      rd_kafka_vu_t parts[5];
      parts[0].vtype = RD_KAFKA_VTYPE_RKT;
      parts[0].u.rkt = message.topic;
      parts[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
      parts[1].u.i = RD_KAFKA_MSG_F_COPY;
      parts[2].vtype = RD_KAFKA_VTYPE_KEY;
      parts[2].u.mem = {const_cast<char*>(message.key.data()), message.key.size()};
      parts[3].vtype = RD_KAFKA_VTYPE_VALUE;
      parts[3].u.mem = {const_cast<char*>(message.value.data()), message.value.size()};
      parts[4].vtype = RD_KAFKA_VTYPE_HEADERS;
      parts[4].u.headers = headers;
      HEADWATER_ASSERT(rd_kafka_produceva(handle_, parts, 5) == nullptr);
    }
    HEADWATER_ASSERT(rd_kafka_flush(handle_, 60'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  struct Message {
    rd_kafka_topic_t* topic = nullptr;
    std::string_view key;
    std::string value;
    HeaderList headers;
  };
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_topic_t *changes_ = nullptr, *records_ = nullptr;
  std::vector<Message> messages_;
  EnvelopeWriter envelopes_;
};

struct Round {
  Cost sink, naked;
};

/// One sink and one naked producer, each with topics of its own.
Round run_round(KafkaConfig config, int number, std::size_t entries, std::size_t batch) {
  const std::string prefix = "b" + std::to_string(number) + ".";
  SystemClock clock;
  KafkaSinkOptions options;
  options.version = "0.1.0";
  options.entities = {"contact"};
  options.org_id = [](std::string_view) { return std::string("00D5f000000AbCdEAK"); };
  const std::vector<std::string> orgs{"emea"};
  config.topic_prefix = "naked." + prefix;
  HEADWATER_ASSERT(KafkaSink(config, {"L1", "bench"}, options, clock).open(orgs).ok());
  Naked naked(config.brokers, config.topic_prefix);
  config.topic_prefix = prefix;
  KafkaSink sink(config, {"L1", "bench"}, options, clock);
  HEADWATER_ASSERT(sink.open(orgs).ok());

  Workload workload(batch);
  Round out;
  for (std::size_t done = 0; done < entries; done += batch) {
    const Entries some = workload.fill(done + 1);
    naked.prepare(some);
    const CursorMove move{"emea", some.back().meta.rev, some.back().meta.commit_ts};
    timed(out.sink, [&] { HEADWATER_ASSERT(sink.write({some, {&move, 1}, Mode::Follow}).ok()); });
    timed(out.naked, [&] { naked.send(); });
  }
  for (double* sum : {&out.sink.own, &out.sink.others, &out.naked.own, &out.naked.others}) {
    *sum /= static_cast<double>(entries);
  }
  return out;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// `key=value,key=value`: librdkafka properties to try on the sink.
void set_properties(KafkaConfig& config, const char* list) {
  std::istringstream words(list == nullptr ? "" : list);
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t equals = word.find('=');
    HEADWATER_ASSERT(equals != std::string::npos);
    config.properties[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

int run(std::size_t entries, std::size_t batch) {
  const auto broker = test::KafkaServer::start();
  if (broker == nullptr) return 0;
  KafkaConfig config;
  config.brokers = broker->brokers();
  set_properties(config, std::getenv("KAFKA_BENCH_PROPERTIES"));
  run_round(config, 0, batch * 5, batch);  // the broker warms up
  std::vector<double> sinks, nakeds;
  for (int number = 1; number <= kRounds; ++number) {
    const Round round = run_round(config, number, entries, batch);
    sinks.push_back(round.sink.own + round.sink.others);
    nakeds.push_back(round.naked.own + round.naked.others);
    std::printf("round %d: sink %.2f + %.2f us, naked %.2f + %.2f us\n",
                number,
                round.sink.own,
                round.sink.others,
                round.naked.own,
                round.naked.others);
    std::fflush(stdout);
  }
  std::printf("median: sink %.2f us, naked %.2f us of CPU per entry; ratio %.2f\n",
              median(sinks),
              median(nakeds),
              median(sinks) / median(nakeds));
  return 0;
}

}  // namespace
}  // namespace headwater::kafka

int main(int argc, char** argv) {
  const std::size_t wanted = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 50'000;
  const std::size_t batch = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 5'000;
  return headwater::kafka::run((wanted + batch - 1) / batch * batch, batch);
}
