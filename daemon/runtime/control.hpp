#pragma once

#include <functional>
#include <memory>
#include <string>

#include "schemas/core/result.hpp"

namespace boost::asio {
class io_context;
}

namespace headwater::runtime {

/// The daemon's Unix socket, mode 0660: one line in (`status`, `get emea:Account:001…`), one JSON
/// document out. Runs on main's io_context.
class ControlServer {
 public:
  /// Answers a command line with a JSON document.
  using Answer = std::function<std::string(const std::string& line)>;
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

/// The client's side: sends a line, returns the answer. Blocked: nobody listens there, or no right
/// to.
Result<std::string> ask(const std::string& socket_path, const std::string& line);

}  // namespace headwater::runtime
