#include "daemon/observe/http.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <thread>

namespace headwater::observe {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t kHeaderBytesMax = 16 << 10;
constexpr unsigned kVersion = 11;          ///< HTTP/1.1
constexpr std::size_t kHandlersMax = 2;    ///< at once
constexpr Millis kPauseAfterRefusal{100};  ///< the process has no descriptor left to accept with

using Response = http::response<http::string_body>;

HttpAnswer plain(http::status status, std::string body) {
  return {static_cast<int>(status), "text/plain", std::move(body)};
}

HttpAnswer answer_to(const HttpServer::Routes& routes, http::verb method, std::string_view target) {
  if (method != http::verb::get && method != http::verb::head)
    return plain(http::status::method_not_allowed, "only GET and HEAD\n");
  const auto found = routes.find(target.substr(0, target.find('?')));
  if (found == routes.end()) {
    std::string pages;
    for (const auto& [path, handler] : routes) pages += " " + path;
    return plain(http::status::not_found, "no such page; there are" + pages + "\n");
  }
  try {
    return found->second();
  } catch (const std::exception& error) {
    return plain(http::status::internal_server_error, fmt::format("{}\n", error.what()));
  }
}

bool malformed(error_code error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

struct HttpServer::Impl {
  class Session;

  Impl(Routes the_routes, HttpLimits the_limits)
      : routes(std::move(the_routes)), limits(the_limits) {}

  Result<void> bind(const std::string& listen);
  void accept();
  void accepted(error_code error, asio::ip::tcp::socket socket);
  bool drop_silent();

  const Routes routes;
  const HttpLimits limits;
  std::string address;
  // Of the thread alone. Who waits for a request, longest first.
  std::list<Session*> silent;
  std::size_t connections = 0;

  asio::io_context io{1};
  asio::ip::tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  asio::thread_pool handlers{kHandlersMax};
  std::thread thread;
};

/// One connection: reads a request, has it answered, writes the answer, begins again.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& server, asio::ip::tcp::socket socket)
      : server_(server), stream_(std::move(socket)), place_(server.silent.end()) {
    ++server_.connections;
  }
  ~Session() {
    heard();
    --server_.connections;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    place_ = server_.silent.insert(server_.silent.end(), this);
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    stream_.expires_after(server_.limits.timeout);
    http::async_read(
        stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
          self->came(error);
        });
  }

  /// Its place is needed by another.
  void drop() {
    heard();
    stream_.close();
  }

 private:
  void heard() {
    if (place_ != server_.silent.end()) server_.silent.erase(place_);
    place_ = server_.silent.end();
  }

  void came(error_code error) {
    heard();
    if (malformed(error)) {
      closing_ = true;
      return write(plain(http::status::bad_request, error.message() + "\n"), false);
    }
    if (error) return;
    const auto& request = parser_->get();
    // Of HTTP/1.0 there is one request a connection.
    closing_ = !request.keep_alive() || request.version() < kVersion;
    // The connection ends on the thread that owns it: no handler keeps it beyond its answer.
    asio::post(server_.handlers, [self = shared_from_this()]() mutable {
      Impl& server = self->server_;
      const auto& asked = self->parser_->get();
      auto answer =
          answer_to(server.routes, asked.method(), {asked.target().data(), asked.target().size()});
      asio::post(server.io, [self = std::move(self), answer = std::move(answer)]() mutable {
        const auto& of = self->parser_->get();
        self->write(std::move(answer), of.method() == http::verb::head);
      });
    });
  }

  void write(HttpAnswer answer, bool head_only) {
    response_.emplace(static_cast<http::status>(answer.status), kVersion);
    response_->set(http::field::content_type, answer.content_type);
    response_->keep_alive(!closing_);
    response_->content_length(answer.body.size());
    if (!head_only) response_->body() = std::move(answer.body);
    stream_.expires_after(server_.limits.timeout);
    http::async_write(
        stream_, *response_, [self = shared_from_this()](error_code error, std::size_t) {
          self->written(error);
        });
  }

  void written(error_code error) {
    if (error) return;
    if (!closing_) return read();
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  }

  Impl& server_;
  beast::tcp_stream stream_;
  std::list<Session*>::iterator place_;
  bool closing_ = false;  ///< after this answer
  beast::flat_buffer buffer_{kHeaderBytesMax};
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::optional<Response> response_;
};

Result<void> HttpServer::Impl::bind(const std::string& listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos)
    return blocked(fmt::format("http.listen {}: give host:port", listen));
  std::string host = listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);

  error_code error;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(
      host, listen.substr(colon + 1), asio::ip::tcp::resolver::numeric_service, error);
  if (error) {
    return blocked(fmt::format(
        "http.listen {}: {}; give an address of this machine and a port", listen, error.message()));
  }
  const asio::ip::tcp::endpoint endpoint = *found.begin();
  acceptor.open(endpoint.protocol(), error);
  // Never SO_REUSEPORT: another daemon could share the port, and half of the probes go there.
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return blocked(
        fmt::format("http.listen {}: cannot be bound: {}; is another process using the port?",
                    listen,
                    error.message()));
  }
  address = fmt::format("{}:{}", listen.substr(0, colon), acceptor.local_endpoint().port());
  return {};
}

void HttpServer::Impl::accept() {
  acceptor.async_accept([this](error_code error, asio::ip::tcp::socket socket) {
    accepted(error, std::move(socket));
  });
}

void HttpServer::Impl::accepted(error_code error, asio::ip::tcp::socket socket) {
  const bool full = connections >= limits.connections_max;
  const bool dropped = (error || full) && drop_silent();
  if (error) {
    pause.expires_after(kPauseAfterRefusal);
    return pause.async_wait([this](error_code stopped) {
      if (!stopped) accept();
    });
  }
  if (!full || dropped) {
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    std::make_shared<Session>(*this, std::move(socket))->read();
  }
  accept();
}

/// Ends who has been silent for longest, if anybody is.
bool HttpServer::Impl::drop_silent() {
  if (silent.empty()) return false;
  silent.front()->drop();
  return true;
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& listen,
                                                      Routes routes,
                                                      HttpLimits limits) {
  auto impl = std::make_unique<Impl>(std::move(routes), limits);
  if (auto bound = impl->bind(listen); !bound) return std::move(bound).error();
  impl->accept();
  impl->thread = std::thread([&io = impl->io] { io.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->io.stop();
  impl_->thread.join();
  impl_->handlers.stop();
  impl_->handlers.join();
}

const std::string& HttpServer::address() const { return impl_->address; }

}  // namespace headwater::observe
