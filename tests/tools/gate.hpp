#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::gate {

/// What happens to the bytes of one direction. All at its default: they pass at once.
struct Flow {
  Millis latency{0};                  ///< each byte arrives so much later
  std::size_t bytes_per_second = 0;   ///< 0: no limit
  std::size_t slice_bytes = 0;        ///< most bytes in one write to the receiver; 0: no limit
  std::size_t reset_after_bytes = 0;  ///< a connection that carried so many is reset; 0: never
  bool hold = false;  ///< bytes wait, and the sender soon with them: a peer that stands still
  bool drop = false;  ///< bytes vanish, and ends of connections with them: a half-open connection
};

/// What happens to who connects.
enum class Accept : std::uint8_t {
  Pass,
  Refuse,  ///< nobody listens
  Reset,   ///< accepted and reset at once
  Hang,    ///< accepted, and then nothing
};

struct Counts {
  std::uint64_t connections = 0;    ///< open now
  std::uint64_t accepted = 0;       ///< ever
  std::uint64_t bytes_up = 0;       ///< from clients to the target
  std::uint64_t bytes_down = 0;     ///< from the target to clients
  std::uint64_t bytes_dropped = 0;  ///< vanished, in either direction
};

/// A TCP proxy in front of one server, whose faults are set while connections run.
///
///   client ──up──▶ gate ──up──▶ target
///          ◀─down─      ◀─down─
///
/// Its port stays the same for its whole life, so that a client never needs another address; the
/// target may change. A connection whose bytes were dropped is reset when dropping ends, as a peer
/// that comes back answers segments it knows nothing of. One thread: that of the executor.
class Gate {
 public:
  /// `target`: `host:port`, numeric host. Transient: no port to listen on.
  static Result<std::unique_ptr<Gate>> open(boost::asio::any_io_executor executor,
                                            const std::string& target);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  std::uint16_t port() const { return port_; }
  /// Rejected: it is no `host:port`. Open connections stay with the old one.
  Result<void> set_target(const std::string& target);
  void set_flows(const Flow& up, const Flow& down);
  /// Connections that hang are reset when `accept` changes. Transient: the port is taken.
  Result<void> set_accept(Accept accept);
  /// Ends all open connections, by RST or in good order; gives how many.
  std::size_t cut(bool reset);
  Counts counts() const;

 private:
  class Connection;
  explicit Gate(boost::asio::any_io_executor executor);
  Result<void> listen();
  boost::asio::awaitable<void> accept_all(std::uint64_t generation);

  using Tcp = boost::asio::ip::tcp;
  boost::asio::any_io_executor executor_;
  Tcp::endpoint target_;
  std::uint16_t port_ = 0;
  std::optional<Tcp::acceptor> acceptor_;
  std::uint64_t generation_ = 0;  ///< of the acceptor: an accept loop of an older one ends
  Accept accept_ = Accept::Pass;
  Flow up_, down_;
  Counts counts_;
  std::set<std::shared_ptr<Connection>> connections_;
};

}  // namespace headwater::gate
