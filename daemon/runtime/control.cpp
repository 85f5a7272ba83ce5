#include "daemon/runtime/control.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <istream>

namespace headwater::runtime {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

/// Longest command line, and how long a client may take over one.
constexpr std::size_t kLineBytesMax = 4096;
constexpr auto kClientTime = std::chrono::seconds{10};

struct Session : std::enable_shared_from_this<Session> {
  Session(Local::socket s, const ControlServer::Answer& a)
      : socket(std::move(s)), answer(a), deadline(socket.get_executor()), input(kLineBytesMax) {}

  void run() {
    deadline.expires_after(kClientTime);
    deadline.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->socket.close(error);
    });
    asio::async_read_until(
        socket,
        input,
        '\n',
        [self = shared_from_this()](boost::system::error_code error, std::size_t) {
          if (error) {
            self->deadline.cancel();
            return;
          }
          std::istream stream(&self->input);
          std::string line;
          std::getline(stream, line);
          self->reply = self->answer(line) + "\n";
          asio::async_write(
              self->socket,
              asio::buffer(self->reply),
              [self](boost::system::error_code, std::size_t) { self->deadline.cancel(); });
        });
  }

  Local::socket socket;
  const ControlServer::Answer& answer;
  asio::steady_timer deadline;
  asio::streambuf input;
  std::string reply;
};

}  // namespace

struct ControlServer::Impl : std::enable_shared_from_this<ControlServer::Impl> {
  Impl(asio::io_context& io, std::string p, Answer a)
      : acceptor(io), path(std::move(p)), answer(std::move(a)) {}

  void accept() {
    acceptor.async_accept(
        [weak = weak_from_this()](boost::system::error_code error, Local::socket socket) {
          const auto self = weak.lock();
          if (!self || error == asio::error::operation_aborted) return;
          if (!error) std::make_shared<Session>(std::move(socket), self->answer)->run();
          self->accept();
        });
  }

  Local::acceptor acceptor;
  const std::string path;
  const Answer answer;
};

Result<std::unique_ptr<ControlServer>> ControlServer::open(asio::io_context& io,
                                                           const std::string& path,
                                                           Answer answer) {
  auto impl = std::make_shared<Impl>(io, path, std::move(answer));
  try {
    ::unlink(path.c_str());  // ours: the state directory is locked
    impl->acceptor.open(Local());
    impl->acceptor.bind(Local::endpoint(path));
    ::chmod(path.c_str(), 0660);
    impl->acceptor.listen();
  } catch (const boost::system::system_error& e) {
    return blocked(fmt::format("control socket {}: {}", path, e.code().message()));
  }
  impl->accept();
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

ControlServer::~ControlServer() {
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  ::unlink(impl_->path.c_str());
}

Result<std::string> ask(const std::string& socket_path, const std::string& line) {
  try {
    asio::io_context io;
    Local::socket socket(io);
    socket.connect(Local::endpoint(socket_path));
    asio::write(socket, asio::buffer(line + "\n"));
    std::string reply;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(reply), error);
    if (error && error != asio::error::eof) throw boost::system::system_error(error);
    while (!reply.empty() && reply.back() == '\n') reply.pop_back();
    return reply;
  } catch (const boost::system::system_error& e) {
    return blocked(
        fmt::format("cannot reach the daemon at {}: {}; is headwaterd running, and may this user "
                    "use its socket?",
                    socket_path,
                    e.code().message()));
  }
}

}  // namespace headwater::runtime
