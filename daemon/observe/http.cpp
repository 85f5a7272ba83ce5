#include "daemon/observe/http.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <thread>

namespace headwater::observe {
namespace {

constexpr std::size_t kRequestBytesMax = 16 << 10;
constexpr std::time_t kClientSeconds = 5;

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  std::string address;
  std::thread thread;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& listen, Routes routes) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos)
    return blocked(fmt::format("http.listen {}: give host:port", listen));
  std::string host = listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  int port = std::atoi(listen.c_str() + colon + 1);

  auto impl = std::make_unique<Impl>();
  auto& server = impl->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  server.set_tcp_nodelay(true);
  // httplib would share the port with another daemon (SO_REUSEPORT), and half of the probes go
  // there.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_payload_max_length(kRequestBytesMax);
  server.set_read_timeout(kClientSeconds);
  server.set_write_timeout(kClientSeconds);
  server.set_keep_alive_max_count(1000);
  for (auto& [path, handler] : routes) {
    server.Get(
        path, [handler = std::move(handler)](const httplib::Request&, httplib::Response& response) {
          const HttpAnswer answer = handler();
          response.status = answer.status;
          response.set_content(answer.body, answer.content_type);
        });
  }
  if (port == 0) {
    port = server.bind_to_any_port(host);
  } else if (!server.bind_to_port(host, port)) {
    port = -1;
  }
  if (port < 0)
    return blocked(
        fmt::format("http.listen {}: cannot be bound; is another process using the port?", listen));
  impl->address = fmt::format("{}:{}", listen.substr(0, colon), port);
  impl->thread = std::thread([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->server.stop();
  impl_->thread.join();
}

const std::string& HttpServer::address() const { return impl_->address; }

}  // namespace headwater::observe
