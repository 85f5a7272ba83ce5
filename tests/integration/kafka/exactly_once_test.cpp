// What engineering.md 3.4 promises of both modes, against Apache Kafka: writers are processes that
// are killed with SIGKILL, paused and resumed, and lose their broker in the middle of a batch. Then
// a plain and a read-committed consumer look at what stands there.
//
// KAFKA_KILLS=n for more than the few kills per mode that every run makes.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "tests/integration/kafka/sink_fixture.hpp"

extern char** environ;  // NOLINT

namespace headwater::kafka {
namespace {

constexpr std::size_t kKeys = 11;
/// Every so many revs, one is a platform event.
constexpr std::uint64_t kEventEvery = 5;
constexpr const char* kHistory[] = {"changes.contact", "events.Order_Event__e"};
constexpr int kFenced = 3;  // a writer's exit code

/// How a writer is told what to do: `--writer <brokers> <prefix> <holder> <transactions> <to>
/// [<file>]`. It writes from its cursor to `to` in batches of changing size and tells every batch
/// by a line. With a file: once that exists it goes on for kEncore revs, and looks around.
constexpr std::uint64_t kEncore = 40;
/// What waits for a broker that never answers ends by then, and its test with it.
constexpr unsigned kWriterSeconds = 120;

class WriterProcess {
 public:
  int run(int argc, char** argv) {
    kafka_.emplace(argv[2], argv[3]);
    kafka_->config.transactions = std::string_view(argv[5]) == "1";
    kafka_->config.claim_wait = Millis(1'000);
    kafka_->config.timeout = Millis(5'000);
    sink_ = kafka_->sink(argv[4], "L1");
    const std::uint64_t to = std::strtoull(argv[6], nullptr, 10);
    ::alarm(kWriterSeconds);
    if (!write_to(to)) return kFenced;
    if (argc > 7) {
      while (!std::ifstream(argv[7])) std::this_thread::sleep_for(Millis(20));
      if (!write_to(to + kEncore)) return kFenced;
      kafka_->clock.advance_ms(1'100);
      if (!sink_->idle().ok()) return kFenced;
    }
    sink_->close();
    return 0;
  }

 private:
  /// False: fenced. Every other trouble is met as the sink loop meets it: open again.
  bool write_to(std::uint64_t to) {
    while (rev_ == 0 || rev_ <= to) {
      if (rev_ == 0) {
        const auto opened = sink_->open(kafka_->orgs);
        if (!opened.ok()) {
          if (opened.error().kind == ErrorKind::Fatal) return false;
          std::this_thread::sleep_for(Millis(50));
          continue;
        }
        rev_ = opened->front().rev.value + 1;
        continue;
      }
      const std::uint64_t last = std::min(to, rev_ + random_() % 40);
      const auto written = kafka_->write(*sink_, some_of_each(rev_, last));
      if (written.ok()) {
        std::cout << last << std::endl;
        rev_ = last + 1;
      } else {
        if (written.error().kind == ErrorKind::Fatal) return false;
        rev_ = 0;
      }
    }
    return true;
  }

  Entries some_of_each(std::uint64_t from, std::uint64_t to) {
    kafka_->maker.clear();
    for (std::uint64_t rev = from; rev <= to; ++rev) {
      if (rev % kEventEvery == 0) {
        kafka_->maker.add(test::platform_event(rev, std::to_string(rev)));
      } else {
        kafka_->maker.add({.id = SinkFixture::id(rev % kKeys),
                           .rev = rev,
                           .fields = {{"name", "N" + std::to_string(rev)}}});
      }
    }
    return kafka_->maker.entries();
  }

  std::optional<SinkFixture> kafka_;
  std::unique_ptr<KafkaSink> sink_;
  std::uint64_t rev_ = 0;  // the next one to write, 0: not open
  std::minstd_rand random_{static_cast<unsigned>(::getpid())};
};

/// A writer as the test sees it.
class Writer {
 public:
  explicit Writer(std::vector<std::string> arguments) {
    int ends[2];
    HEADWATER_ASSERT(::pipe(ends) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    arguments.insert(arguments.begin(), {"exactly_once_test", "--writer"});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    HEADWATER_ASSERT(
        ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    told_ = ::fdopen(ends[0], "r");
  }
  ~Writer() {
    if (pid_ > 0) end(SIGKILL);
    std::fclose(told_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Until it has told of that rev. False: it ended before.
  bool reach(std::uint64_t rev) {
    for (unsigned long long at = 0; std::fscanf(told_, "%llu", &at) == 1;) {
      if (at >= rev) return true;
    }
    return false;
  }
  void signal(int number) const { ::kill(pid_, number); }
  void end(int number) {
    signal(number);
    finish();
  }
  /// Its exit code, -1 after a signal.
  int finish() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  std::FILE* told_ = nullptr;
};

test::KafkaServer* broker() {
  static const std::unique_ptr<test::KafkaServer> server = test::KafkaServer::start();
  return server.get();
}

/// Parameter: transactions.
class ExactlyOnce : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (broker() == nullptr) GTEST_SKIP() << "kafka: no broker";
    static int count = 0;
    kafka.emplace(broker()->brokers(), "e" + std::to_string(++count) + ".");
  }
  std::vector<std::string> writer(std::uint64_t to, const std::string& holder = "a") const {
    return {kafka->config.brokers,
            kafka->config.topic_prefix,
            holder,
            GetParam() ? "1" : "0",
            std::to_string(to)};
  }

  /// Without transactions no writer sends what it found there at its start: a second copy is an
  /// older writer's, late. With them it sends an aborted one again, which a plain reader sees
  /// twice.
  ///
  /// Revs 1 to `to` stand on the changes and the events topic once and in order: for a consumer
  /// that drops revs at or below the last of its partition, and with transactions for a committed
  /// reader as they are.
  void expect_history(std::uint64_t to) const {
    std::map<std::uint64_t, std::uint64_t> seen;  // rev -> the writer's epoch
    std::size_t repeats = 0, again = 0;
    for (const char* topic : kHistory) {
      std::map<int, std::uint64_t> last;
      for (const auto& message : kafka->read(topic)) {
        const std::uint64_t rev = std::stoull(message.headers.at("rev"));
        const std::uint64_t epoch = std::stoull(message.headers.at("epoch"));
        if (rev > last[message.partition]) {
          last[message.partition] = rev;
          seen[rev] = epoch;
        } else {
          ++repeats;
          again += epoch < seen[rev] ? 0 : 1;
        }
      }
      if (topic == kHistory[1]) {
        EXPECT_EQ(last.size(), 1U) << "events of one name share a partition";
      }
    }
    std::printf("plain reader: %zu revs, %zu repeats dropped by the rule\n", seen.size(), repeats);
    EXPECT_EQ(seen.size(), to) << "lost, or out of order";
    if (GetParam()) {
      auto revs = kafka->revs(kHistory[0], true);
      const auto events = kafka->revs(kHistory[1], true);
      revs.insert(revs.end(), events.begin(), events.end());
      std::sort(revs.begin(), revs.end());
      EXPECT_EQ(revs, range(1, to));
    } else {
      EXPECT_EQ(again, 0U) << "sent again although they stood there";
    }
  }
  /// A compacted records topic would end with the newest image of every record.
  void expect_images(std::uint64_t to) const {
    std::map<std::string, std::uint64_t> last;
    for (const auto& message : kafka->read("records.contact", GetParam())) {
      last[message.key] = std::stoull(message.headers.at("rev"));
    }
    EXPECT_EQ(last.size(), kKeys);
    for (std::size_t number = 0; number < kKeys; ++number) {
      std::uint64_t newest = to;
      while (newest % kKeys != number || newest % kEventEvery == 0) --newest;
      EXPECT_EQ(last["emea:Contact:" + SinkFixture::id(number)], newest) << number;
    }
  }

  std::optional<SinkFixture> kafka;
};

TEST_P(ExactlyOnce, KilledAtAnyMomentAndStartedAgain) {
  const char* more = std::getenv("KAFKA_KILLS");
  const int kills = more != nullptr ? std::atoi(more) : 4;
  std::minstd_rand random(7);
  std::uint64_t to = 0;
  for (int i = 0; i < kills; ++i) {
    to += 100 + random() % 400;
    Writer victim(writer(to + 100'000));
    ASSERT_TRUE(victim.reach(to));
    victim.end(SIGKILL);
    for (const char* topic : kHistory) {
      for (const auto& message : kafka->read(topic))
        to = std::max<std::uint64_t>(to, std::stoull(message.headers.at("rev")));
    }
  }
  to += 50;
  EXPECT_EQ(Writer(writer(to)).finish(), 0);
  expect_history(to);
  expect_images(to);
}

TEST_P(ExactlyOnce, ABrokerThatDiesInTheMiddleOfABatch) {
  constexpr std::uint64_t kTo = 1'500;
  Writer steady(writer(kTo));
  ASSERT_TRUE(steady.reach(300));
  broker()->kill();
  broker()->restart();
  EXPECT_EQ(steady.finish(), 0);
  expect_history(kTo);
  expect_images(kTo);
}

TEST_P(ExactlyOnce, APausedWriterThatWakesAfterATakeoverChangesNothing) {
  constexpr std::uint64_t kTo = 800;
  const std::string go = testing::TempDir() + "go." + std::to_string(::getpid());
  ::unlink(go.c_str());
  Writer paused(writer(100'000, "a"));
  ASSERT_TRUE(paused.reach(200));
  paused.signal(SIGSTOP);
  auto arguments = writer(kTo, "b");
  arguments.push_back(go);
  Writer heir(arguments);
  const bool reached = heir.reach(kTo);
  paused.signal(SIGCONT);
  ASSERT_TRUE(reached);
  EXPECT_EQ(paused.finish(), kFenced);
  std::ofstream(go) << "go";
  EXPECT_EQ(heir.finish(), 0) << "the heir must not stop for the one it has fenced";
  ::unlink(go.c_str());
  expect_history(kTo + kEncore);
  expect_images(kTo + kEncore);
}

INSTANTIATE_TEST_SUITE_P(Modes, ExactlyOnce, testing::Bool(), [](const auto& mode) {
  return mode.param ? "Transactions" : "Idempotent";
});

}  // namespace
}  // namespace headwater::kafka

int main(int argc, char** argv) {
  if (argc > 6 && std::string_view(argv[1]) == "--writer") {
    return headwater::kafka::WriterProcess().run(argc, argv);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
