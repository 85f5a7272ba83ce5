#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/secret.hpp"
#include "schemas/core/time.hpp"

struct pg_conn;  // libpq's
struct pg_result;

namespace headwater::postgres {

/// Rows of a query as text; nothing for null.
using QueryRows = std::vector<std::vector<std::optional<std::string>>>;

/// A statement that a connection prepares on first use.
struct Statement {
  std::string name, sql;
  std::string what;  ///< for messages: `upsert contact`
};

/// One statement of a pipeline with its parameters in binary form; views must live until the
/// pipeline is done.
struct Step {
  const Statement* statement = nullptr;
  std::vector<std::string_view> parameters;
  std::size_t rows = 0;  ///< for messages
};

/// One connection to one server: libpq with a deadline on every call. It never reconnects by
/// itself, so session settings, prepared statements and the fence cannot be lost unseen.
///
/// Errors: kind by classify(), `code` the SQLSTATE, the message without data and without a word of
/// what was tried (the caller knows that). After a lost connection or a passed deadline usable() is
/// false. One thread.
class Connection {
 public:
  /// Source of the password: it is not part of `url`.
  static Result<Connection> open(const std::string& url,
                                 const Secret& password,
                                 Millis connect_timeout);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  bool usable() const;
  int server_version() const;                     ///< 150020 for 15.20
  std::string parameter(const char* name) const;  ///< as the server reported it: `server_encoding`
  void set_call_timeout(Millis timeout) { call_timeout_ = timeout; }

  /// One statement, text parameters, text rows.
  Result<QueryRows> query(const std::string& sql, std::span<const std::string> parameters = {});
  /// One or more statements without parameters or rows.
  Result<void> run(const std::string& sql);
  /// Prepares what the steps need, then sends all of them in one go and waits for the end. On
  /// failure `failed` is the step that failed, nothing if it was the connection, and an open
  /// transaction is rolled back.
  Result<void> pipeline(std::span<const Step> steps, const Step*& failed);

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  explicit Connection(std::unique_ptr<pg_conn, Finish> connection)
      : connection_(std::move(connection)) {}

  Result<void> prepare(const Statement& statement);
  Result<void> send(const Step& step);
  Result<void> receive(std::span<const Step> steps, const Step*& failed);
  Result<void> finish_query(QueryRows* rows);
  Result<void> wait(Deadline deadline);  ///< until the next result can be taken
  Error failure(const pg_result* result) const;
  Error lost(std::string_view why);

  std::unique_ptr<pg_conn, Finish> connection_;
  Millis call_timeout_{30'000};
  std::vector<const Statement*> prepared_;
};

}  // namespace headwater::postgres
