#include "daemon/runtime/control.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <istream>
#include <optional>

namespace headwater::runtime {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

/// How long a client may take over its line, and we over the answer: a retry waits for a sink's
/// write, whose own deadline is shorter.
constexpr auto kClientTime = std::chrono::seconds{10}, kAnswerTime = std::chrono::seconds{180};

/// Nobody, if the kernel does not say.
Peer peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  Peer peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    peer.uid = static_cast<unsigned>(-1);
    peer.name = "unknown";
    return peer;
  }
  peer.uid = credentials.uid;
  peer.may_operate = peer.uid == 0 || peer.uid == geteuid();
  std::array<char, 4096> memory{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(credentials.uid, &entry, memory.data(), memory.size(), &found);
  peer.name = found != nullptr ? found->pw_name : std::to_string(peer.uid);
  return peer;
}

struct Session : std::enable_shared_from_this<Session> {
  Session(Local::socket s, const ControlServer::Answer& a)
      : socket(std::move(s)),
        answer(a),
        deadline(socket.get_executor()),
        input(ControlServer::kLineBytesMax) {}

  void run() {
    close_after(kClientTime);
    asio::async_read_until(
        socket,
        input,
        '\n',
        [self = shared_from_this()](boost::system::error_code error, std::size_t) {
          if (error) {
            self->deadline.cancel();
            return;
          }
          self->close_after(kAnswerTime);
          Question question;
          std::istream stream(&self->input);
          std::getline(stream, question.line);
          question.peer = peer_of(self->socket.native_handle());
          self->answer(question, [self](std::string document) {
            asio::post(self->socket.get_executor(),
                       [self, text = std::move(document)] { self->send(text); });
          });
        });
  }

  void send(const std::string& document) {
    close_after(kClientTime);
    reply = document + "\n";
    asio::async_write(socket,
                      asio::buffer(reply),
                      [self = shared_from_this()](boost::system::error_code, std::size_t) {
                        self->deadline.cancel();
                        boost::system::error_code ignored;
                        self->socket.close(ignored);  // the end of the document
                      });
  }

  void close_after(std::chrono::seconds time) {
    deadline.expires_after(time);
    deadline.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->socket.close(error);
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

Result<std::string> ask(const std::string& socket_path, const std::string& line, Millis deadline) {
  asio::io_context io;
  Local::socket socket(io);
  const std::string question = line + "\n";
  std::string reply;
  std::optional<boost::system::error_code> end;
  bool connected = false;
  const auto read = [&](boost::system::error_code error, std::size_t) {
    if (error) {
      end = error;
      return;
    }
    asio::async_read(socket,
                     asio::dynamic_buffer(reply),
                     [&](boost::system::error_code at_end, std::size_t) { end = at_end; });
  };
  try {
    socket.async_connect(Local::endpoint(socket_path), [&](boost::system::error_code error) {
      if (error) {
        end = error;
        return;
      }
      connected = true;
      asio::async_write(socket, asio::buffer(question), read);
    });
  } catch (const boost::system::system_error& e) {  // no path of a socket is that long
    end = e.code();
  }
  io.run_for(deadline);
  if (!end) {
    return blocked(fmt::format(
        "the daemon at {} took the question and gave no answer within {} s; is it stuck? see its "
        "log and /livez",
        socket_path,
        std::chrono::duration_cast<std::chrono::duration<double>>(deadline).count()));
  }
  while (!reply.empty() && reply.back() == '\n') reply.pop_back();
  if (*end == asio::error::eof && !reply.empty()) return reply;
  if (connected) {
    return blocked(
        fmt::format("the daemon at {} hung up without an answer: it is stopping, or the "
                    "line is longer than {} bytes",
                    socket_path,
                    ControlServer::kLineBytesMax));
  }
  return blocked(
      fmt::format("cannot reach the daemon at {}: {}; is headwaterd running, and may this user "
                  "use its socket?",
                  socket_path,
                  end->message()));
}

}  // namespace headwater::runtime
