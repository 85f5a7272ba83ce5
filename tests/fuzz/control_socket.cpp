// Any bytes on the control socket: the first line, if it ends within its bound, is asked once and
// as it was said; anything else is hung up on.

#include <sys/un.h>

#include <boost/asio/io_context.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "daemon/runtime/control.hpp"
#include "tests/fuzz/connection.hpp"

using namespace headwater;

namespace {

int connected(const std::string& path) {
  const int out = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
  HEADWATER_ASSERT(::connect(out, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return out;
}

}  // namespace

FUZZ_TARGET(control_socket) {
  constexpr std::size_t kInputMax = 64u << 10;  // what a socket takes without a reader
  input = input.substr(0, kInputMax);
  static const std::string path = "/tmp/headwater-fuzz-" + std::to_string(::getpid()) + ".sock";
  boost::asio::io_context io;
  std::vector<std::string> asked;
  auto server = runtime::ControlServer::open(
      io, path, [&](const runtime::Question& question, runtime::Reply reply) {
        asked.push_back(question.line);
        HEADWATER_ASSERT(question.peer.uid == ::getuid());
        reply("{\"heard\":" + std::to_string(question.line.size()) + "}");
      });
  HEADWATER_ASSERT(server.ok());
  {
    fuzz::Connection client(connected(path));
    (void)client.say(input);
    client.finish();
    while (!client.listen(0)) io.run_one();
    const auto end = input.find('\n');
    if (end < runtime::ControlServer::kLineBytesMax) {
      HEADWATER_ASSERT(asked.size() == 1 && asked[0] == input.substr(0, end));
      HEADWATER_ASSERT(client.heard() == "{\"heard\":" + std::to_string(end) + "}\n");
    } else {
      HEADWATER_ASSERT(asked.empty() && client.heard().empty());
    }
  }
}
