// The daemon's HTTP server, over real sockets.

#include "daemon/observe/http.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace headwater::observe {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Says what it is told to, and no more.
class Client {
 public:
  explicit Client(const std::string& address) {
    const timeval deadline{30, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("connect");
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void say(std::string_view text) {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  /// All that comes until the server ends the connection; "silence" if it does not in 30 s.
  std::string heard() {
    std::string out;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::recv(socket_, buffer, sizeof buffer, 0)) > 0)
      out.append(buffer, static_cast<std::size_t>(count));
    return count == 0 || errno == ECONNRESET ? out : out + "silence";
  }

  /// Whether the answer to one GET of the probe comes; the connection stays.
  bool answered() {
    std::string out;
    char buffer[4096];
    while (!out.ends_with("ok\n")) {
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) return false;
      out.append(buffer, static_cast<std::size_t>(count));
    }
    return out.starts_with("HTTP/1.1 200 ");
  }

 private:
  const int socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
};

TEST(HttpServer, APortInUseIsASentence) {
  auto first = HttpServer::start("127.0.0.1:0", {});
  ASSERT_TRUE(first) << first.error().message;
  const auto second = HttpServer::start((*first)->address(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message,
            "http.listen " + (*first)->address() +
                ": cannot be bound: Address already in use; is another process using the port?");
}

TEST(HttpServer, AnAddressWithoutAPortIsRefused) {
  EXPECT_FALSE(HttpServer::start("localhost", {}));
}

HttpServer::Routes probe() {
  HttpServer::Routes routes;
  routes["/livez"] = [] { return HttpAnswer{200, "text/plain", "ok\n"}; };
  return routes;
}

TEST(HttpServer, AnswersWhileHundredsOfConnectionsSayNothing) {
  auto server = HttpServer::start("127.0.0.1:0", probe());
  ASSERT_TRUE(server) << server.error().message;
  // More than it keeps; half of them have begun a request and never end it.
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 300; ++i) {
    silent.push_back(std::make_unique<Client>((*server)->address()));
    if (i % 2 == 0) silent.back()->say("GET /livez HTTP/1.1\r\nHost: x\r\n");
  }
  Client caller((*server)->address());
  caller.say("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = caller.heard();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n")) << answer;
  // Whoever was silent for longest had to go, and whoever came last is still there.
  EXPECT_EQ(silent.front()->heard(), "");
  silent[298]->say("\r\n");
  EXPECT_TRUE(silent[298]->answered());
}

TEST(HttpServer, AConnectionThatStaysSilentEnds) {
  auto server = HttpServer::start("127.0.0.1:0", probe(), {.timeout = Millis(50)});
  ASSERT_TRUE(server) << server.error().message;
  Client silent((*server)->address());
  silent.say("GET /livez HT");
  EXPECT_EQ(silent.heard(), "");
}

TEST(HttpServer, SaysWhatThereIsAndWhatItDoesNotDo) {
  auto routes = probe();
  routes["/status"] = []() -> HttpAnswer { throw std::runtime_error("no ledger"); };
  auto server = HttpServer::start("127.0.0.1:0", routes);
  ASSERT_TRUE(server) << server.error().message;
  const auto answer = [&](std::string_view request_line) {
    Client client((*server)->address());
    client.say(std::string(request_line) + "\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.heard();
  };
  EXPECT_THAT(answer("GET / HTTP/1.1"),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("there are /livez /status\n")));
  EXPECT_THAT(answer("POST /livez HTTP/1.1"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(
      answer("HEAD /livez?x=1 HTTP/1.1"),
      AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Length: 3"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(answer("GET /livez HTTP/1.0"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer("nonsense"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer("GET /status HTTP/1.1"),
              AllOf(StartsWith("HTTP/1.1 500 "), EndsWith("no ledger\n")));
}

TEST(HttpServer, AConnectionServesOneRequestAfterTheOther) {
  auto server = HttpServer::start("127.0.0.1:0", probe());
  ASSERT_TRUE(server) << server.error().message;
  Client client((*server)->address());
  for (int i = 0; i < 3; ++i) {
    client.say("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.answered()) << i;
  }
}

}  // namespace
}  // namespace headwater::observe
