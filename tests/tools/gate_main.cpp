// headwater-gate: TCP proxies of the tests, commanded over a Unix socket: one JSON object per line
// in, one per line out (gate_control.hpp). Prints {"control": PATH} when ready; ends at SIGTERM or
// SIGINT.

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <filesystem>

#include "tests/tools/gate_control.hpp"

namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> converse(stream_protocol::socket peer, headwater::gate::Gates& gates) {
  std::string input;
  for (;;) {
    const auto [fault, size] =
        co_await asio::async_read_until(peer, asio::dynamic_buffer(input), '\n', kTuple);
    if (fault) co_return;
    const auto answer = gates.answer(input.substr(0, size - 1)) + "\n";
    input.erase(0, size);
    const auto [lost, sent] = co_await asio::async_write(peer, asio::buffer(answer), kTuple);
    if (lost) co_return;
  }
}

asio::awaitable<void> serve(stream_protocol::acceptor& acceptor, headwater::gate::Gates& gates) {
  for (;;) {
    auto [fault, peer] = co_await acceptor.async_accept(kTuple);
    if (fault) co_return;
    asio::co_spawn(acceptor.get_executor(), converse(std::move(peer), gates), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"TCP proxies that delay, slice, trickle, hold, drop and cut, on command"};
  std::string control;
  app.add_option("--control", control, "path of the Unix socket that commands it")->required();
  CLI11_PARSE(app, argc, argv);

  asio::io_context io{1};
  headwater::gate::Gates gates(io.get_executor());
  std::filesystem::remove(control);
  stream_protocol::acceptor acceptor(io);
  boost::system::error_code fault;
  acceptor.open(stream_protocol{}, fault);
  if (!fault) acceptor.bind(stream_protocol::endpoint(control), fault);
  if (!fault) acceptor.listen(asio::socket_base::max_listen_connections, fault);
  if (fault) {
    std::fprintf(
        stderr, "headwater-gate: listen on %s: %s\n", control.c_str(), fault.message().c_str());
    return 1;
  }
  asio::co_spawn(io, serve(acceptor, gates), asio::detached);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&io](auto, int) { io.stop(); });
  std::printf("{\"control\":\"%s\"}\n", control.c_str());
  std::fflush(stdout);
  io.run();
  std::filesystem::remove(control);
  return 0;
}
