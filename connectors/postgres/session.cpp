#include "connectors/postgres/session.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "connectors/postgres/errors.hpp"

namespace headwater::postgres {
namespace {

constexpr int kServerVersionMin = 150'000;

/// The password file's text without its last newline.
Result<Secret> read_password(const std::string& path) {
  if (path.empty()) return Secret{};
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return blocked(fmt::format(
        "postgres: read password_file {}: cannot be opened; check path and owner", path));
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return Secret(std::move(text));
}

std::string session_sql(const PostgresConfig& config) {
  // Every statement of a batch finds its rows by key. Without statistics (a table that was empty a
  // minute ago) the planner would rather scan, and keep that plan: so scans and their joins are
  // ruled out for this session.
  return fmt::format(
      "set statement_timeout = {}; set lock_timeout = {}; set idle_in_transaction_session_timeout "
      "= {}; "
      "set plan_cache_mode = force_generic_plan; set jit = off; set enable_seqscan = off; set "
      "enable_hashjoin = off; "
      "set enable_mergejoin = off; set timezone = 'UTC'; set standard_conforming_strings = on; "
      "set search_path = pg_catalog; set default_transaction_isolation = 'read committed'",
      config.statement_timeout.count(),
      config.lock_timeout.count(),
      config.statement_timeout.count());
}

}  // namespace

Result<Connection> open_session(const PostgresConfig& config) {
  auto password = read_password(config.password_file);
  if (!password) return std::move(password).error();
  auto connection = Connection::open(config.url, *password, config.connect_timeout);
  if (!connection) return in_words("connect", connection.error());
  // Longer than the server's own limit, so that its answer is what we hear.
  connection->set_call_timeout(config.statement_timeout * 2 + Millis{5'000});
  if (connection->server_version() < kServerVersionMin) {
    return blocked(
        fmt::format("postgres: connect: the server is version {}; PostgreSQL 15 or newer is needed",
                    connection->server_version() / 10'000));
  }
  if (const auto encoding = connection->parameter("server_encoding"); encoding != "UTF8") {
    return blocked(fmt::format(
        "postgres: connect: the database's encoding is {}; create one with encoding UTF8",
        encoding));
  }
  if (auto set = connection->run(session_sql(config)); !set)
    return in_words("set up the session", set.error());
  return std::move(*connection);
}

}  // namespace headwater::postgres
