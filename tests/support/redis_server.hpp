#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace headwater::test {

/// A private redis-server of the test's own, in a temporary folder, on a free loopback port and a
/// socket file. Dies with the object. Also ignores SIGPIPE in this process, as the daemon does.
/// Failures end the test program with a message.
class RedisServer {
 public:
  using Arguments = std::vector<std::string>;

  /// `options` as on redis-server's command line: {"--maxmemory", "4mb"}.
  explicit RedisServer(Arguments options = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }
  std::string socket() const { return (folder_ / "redis.sock").string(); }
  const std::filesystem::path& folder() const { return folder_; }

  void kill();   ///< SIGKILL
  void start();  ///< on the same port and folder, with what the last SAVE left there
  /// Keeps what SAVE wrote so far aside, and puts it in the place of what came later (server down).
  void keep_dump();
  void restore_dump();

  /// One command; the reply as text: arrays as `[a, b]`, nil as `nil`, errors as they are. `user`
  /// and `password` as a test needs.
  std::string run(const Arguments& arguments) const;
  std::map<std::string, std::string> hash(const std::string& key) const;
  void login(std::string password) { password_ = std::move(password); }

 private:
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  Arguments options_;
  std::string password_;
  pid_t pid_ = -1;
};

}  // namespace headwater::test
