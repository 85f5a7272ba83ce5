#include "tests/support/redis_server.hpp"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

extern char** environ;

namespace headwater::test {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "redis_server: %s\n", what.c_str());
  std::abort();
}

/// A cluster node also listens on its port + 10000.
constexpr std::uint16_t kPortMost = 55'000;

std::uint16_t free_port() {
  for (;;) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, generic, size) != 0 || ::getsockname(fd, generic, &size) != 0)
      give_up("no free port");
    ::close(fd);
    if (const auto port = ntohs(address.sin_port); port <= kPortMost) return port;
  }
}

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

Reply command(redisContext* context, const RedisServer::Arguments& arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  return Reply(static_cast<redisReply*>(
      redisCommandArgv(context, static_cast<int>(texts.size()), texts.data(), sizes.data())));
}

std::string to_text(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_NIL:
      return "nil";
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_ARRAY: {
      std::string out = "[";
      for (std::size_t i = 0; i < reply.elements; ++i)
        out += (i == 0 ? "" : ", ") + to_text(*reply.element[i]);
      return out + "]";
    }
    default:
      return std::string(reply.str, static_cast<std::size_t>(reply.len));
  }
}

}  // namespace

RedisServer::RedisServer(Arguments options) : port_(free_port()), options_(std::move(options)) {
  std::signal(SIGPIPE, SIG_IGN);
  std::string pattern = std::filesystem::temp_directory_path() / "headwater-redis-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) give_up("no temporary folder");
  folder_ = pattern;
  for (std::size_t i = 0; i + 1 < options_.size(); ++i) {
    if (options_[i] == "--requirepass") password_ = options_[i + 1];
  }
  start();
}

RedisServer::~RedisServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisServer::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::start() {
  Arguments words = {"redis-server",
                     "--bind",
                     "127.0.0.1",
                     "--port",
                     std::to_string(port_),
                     "--unixsocket",
                     socket(),
                     "--dir",
                     folder_.string(),
                     "--save",
                     "",
                     "--logfile",
                     (folder_ / "log").string(),
                     "--daemonize",
                     "no"};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  if (::posix_spawnp(&pid_, "redis-server", nullptr, nullptr, argv.data(), environ) != 0)
    give_up("redis-server cannot be started; is it installed?");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (run({"PING"}) != "PONG") {
    if (std::chrono::steady_clock::now() > deadline)
      give_up("no PONG within 20 s, see " + folder_.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // polling, with a deadline
  }
}

void RedisServer::keep_dump() {
  std::filesystem::copy_file(folder_ / "dump.rdb",
                             folder_ / "kept.rdb",
                             std::filesystem::copy_options::overwrite_existing);
}

void RedisServer::restore_dump() {
  std::filesystem::copy_file(folder_ / "kept.rdb",
                             folder_ / "dump.rdb",
                             std::filesystem::copy_options::overwrite_existing);
}

std::string RedisServer::run(const Arguments& arguments) const {
  const Context context(redisConnectWithTimeout("127.0.0.1", port_, {5, 0}));
  if (!context || context->err != 0) return "no connection";
  if (!password_.empty()) command(context.get(), {"AUTH", password_});
  const auto reply = command(context.get(), arguments);
  return reply ? to_text(*reply) : std::string("no reply");
}

std::map<std::string, std::string> RedisServer::hash(const std::string& key) const {
  std::map<std::string, std::string> out;
  const Context context(redisConnectWithTimeout("127.0.0.1", port_, {5, 0}));
  if (!context || context->err != 0) give_up("no connection");
  if (!password_.empty()) command(context.get(), {"AUTH", password_});
  const auto reply = command(context.get(), {"HGETALL", key});
  for (std::size_t i = 0; reply && i + 1 < reply->elements; i += 2)
    out[to_text(*reply->element[i])] = to_text(*reply->element[i + 1]);
  return out;
}

}  // namespace headwater::test
