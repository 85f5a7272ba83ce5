#include "tests/tools/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <deque>

namespace headwater::gate {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using Fault = boost::system::error_code;
using Steady = std::chrono::steady_clock;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
/// So much waits in one direction before its sender has to wait: about what a socket holds.
constexpr std::size_t kQueuedMax = 1 << 20;
/// A limited rate is kept in steps of 1/20 s.
constexpr std::size_t kStepsPerSecond = 20;

struct Chunk {
  std::string bytes;  ///< empty: the sender said that no more comes
  Steady::time_point due;
};

Result<tcp::endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  Fault fault;
  std::uint16_t port = 0;
  if (colon != std::string::npos) {
    const auto address = asio::ip::make_address(text.substr(0, colon), fault);
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, port);
    if (!fault && read.ec == std::errc{} && read.ptr == end && port > 0)
      return tcp::endpoint(address, port);
  }
  return rejected(fmt::format("target must be a numeric host:port, got {}", text));
}

/// The peer gets RST: what it sent and what it has not read yet is void.
void reset(tcp::socket& socket) {
  Fault ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace

/// A client, the target, and two pipes between them. Its coroutines keep it alive; it ends when the
/// first of them says so, or when both directions are over.
class Gate::Connection : public std::enable_shared_from_this<Gate::Connection> {
 public:
  Connection(Gate& gate, tcp::socket client)
      : gate_(gate),
        client_(std::move(client)),
        server_(gate.executor_),
        up_{client_, server_, gate.up_, gate.counts_.bytes_up, gate.executor_},
        down_{server_, client_, gate.down_, gate.counts_.bytes_down, gate.executor_} {}

  void start() {
    asio::co_spawn(
        gate_.executor_, [self = shared_from_this()] { return self->connect(); }, asio::detached);
  }

  void end(bool hard) {
    if (ended_) return;
    ended_ = true;
    for (tcp::socket* socket : {&client_, &server_}) {
      Fault ignored;
      hard ? reset(*socket) : void(socket->close(ignored));
    }
    wake();
    gate_.connections_.erase(shared_from_this());
  }

  /// The faults changed: what waits looks again.
  void wake() {
    for (Pipe* pipe : {&up_, &down_}) {
      pipe->written.cancel();
      pipe->came.cancel();
    }
  }
  bool hangs() const { return hangs_; }
  /// Bytes vanish no longer, but some have: neither side can make sense of what follows.
  bool torn() const { return (up_.torn && !gate_.up_.drop) || (down_.torn && !gate_.down_.drop); }

 private:
  struct Pipe {
    Pipe(tcp::socket& f,
         tcp::socket& t,
         const Flow& w,
         std::uint64_t& c,
         asio::any_io_executor executor)
        : from(f), to(t), flow(w), carried_in_all(c), came(executor), written(executor) {}

    tcp::socket& from;
    tcp::socket& to;
    const Flow& flow;
    std::uint64_t& carried_in_all;
    std::deque<Chunk> waiting;
    std::size_t waiting_bytes = 0;
    std::uint64_t carried = 0;
    bool torn = false;
    bool over = false;
    asio::steady_timer came;     // something to write, or new faults
    asio::steady_timer written;  // room again
  };

  awaitable<void> connect() {
    if (gate_.accept_ == Accept::Reset) co_return end(true);
    if (gate_.accept_ == Accept::Hang) {
      hangs_ = true;
      co_return;  // the gate's set of connections keeps it
    }
    const auto [fault] = co_await server_.async_connect(gate_.target_, kTuple);
    if (fault || ended_) co_return end(true);
    for (tcp::socket* socket : {&client_, &server_}) {
      Fault ignored;
      socket->set_option(tcp::no_delay(true), ignored);
    }
    for (Pipe* pipe : {&up_, &down_}) {
      const auto self = shared_from_this();
      asio::co_spawn(
          gate_.executor_, [self, pipe] { return self->read(*pipe); }, asio::detached);
      asio::co_spawn(
          gate_.executor_, [self, pipe] { return self->write(*pipe); }, asio::detached);
    }
  }

  awaitable<void> read(Pipe& pipe) {
    std::array<char, 16384> buffer;
    while (!ended_) {
      if (pipe.waiting_bytes >= kQueuedMax) {
        co_await wait(pipe.written, Steady::time_point::max());
        continue;
      }
      const auto [fault, size] = co_await pipe.from.async_read_some(asio::buffer(buffer), kTuple);
      if (ended_) co_return;
      if (pipe.flow.drop) {
        pipe.torn = true;
        gate_.counts_.bytes_dropped += size;
        if (fault) co_return;
        continue;
      }
      if (fault && fault != asio::error::eof) co_return end(true);
      pipe.waiting.push_back({std::string(buffer.data(), size), Steady::now() + pipe.flow.latency});
      pipe.waiting_bytes += size;
      pipe.came.cancel();
      if (fault) co_return;
    }
  }

  awaitable<void> write(Pipe& pipe) {
    while (!ended_) {
      if (pipe.waiting.empty() || pipe.flow.hold) {
        co_await wait(pipe.came, Steady::time_point::max());
        continue;
      }
      Chunk& chunk = pipe.waiting.front();
      if (chunk.due > Steady::now()) {
        co_await wait(pipe.came, chunk.due);
        continue;
      }
      if (chunk.bytes.empty()) co_return finish(pipe);
      const std::size_t size = part(chunk.bytes.size(), pipe.flow);
      const auto [fault, sent] =
          co_await asio::async_write(pipe.to, asio::buffer(chunk.bytes, size), kTuple);
      if (ended_) co_return;
      if (fault) co_return end(true);
      chunk.bytes.erase(0, sent);
      if (chunk.bytes.empty()) pipe.waiting.pop_front();
      pipe.waiting_bytes -= sent;
      pipe.carried += sent;
      pipe.carried_in_all += sent;
      pipe.written.cancel();
      if (pipe.flow.reset_after_bytes > 0 && pipe.carried >= pipe.flow.reset_after_bytes)
        co_return end(true);
      if (const std::size_t rate = pipe.flow.bytes_per_second; rate > 0)
        co_await wait(pipe.came,
                      Steady::now() + std::chrono::microseconds(sent * 1'000'000 / rate));
    }
  }

  static std::size_t part(std::size_t size, const Flow& flow) {
    if (flow.slice_bytes > 0) size = std::min(size, flow.slice_bytes);
    if (flow.bytes_per_second > 0)
      size = std::min(size, std::max<std::size_t>(1, flow.bytes_per_second / kStepsPerSecond));
    return size;
  }

  /// One side has said its last word: so it is passed on, and with the other's the connection ends.
  void finish(Pipe& pipe) {
    Fault ignored;
    pipe.to.shutdown(tcp::socket::shutdown_send, ignored);
    pipe.over = true;
    if (up_.over && down_.over) end(false);
  }

  static awaitable<void> wait(asio::steady_timer& timer, Steady::time_point until) {
    timer.expires_at(until);
    co_await timer.async_wait(kTuple);
  }

  Gate& gate_;
  tcp::socket client_, server_;
  Pipe up_, down_;
  bool hangs_ = false;
  bool ended_ = false;
};

Gate::Gate(asio::any_io_executor executor) : executor_(std::move(executor)) {}

Gate::~Gate() { cut(true); }

Result<std::unique_ptr<Gate>> Gate::open(asio::any_io_executor executor,
                                         const std::string& target) {
  std::unique_ptr<Gate> out(new Gate(std::move(executor)));
  if (auto set = out->set_target(target); !set) return set.error();
  if (auto listening = out->listen(); !listening) return listening.error();
  return out;
}

Result<void> Gate::set_target(const std::string& target) {
  const auto parsed = parse_endpoint(target);
  if (!parsed) return parsed.error();
  target_ = *parsed;
  return {};
}

/// Bound but not listening while refusing: the port stays ours and answers RST.
Result<void> Gate::listen() {
  ++generation_;
  acceptor_.reset();
  tcp::acceptor fresh(executor_);
  const tcp::endpoint here(asio::ip::address_v4::loopback(), port_);
  Fault fault;
  fresh.open(here.protocol(), fault);
  if (!fault) fresh.set_option(asio::socket_base::reuse_address(true), fault);
  if (!fault) fresh.bind(here, fault);
  if (!fault && accept_ != Accept::Refuse)
    fresh.listen(asio::socket_base::max_listen_connections, fault);
  if (fault) return transient(fmt::format("listen on 127.0.0.1:{}: {}", port_, fault.message()));
  port_ = fresh.local_endpoint(fault).port();
  acceptor_.emplace(std::move(fresh));
  if (accept_ != Accept::Refuse)
    asio::co_spawn(
        executor_, [this, now = generation_] { return accept_all(now); }, asio::detached);
  return {};
}

awaitable<void> Gate::accept_all(std::uint64_t generation) {
  while (generation == generation_) {
    auto [fault, client] = co_await acceptor_->async_accept(kTuple);
    if (generation != generation_) co_return;
    if (fault) continue;
    ++counts_.accepted;
    const auto connection = std::make_shared<Connection>(*this, std::move(client));
    connections_.insert(connection);
    connection->start();
  }
}

void Gate::set_flows(const Flow& up, const Flow& down) {
  up_ = up;
  down_ = down;
  const auto connections = connections_;
  for (const auto& connection : connections) {
    if (connection->torn()) connection->end(true);
    connection->wake();
  }
}

Result<void> Gate::set_accept(Accept accept) {
  if (accept == accept_) return {};
  accept_ = accept;
  const auto connections = connections_;
  for (const auto& connection : connections) {
    if (connection->hangs()) connection->end(true);
  }
  return listen();
}

std::size_t Gate::cut(bool hard) {
  const auto connections = connections_;
  for (const auto& connection : connections) connection->end(hard);
  return connections.size();
}

Counts Gate::counts() const {
  Counts out = counts_;
  out.connections = connections_.size();
  return out;
}

}  // namespace headwater::gate
