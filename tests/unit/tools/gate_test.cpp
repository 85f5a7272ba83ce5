#include "tests/tools/gate.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "tests/tools/gate_control.hpp"

namespace headwater::gate {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

/// A server that sends back what it gets, a gate in front of it, a client.
class GateTest : public testing::Test {
 protected:
  void SetUp() override {
    asio::co_spawn(io_, serve(), asio::detached);
    auto opened = Gate::open(io_.get_executor(), address(server_.local_endpoint().port()));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    gate_ = std::move(opened).value();
  }

  static std::string address(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

  asio::awaitable<void> serve() {
    for (;;) {
      auto [fault, peer] = co_await server_.async_accept(kTuple);
      if (fault) co_return;
      asio::co_spawn(io_, echo(std::move(peer)), asio::detached);
    }
  }
  static asio::awaitable<void> echo(tcp::socket peer) {
    std::array<char, 4096> buffer;
    for (;;) {
      const auto [fault, size] = co_await peer.async_read_some(asio::buffer(buffer), kTuple);
      if (fault) co_return;
      co_await asio::async_write(peer, asio::buffer(buffer, size), kTuple);
    }
  }

  /// Runs until `done`, at most ten seconds. False: it never was.
  template <typename Done>
  bool run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < deadline)
      io_.run_one_for(std::chrono::milliseconds(20));
    return done();
  }
  /// The connect's verdict.
  boost::system::error_code connect() {
    client_ = tcp::socket(io_);
    std::optional<boost::system::error_code> verdict;
    client_.async_connect({asio::ip::address_v4::loopback(), gate_->port()},
                          [&](auto fault) { verdict = fault; });
    EXPECT_TRUE(run_until([&] { return verdict.has_value(); }));
    return verdict.value_or(asio::error::timed_out);
  }
  void send(const std::string& text) {
    boost::system::error_code ignored;
    asio::write(client_, asio::buffer(text), ignored);
  }
  /// What the client has been sent since the last call, once it is `size` bytes or its end came.
  std::string receive(std::size_t size, boost::system::error_code* end = nullptr) {
    std::string got(size, '\0');
    bool over = false;
    asio::async_read(client_, asio::buffer(got), [&](auto fault, std::size_t n) {
      got.resize(n);
      over = true;
      if (end != nullptr) *end = fault;
    });
    EXPECT_TRUE(run_until([&] { return over; })) << "nothing came";
    return got;
  }

  asio::io_context io_{1};
  tcp::acceptor server_{io_, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket client_{io_};
  std::unique_ptr<Gate> gate_;
};

TEST_F(GateTest, PassesBytesBothWaysAndCountsThem) {
  ASSERT_FALSE(connect());
  send("there and back");
  EXPECT_EQ(receive(14), "there and back");
  EXPECT_EQ(gate_->counts().bytes_up, 14U);
  EXPECT_EQ(gate_->counts().bytes_down, 14U);
  EXPECT_EQ(gate_->counts().connections, 1U);
  EXPECT_EQ(gate_->counts().accepted, 1U);
}

TEST_F(GateTest, DelaysEachByteByTheLatency) {
  Flow late;
  late.latency = Millis(60);
  gate_->set_flows(late, late);
  ASSERT_FALSE(connect());
  const auto started = std::chrono::steady_clock::now();
  send("x");
  EXPECT_EQ(receive(1), "x");
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(120));
}

TEST_F(GateTest, TricklesAtTheRateThatWasSet) {
  Flow slow;
  slow.bytes_per_second = 2'000;
  gate_->set_flows({}, slow);
  ASSERT_FALSE(connect());
  const auto started = std::chrono::steady_clock::now();
  send(std::string(400, 'x'));
  EXPECT_EQ(receive(400), std::string(400, 'x'));
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(150));
}

TEST_F(GateTest, SlicesLoseNothing) {
  Flow sliced;
  sliced.slice_bytes = 1;
  gate_->set_flows(sliced, sliced);
  ASSERT_FALSE(connect());
  send("every byte by itself");
  EXPECT_EQ(receive(20), "every byte by itself");
}

TEST_F(GateTest, WhatIsHeldComesLater) {
  Flow held;
  held.hold = true;
  ASSERT_FALSE(connect());
  gate_->set_flows({}, held);
  send("later");
  EXPECT_TRUE(run_until([&] { return gate_->counts().bytes_up == 5; }));
  EXPECT_EQ(gate_->counts().bytes_down, 0U);
  gate_->set_flows({}, {});
  EXPECT_EQ(receive(5), "later");
}

TEST_F(GateTest, WhatIsDroppedNeverComesAndTheConnectionIsResetAfterwards) {
  ASSERT_FALSE(connect());
  Flow dropped;
  dropped.drop = true;
  send("a");
  EXPECT_EQ(receive(1), "a");
  gate_->set_flows({}, dropped);
  send("lost");
  EXPECT_TRUE(run_until([&] { return gate_->counts().bytes_dropped == 4; }));
  EXPECT_EQ(gate_->counts().connections, 1U);
  gate_->set_flows({}, {});
  boost::system::error_code end;
  EXPECT_EQ(receive(1, &end), "");
  EXPECT_EQ(end, asio::error::connection_reset);
}

TEST_F(GateTest, ResetsAConnectionThatCarriedSoMuch) {
  Flow short_lived;
  short_lived.reset_after_bytes = 10;
  gate_->set_flows({}, short_lived);
  ASSERT_FALSE(connect());
  send("0123456789");
  boost::system::error_code end;
  receive(100, &end);
  EXPECT_EQ(end, asio::error::connection_reset);
}

TEST_F(GateTest, CutsOpenConnectionsByReset) {
  ASSERT_FALSE(connect());
  send("a");
  EXPECT_EQ(receive(1), "a");
  EXPECT_EQ(gate_->cut(true), 1U);
  boost::system::error_code end;
  receive(1, &end);
  EXPECT_EQ(end, asio::error::connection_reset);
  EXPECT_EQ(gate_->counts().connections, 0U);
}

TEST_F(GateTest, RefusesAndListensAgainOnItsPort) {
  ASSERT_TRUE(gate_->set_accept(Accept::Refuse).ok());
  EXPECT_EQ(connect(), asio::error::connection_refused);
  ASSERT_TRUE(gate_->set_accept(Accept::Pass).ok());
  ASSERT_FALSE(connect());
  send("back");
  EXPECT_EQ(receive(4), "back");
}

TEST_F(GateTest, HangsAndResetsWhoHungWhenItPassesAgain) {
  ASSERT_TRUE(gate_->set_accept(Accept::Hang).ok());
  ASSERT_FALSE(connect());
  EXPECT_TRUE(run_until([&] { return gate_->counts().connections == 1; }));
  ASSERT_TRUE(gate_->set_accept(Accept::Pass).ok());
  boost::system::error_code end;
  receive(1, &end);
  EXPECT_EQ(end, asio::error::connection_reset);
}

TEST_F(GateTest, ATargetThatIsGoneResetsItsClients) {
  server_.close();
  ASSERT_FALSE(connect());
  boost::system::error_code end;
  receive(1, &end);
  EXPECT_EQ(end, asio::error::connection_reset);
}

TEST(GateControl, SaysWhatItDoesNotUnderstand) {
  asio::io_context io;
  Gates gates(io.get_executor());
  EXPECT_EQ(gates.answer("nonsense"), R"({"error":"a command is one JSON object on one line"})");
  EXPECT_EQ(gates.answer(R"({"gate":"x"})"), R"({"error":"no gate of that name"})");
  EXPECT_EQ(gates.answer(R"({"open":"x","target":"nowhere"})"),
            R"({"error":"target must be a numeric host:port, got nowhere"})");
  EXPECT_NE(gates.answer(R"({"open":"x","target":"127.0.0.1:1"})").find("port"), std::string::npos);
  EXPECT_EQ(gates.answer(R"({"gate":"x","down":{"latency":5}})"),
            R"({"error":"down.latency is no fault of a flow"})");
  EXPECT_EQ(gates.answer(R"({"gate":"x","sideways":{}})"), R"({"error":"unknown key sideways"})");
  EXPECT_EQ(gates.answer(R"({"gate":"x","accept":"maybe"})"),
            R"({"error":"accept must be pass, refuse, reset or hang"})");
  EXPECT_EQ(gates.answer(R"({"gate":"x","cut":"reset"})"), R"({"cut":0})");
  EXPECT_EQ(gates.answer(R"({"gate":"x","down":{"latency_ms":5,"hold":true}})"), "{}");
}

}  // namespace
}  // namespace headwater::gate
