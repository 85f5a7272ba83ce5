#include "tests/org/http.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <thread>

namespace headwater::org {
namespace {

constexpr std::size_t kBodyMax = 64U << 20U;

/// `a=1&b=x%20y+z`
void add_params(std::string_view encoded, std::map<std::string, std::string>& out) {
  while (!encoded.empty()) {
    const auto pair = encoded.substr(0, encoded.find('&'));
    encoded.remove_prefix(std::min(encoded.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    const auto value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    out.emplace(httplib::detail::decode_url(std::string(pair.substr(0, equals)), true),
                httplib::detail::decode_url(std::string(value), true));
  }
}

HttpRequest taken_from(const httplib::Request& in) {
  HttpRequest out;
  out.method = in.method;
  out.path = in.path;
  out.body = in.body;
  // The library cuts `q=a=b` at the last `=`; a SOQL query may hold several.
  if (const auto query = in.target.find('?'); query != std::string::npos) {
    add_params(std::string_view(in.target).substr(query + 1), out.params);
  }
  if (in.get_header_value("Content-Type").starts_with("application/x-www-form-urlencoded")) {
    add_params(in.body, out.params);
  }
  for (const auto& [name, value] : in.headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    out.headers.emplace(std::move(lower), value);
  }
  return out;
}

}  // namespace

struct HttpServer::Impl {
  HttpHandler handler;
  httplib::Server server;
  std::thread thread;
};

HttpServer::HttpServer(HttpHandler handler) : impl_(std::make_unique<Impl>()) {
  impl_->handler = std::move(handler);
  auto& server = impl_->server;
  server.set_tcp_nodelay(true);  // without it a kept-alive client waits 40 ms for each answer
  server.set_keep_alive_max_count(1'000'000);
  server.set_keep_alive_timeout(1);  // seconds; stop() waits for idle connections this long
  server.set_payload_max_length(kBodyMax);
  const auto serve = [this](const httplib::Request& in, httplib::Response& out) {
    auto response = impl_->handler(taken_from(in));
    out.status = response.status;
    for (const auto& [name, value] : response.headers) out.set_header(name.c_str(), value);
    out.set_content(std::move(response.body), response.content_type.c_str());
  };
  // The library would read a body without a length until the connection ends: `curl -X POST` has
  // none.
  server.set_pre_routing_handler([serve](const httplib::Request& in, httplib::Response& out) {
    if (in.has_header("Content-Length") || in.has_header("Transfer-Encoding")) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    serve(in, out);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get(".*", serve);
  server.Post(".*", serve);
  server.Patch(".*", serve);
  server.Delete(".*", serve);
}

HttpServer::~HttpServer() { stop(); }

Result<int> HttpServer::start(int port) {
  auto& server = impl_->server;
  if (port == 0) {
    port = server.bind_to_any_port("127.0.0.1");
  } else if (!server.bind_to_port("127.0.0.1", port)) {
    port = -1;
  }
  if (port < 0) return transient("listening on 127.0.0.1: the port is taken; choose another");
  impl_->thread = std::thread([&server] { server.listen_after_bind(); });
  // stop() before the accept loop runs does nothing, so wait for it here.
  while (!server.is_running()) std::this_thread::yield();
  return port;
}

void HttpServer::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->server.stop();
  impl_->thread.join();
}

}  // namespace headwater::org
