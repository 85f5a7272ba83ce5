// Any bytes on the HTTP port: an answer or an end, a handler is called for GET and HEAD of a known
// path alone, and the next well-formed probe is answered.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <atomic>
#include <cstdlib>

#include "daemon/observe/http.hpp"
#include "tests/fuzz/connection.hpp"

using namespace headwater;

namespace {

constexpr int kDeadlineMs = 30'000;  // a busy machine is no find
std::atomic<int> calls{0};

const observe::HttpServer& server() {
  static const auto started = [] {
    observe::HttpServer::Routes routes;
    routes["/livez"] = [] {
      ++calls;
      return observe::HttpAnswer{200, "text/plain", "ok\n"};
    };
    auto result = observe::HttpServer::start("127.0.0.1:0", routes);
    HEADWATER_ASSERT(result.ok());
    return std::move(*result);
  }();
  return *started;
}

int connected() {
  const auto& address = server().address();
  const int out = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
  // Every client from an address of its own: ports rest for a minute once they were used.
  static std::uint32_t host = 0;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + host++ % 60'000);
  HEADWATER_ASSERT(::bind(out, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
  HEADWATER_ASSERT(::connect(out, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return out;
}

std::string answer_to(std::string_view request) {
  fuzz::Connection client(connected());
  client.say(request);
  client.finish();
  HEADWATER_ASSERT(client.listen(kDeadlineMs));
  return client.heard();
}

}  // namespace

FUZZ_TARGET(http_request) {
  calls = 0;
  const std::string answer = answer_to(input);
  HEADWATER_ASSERT(answer.empty() || answer.starts_with("HTTP/1.1 "));
  const auto has = [&](std::string_view word) { return input.find(word) != input.npos; };
  HEADWATER_ASSERT(calls == 0 || has("GET") || has("HEAD"));
  const std::string probe =
      answer_to("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  HEADWATER_ASSERT(probe.starts_with("HTTP/1.1 200 ") && probe.ends_with("ok\n"));
}
