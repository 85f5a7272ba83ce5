#pragma once

#include <functional>
#include <memory>
#include <string>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace boost::asio {
class io_context;
}

namespace headwater::runtime {

/// Who asks, as the kernel says (unix(7), SO_PEERCRED).
struct Peer {
  unsigned uid = 0;
  std::string name;          ///< of that user, else its number
  bool may_operate = false;  ///< root, or the user that the daemon runs as; others may read
};

/// A line of a client: `status`, `get emea:Account:001…`.
struct Question {
  std::string line;
  Peer peer;
};

/// Takes the one JSON document that answers a question. Once, on any thread; a client whose reply
/// never comes gives up at its own deadline.
using Reply = std::function<void(std::string)>;

/// The daemon's Unix socket, mode 0660: one line in, one JSON document out. Runs on main's
/// io_context, which must outlive every Reply.
class ControlServer {
 public:
  using Answer = std::function<void(const Question&, Reply)>;
  /// Longest line.
  static constexpr std::size_t kLineBytesMax = 4096;
  /// Blocked if the path cannot be bound. A socket file left by a dead process is replaced.
  static Result<std::unique_ptr<ControlServer>> open(boost::asio::io_context& io,
                                                     const std::string& path,
                                                     Answer answer);
  ~ControlServer();

 private:
  struct Impl;
  explicit ControlServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

/// The client's side: sends a line, returns the answer. Blocked: nobody listens there, no right to,
/// or no answer within `deadline`.
Result<std::string> ask(const std::string& socket_path, const std::string& line, Millis deadline);

}  // namespace headwater::runtime
