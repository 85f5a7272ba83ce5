// daemon/runtime and daemon/observe.

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "daemon/observe/log.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/runtime/control.hpp"
#include "daemon/runtime/heap.hpp"
#include "daemon/runtime/loop_thread.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;

// ---- the heap

TEST(HeapKeeperTest, WhatAThreadNoLongerNeedsGoesBackToTheSystem) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the heap is the sanitizer's, which answers mallinfo2() with numbers of its own";
#endif
  std::vector<std::unique_ptr<char[]>> kept;
  std::thread([&kept] {
    std::vector<std::unique_ptr<char[]>> peak;
    for (int i = 0; i < 50'000; ++i) {
      auto& piece = peak.emplace_back(std::make_unique<char[]>(2'000));
      if (i % 500 == 0) kept.push_back(std::move(piece));  // holes, not one free end
    }
  }).join();
  if (runtime::idle_heap_bytes() < 90'000'000) GTEST_SKIP() << "not glibc's heap";
  runtime::HeapKeeper keeper;
  EXPECT_TRUE(keeper.step(0));
  EXPECT_LT(runtime::idle_heap_bytes(), runtime::HeapKeeper::kFreeKept);
  EXPECT_FALSE(keeper.step(9'999)) << "not looked at more often";
  EXPECT_FALSE(keeper.step(10'000)) << "nothing more to give";
}

// ---- the control socket

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "headwater-control.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory = pattern;
    path = directory / "control.sock";
  }
  void TearDown() override {
    io.stop();
    if (thread.joinable()) thread.join();
    server.reset();
    std::filesystem::remove_all(directory);
  }
  void serve() {
    auto opened = runtime::ControlServer::open(
        io, path, [this](const runtime::Question& question, runtime::Reply reply) {
          asked = question;
          if (question.line == "never") {
            kept = std::move(reply);
          } else if (question.line == "later") {
            std::jthread([reply] { reply("{\"late\":true}"); }).join();
          } else {
            reply("{\"line\":\"" + question.line + "\"}");
          }
        });
    ASSERT_TRUE(opened) << opened.error().message;
    server = std::move(*opened);
    thread = std::thread([this] { io.run(); });
  }

  static Result<std::string> ask(const std::string& at, const std::string& line) {
    return runtime::ask(at, line, Millis(30'000));
  }

  std::filesystem::path directory, path;
  runtime::Question asked;
  boost::asio::io_context io;
  runtime::Reply kept;  // lives shorter than io, as the header asks
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<runtime::ControlServer> server;
  std::thread thread;
};

TEST_F(ControlTest, ALineIsAnsweredByADocument) {
  serve();
  for (int i = 0; i < 3; ++i) {
    const auto reply = ask(path, "status now");
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(*reply, R"({"line":"status now"})");
  }
}

TEST_F(ControlTest, OnlyOwnerAndGroupMayUseTheSocket) {
  serve();
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0660U);
}

TEST_F(ControlTest, ASocketLeftByADeadProcessIsReplacedAndOursIsRemoved) {
  std::ofstream(path.string()) << "";
  serve();
  EXPECT_TRUE(ask(path, "status"));
  io.stop();
  thread.join();
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlTest, ADeadSocketGivesTheSentence) {
  const auto reply = ask(path, "status");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(reply.error().message,
            "cannot reach the daemon at " + path.string() +
                ": No such file or directory; is headwaterd running, and may this user use its "
                "socket?");
}

TEST_F(ControlTest, APathThatCannotBeBoundIsASentenceToo) {
  const std::string long_path = directory / std::string(200, 'x');
  const auto opened =
      runtime::ControlServer::open(io, long_path, [](const runtime::Question&, runtime::Reply) {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::Blocked);
  EXPECT_NE(opened.error().message.find(long_path), std::string::npos);
}

TEST_F(ControlTest, ALineThatIsTooLongDisturbsNobody) {
  serve();
  const auto reply = ask(path, std::string(100'000, 'x'));
  ASSERT_FALSE(reply);
  EXPECT_EQ(
      reply.error().message,
      "the daemon at " + path.string() +
          " hung up without an answer: it is stopping, or the line is longer than 4096 bytes");
  EXPECT_TRUE(ask(path, "status"));
}

TEST_F(ControlTest, AnAnswerMayComeFromAnotherThread) {
  serve();
  const auto reply = ask(path, "later");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(*reply, "{\"late\":true}");
}

TEST_F(ControlTest, TheAskerIsWhoTheKernelSaysAndTheDaemonsOwnUserMayOperate) {
  serve();
  ASSERT_TRUE(ask(path, "status by=somebody-else"));
  EXPECT_EQ(asked.peer.uid, geteuid());
  EXPECT_TRUE(asked.peer.may_operate);
  EXPECT_FALSE(asked.peer.name.empty());
  EXPECT_NE(asked.peer.name, "somebody-else");
}

TEST_F(ControlTest, ADaemonThatGivesNoAnswerIsASentenceAfterTheDeadline) {
  serve();
  const auto reply = runtime::ask(path, "never", Millis(50));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message,
            "the daemon at " + path.string() +
                " took the question and gave no answer within 0.05 s; is it stuck? see its log and "
                "/livez");
}

TEST_F(ControlTest, APathThatIsTooLongForASocketGivesTheSentence) {
  const auto reply = ask("/" + std::string(200, 'x'), "status");
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("is headwaterd running"), std::string::npos);
}

// ---- threads

TEST(LoopThread, StepsUntilDoneAndThenDoesTheLast) {
  std::atomic<int> steps{0}, waits{0}, last{0};
  LoopThread thread(
      "test",
      [&] {
        switch (++steps) {
          case 1:
            return Step::again();
          case 2:
            return Step::wait(7);
          default:
            return Step::done();
        }
      },
      [&](std::int64_t until, std::stop_token) { waits += static_cast<int>(until); },
      [&] { ++last; });
  thread.start();
  thread.join();
  EXPECT_EQ(steps, 3);
  EXPECT_EQ(waits, 7);
  EXPECT_EQ(last, 1);
}

TEST(LoopThread, AStopEndsItsWait) {
  const SystemClock clock;
  std::atomic<int> last{0};
  LoopThread thread(
      "test",
      [&] { return Step::wait(clock.monotonic_ms() + 3'600'000); },
      [&](std::int64_t until, std::stop_token stop) { wait_until(until, stop, clock); },
      [&] { ++last; });
  thread.start();
  thread.request_stop();
  thread.join();
  EXPECT_EQ(last, 1);
}

// ---- health

class HealthTest : public ::testing::Test {
 protected:
  test::ManualClock clock;
  observe::Health health{clock};
};

TEST_F(HealthTest, TheKindOfAnErrorGivesTheState) {
  auto& part = health.add("part", Millis(1'000));
  EXPECT_EQ(part.state(), PartState::Starting);
  const std::pair<Error, PartState> cases[] = {{transient("t"), PartState::Waiting},
                                               {rejected("r"), PartState::Waiting},
                                               {blocked("b"), PartState::Blocked},
                                               {fatal("f"), PartState::Fatal}};
  for (const auto& [error, state] : cases) {
    part.fail(error);
    EXPECT_EQ(part.state(), state);
    EXPECT_EQ(part.snapshot().sentence, error.message);
  }
}

TEST_F(HealthTest, SinceIsWhenTheStateBeganNotWhenTheSentenceChanged) {
  auto& part = health.add("part", Millis(1'000));
  clock.ms += 10;
  part.fail(transient("first"));
  const auto began = clock.ms;
  clock.ms += 10;
  part.fail(transient("second"));
  EXPECT_EQ(part.snapshot().since, began);
  EXPECT_EQ(part.snapshot().sentence, "second");
  part.set(PartState::Ok);
  EXPECT_EQ(part.snapshot().since, clock.ms);
  EXPECT_EQ(part.snapshot().sentence, "");
}

TEST_F(HealthTest, AThreadThatDoesNotComeRoundIsStuckAndThenNothingIsLive) {
  auto& part = health.add("part", Millis(1'000));
  health.add("other", Millis(60'000));
  clock.ms += 1'000;
  EXPECT_TRUE(health.live());
  clock.ms += 1;
  EXPECT_FALSE(health.live());
  part.beat();
  EXPECT_TRUE(health.live());
}

TEST_F(HealthTest, APartThatEndedIsNotStuck) {
  auto& part = health.add("part", Millis(1'000));
  for (const auto state : {PartState::Stopped, PartState::Fatal}) {
    part.set(state);
    clock.ms += 100'000;
    EXPECT_TRUE(health.live());
  }
}

// ---- the log

std::string line_of(std::string_view message, std::initializer_list<log::Field> fields) {
  const std::string line = log::format_line(log::Level::Warning, message, fields);
  EXPECT_EQ(line.substr(0, 3), "<4>") << "journald's priority first";
  return line.substr(line.find("level="));
}

TEST(LogLine, IsLogfmtAndQuotesOnlyWhereNeeded) {
  EXPECT_EQ(line_of("sink opened", {{"sink", "kafka"}, {"rev", 17}, {"why", ""}}),
            R"(level=warning msg="sink opened" sink=kafka rev=17 why="")");
}

TEST(LogLine, NothingInAValueBreaksTheLine) {
  EXPECT_EQ(line_of("x", {{"a", "say \"hi\" \\"}, {"b", "two\nlines"}, {"c", "k=v"}}),
            R"(level=warning msg=x a="say \"hi\" \\" b="two\nlines" c="k=v")");
  EXPECT_EQ(line_of("x", {{"a", "\x1b[31m"}, {"b", "\x7f"}}),
            R"(level=warning msg=x a="\x1b[31m" b="\x7f")");
  EXPECT_EQ(line_of("x", {{"a", "Zürich"}}), "level=warning msg=x a=Zürich");
}

TEST(LogLine, LevelsAreReadByName) {
  log::Level level = log::Level::Info;
  EXPECT_TRUE(log::parse_level("debug", level));
  EXPECT_EQ(level, log::Level::Debug);
  EXPECT_FALSE(log::parse_level("loud", level));
}

// ---- metrics

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  observe::Metrics metrics;
  metrics.counter("headwater_things_total", "Things", {{"a", "1"}}).add(2);
  metrics.counter("headwater_things_total", "Things", {{"a", "1"}}).add();
  EXPECT_NE(metrics.text().find("headwater_things_total{a=\"1\"} 3\n"), std::string::npos);
}

}  // namespace
}  // namespace headwater
