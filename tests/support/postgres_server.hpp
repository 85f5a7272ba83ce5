#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace headwater::test {

/// A private PostgreSQL of the test's own, in a temporary folder, on a socket file and a free
/// loopback port. Dies with the object. As root it runs as the user postgres, because the server
/// refuses root. The database cluster is made once per build folder and copied. Failures end the
/// test program with a message.
class PostgresServer {
 public:
  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// Connection strings of the superuser, who needs no password: through the socket file, and by
  /// TCP.
  std::string url() const { return url_for("postgres"); }
  std::string url_for(const std::string& user, const std::string& database = "postgres") const;
  std::string tcp_url() const;
  std::uint16_t port() const { return port_; }
  const std::filesystem::path& folder() const { return folder_; }

  void start();
  void kill();  ///< as a crash: no checkpoint, connections cut
  /// From now on this role must give its password.
  void require_password(const std::string& role);

  /// Runs one or more statements as the superuser. The last one's rows, `null` for null.
  std::vector<std::vector<std::string>> rows(const std::string& sql) const;
  /// The same as one text: columns by `|`, rows by newline.
  std::string run(const std::string& sql) const;
  /// Until nobody else is connected: what a connection read is counted when it has gone.
  void await_alone() const;

 private:
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace headwater::test
