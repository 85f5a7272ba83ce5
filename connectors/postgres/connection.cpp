#include "connectors/postgres/connection.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "connectors/postgres/errors.hpp"

namespace headwater::postgres {
namespace {

using SteadyClock = std::chrono::steady_clock;
using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

enum class Ready { Yes, Timeout, Failed };

Ready poll_socket(int socket, short events, SteadyClock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - SteadyClock::now()).count();
    pollfd wanted{socket, events, 0};
    const int found =
        ::poll(&wanted, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (found > 0) return Ready::Yes;
    if (found == 0) return Ready::Timeout;
    if (errno != EINTR) return Ready::Failed;
  }
}

/// libpq ends its messages with a newline and may add lines of detail, which may quote data.
std::string first_line(const char* text) {
  const std::string_view all = text;
  return std::string(all.substr(0, all.find('\n')));
}

/// `…FATAL:  28P01: password authentication failed`: libpq gives the SQLSTATE of a failed
/// connection only in the text of a verbose message. Cuts it out.
std::string take_sqlstate(std::string& message) {
  const auto is_code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  for (auto at = message.find(":  "); at != std::string::npos; at = message.find(":  ", at + 1)) {
    const std::string code = message.substr(at + 3, 5);
    if (code.size() == 5 && std::ranges::all_of(code, is_code) &&
        message.compare(at + 8, 2, ": ") == 0) {
      message.erase(at + 3, 7);
      return code;
    }
  }
  return {};
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string{} : std::string(text);
}

}  // namespace

void Connection::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

Result<Connection> Connection::open(const std::string& url,
                                    const Secret& password,
                                    Millis connect_timeout) {
  // Before the url, so that it may say otherwise: a peer that vanished is noticed within half a
  // minute.
  const std::array keywords{"fallback_application_name",
                            "keepalives_idle",
                            "keepalives_interval",
                            "keepalives_count",
                            "tcp_user_timeout",
                            "client_encoding",
                            "dbname",
                            password.empty() ? static_cast<const char*>(nullptr) : "password",
                            static_cast<const char*>(nullptr)};
  const std::array values{"headwater",
                          "10",
                          "5",
                          "4",
                          "30000",
                          "UTF8",
                          url.c_str(),
                          password.reveal().c_str(),
                          static_cast<const char*>(nullptr)};
  std::unique_ptr<pg_conn, Finish> raw(PQconnectStartParams(keywords.data(), values.data(), 1));
  if (!raw) return transient("out of memory");
  PQsetErrorVerbosity(raw.get(), PQERRORS_VERBOSE);
  Connection connection(std::move(raw));
  pg_conn* pg = connection.connection_.get();
  const auto deadline = SteadyClock::now() + connect_timeout;
  PostgresPollingStatusType status =
      PQstatus(pg) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
    const short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    const Ready ready = poll_socket(PQsocket(pg), events, deadline);
    if (ready == Ready::Timeout)
      return transient(fmt::format("no answer within {} ms", connect_timeout.count()));
    status = ready == Ready::Yes ? PQconnectPoll(pg) : PGRES_POLLING_FAILED;
  }
  if (status == PGRES_POLLING_FAILED) {
    if (PQconnectionNeedsPassword(pg) != 0)
      return blocked("the server wants a password and none is given", "28P01");
    std::string message = first_line(PQerrorMessage(pg));
    const std::string code = take_sqlstate(message);
    return Error{classify(code), std::move(message), code};
  }
  PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
  // libpq would print the server's notices to stderr, where only log lines belong. What matters
  // comes as an error.
  PQsetNoticeProcessor(
      pg, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(pg, 1) != 0)
    return connection.lost("the socket cannot be made non-blocking");
  return connection;
}

bool Connection::usable() const {
  return connection_ && PQstatus(connection_.get()) == CONNECTION_OK;
}
int Connection::server_version() const { return PQserverVersion(connection_.get()); }
std::string Connection::parameter(const char* name) const {
  const char* value = PQparameterStatus(connection_.get(), name);
  return value == nullptr ? "" : value;
}

Error Connection::lost(std::string_view why) {
  std::string message = connection_ ? first_line(PQerrorMessage(connection_.get())) : std::string{};
  connection_.reset();
  return transient(message.empty() ? std::string(why) : message);
}

Error Connection::failure(const pg_result* result) const {
  const std::string code = field(result, PG_DIAG_SQLSTATE);
  std::string message(data_exception(code));
  if (message.empty()) {
    message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message.empty()) message = first_line(PQresultErrorMessage(result));
    return {classify(code), std::move(message), code};
  }
  for (const auto& [what, id] : {std::pair{"table", PG_DIAG_TABLE_NAME},
                                 std::pair{"column", PG_DIAG_COLUMN_NAME},
                                 std::pair{"constraint", PG_DIAG_CONSTRAINT_NAME}}) {
    if (const std::string name = field(result, id); !name.empty())
      message += fmt::format(", {} {}", what, name);
  }
  return {classify(code), std::move(message), code};
}

Result<void> Connection::wait(Deadline deadline) {
  pg_conn* pg = connection_.get();
  for (;;) {
    const int unsent = PQflush(pg);
    if (unsent < 0) return lost("the connection was lost while sending");
    if (unsent == 0 && PQisBusy(pg) == 0) return {};
    const short events = unsent == 0 ? POLLIN : POLLIN | POLLOUT;
    switch (poll_socket(PQsocket(pg), events, deadline)) {
      case Ready::Timeout:
        connection_.reset();  // what the server still does is rolled back, or is found done after
                              // reopening
        return transient(fmt::format("no answer within {} ms", call_timeout_.count()));
      case Ready::Failed:
        return lost("the socket failed");
      case Ready::Yes:
        break;
    }
    // Also when only writable: this call never blocks, and reading is what keeps the server from
    // waiting for us.
    if (PQconsumeInput(pg) == 0) return lost("the connection was lost");
  }
}

Result<void> Connection::finish_query(QueryRows* rows) {
  const auto deadline = SteadyClock::now() + call_timeout_;
  std::optional<Error> error;
  for (;;) {
    if (auto waited = wait(deadline); !waited) return error ? *error : waited.error();
    const ResultPtr result(PQgetResult(connection_.get()), &PQclear);
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
      if (!error) error = failure(result.get());
    } else if (status == PGRES_TUPLES_OK && rows != nullptr) {
      for (int r = 0; r < PQntuples(result.get()); ++r) {
        auto& row = rows->emplace_back();
        for (int c = 0; c < PQnfields(result.get()); ++c) {
          row.emplace_back();
          if (PQgetisnull(result.get(), r, c) == 0) row.back() = PQgetvalue(result.get(), r, c);
        }
      }
    }
  }
  if (error) return *error;
  return {};
}

Result<QueryRows> Connection::query(const std::string& sql,
                                    std::span<const std::string> parameters) {
  if (!usable()) return lost("the connection is closed");
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(connection_.get(),
                        sql.c_str(),
                        static_cast<int>(values.size()),
                        nullptr,
                        values.data(),
                        nullptr,
                        nullptr,
                        0) == 0) {
    return lost("the connection was lost while sending");
  }
  QueryRows rows;
  if (auto done = finish_query(&rows); !done) return done.error();
  return rows;
}

Result<void> Connection::run(const std::string& sql) {
  if (!usable()) return lost("the connection is closed");
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0)
    return lost("the connection was lost while sending");
  return finish_query(nullptr);
}

Result<void> Connection::prepare(const Statement& statement) {
  if (std::ranges::find(prepared_, &statement) != prepared_.end()) return {};
  if (PQsendPrepare(connection_.get(), statement.name.c_str(), statement.sql.c_str(), 0, nullptr) ==
      0) {
    return lost("the connection was lost while sending");
  }
  if (auto done = finish_query(nullptr); !done) return done;
  prepared_.push_back(&statement);
  return {};
}

Result<void> Connection::send(const Step& step) {
  const std::size_t count = step.parameters.size();
  std::vector<const char*> values(count);
  std::vector<int> lengths(count), formats(count, 1);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = step.parameters[i].data();
    lengths[i] = static_cast<int>(step.parameters[i].size());
  }
  if (PQsendQueryPrepared(connection_.get(),
                          step.statement->name.c_str(),
                          static_cast<int>(count),
                          values.data(),
                          lengths.data(),
                          formats.data(),
                          0) == 0) {
    return lost("the connection was lost while sending");
  }
  return {};
}

Result<void> Connection::receive(std::span<const Step> steps, const Step*& failed) {
  const auto deadline = SteadyClock::now() + call_timeout_;
  std::optional<Error> error;
  std::size_t done = 0;  // each statement's results end with a null
  for (;;) {
    if (auto waited = wait(deadline); !waited) return error ? *error : waited.error();
    const ResultPtr result(PQgetResult(connection_.get()), &PQclear);
    if (!result) {
      if (PQstatus(connection_.get()) == CONNECTION_BAD)
        return error ? *error : lost("the connection was lost");
      ++done;
      continue;
    }
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_FATAL_ERROR && !error) {
      error = failure(result.get());
      if (done < steps.size() && !error->code.empty()) failed = &steps[done];
    }
  }
  if (error) return *error;
  return {};
}

Result<void> Connection::pipeline(std::span<const Step> steps, const Step*& failed) {
  failed = nullptr;
  if (!usable()) return lost("the connection is closed");
  for (const Step& step : steps) {
    if (auto prepared = prepare(*step.statement); !prepared) {
      failed = &step;
      return prepared;
    }
  }
  pg_conn* pg = connection_.get();
  if (PQenterPipelineMode(pg) == 0) return lost("the connection is busy");
  for (const Step& step : steps) {
    if (auto sent = send(step); !sent) return sent;
  }
  if (PQpipelineSync(pg) == 0) return lost("the connection was lost while sending");
  auto received = receive(steps, failed);
  if (!usable()) return received;
  if (PQexitPipelineMode(pg) == 0) return lost("the connection is out of step");
  if (PQtransactionStatus(pg) != PQTRANS_IDLE) {
    if (auto undone = run("rollback"); !undone && received.ok()) return undone;
  }
  return received;
}

}  // namespace headwater::postgres
