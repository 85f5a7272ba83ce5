#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "tests/fuzz/fuzz.hpp"

namespace headwater::fuzz {

/// A client that says what the input has, says that there is no more, and listens to the end.
class Connection {
 public:
  explicit Connection(int socket) : socket_(socket) { HEADWATER_ASSERT(socket_ >= 0); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(socket_); }

  /// False if the server hung up before it had heard all.
  bool say(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish() { (void)::shutdown(socket_, SHUT_WR); }
  /// True once the server has hung up; what it said so far is in heard().
  bool listen(int wait_ms) {
    pollfd waiting{socket_, POLLIN, 0};
    while (::poll(&waiting, 1, wait_ms) > 0) {
      char piece[4096];
      const auto got = ::recv(socket_, piece, sizeof piece, 0);
      if (got <= 0) return true;
      heard_.append(piece, static_cast<std::size_t>(got));
    }
    return false;
  }
  const std::string& heard() const { return heard_; }

 private:
  const int socket_;
  std::string heard_;
};

}  // namespace headwater::fuzz
