#include "connectors/postgres/config.hpp"

#include <libpq-fe.h>

#include <cstring>

#include "connectors/postgres/identifiers.hpp"

namespace headwater::postgres {
namespace {

/// What is wrong with a connection string, nothing if it is fine.
std::string check_url(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &message);
  if (options == nullptr) {
    // libpq's sentence may quote the string, which may hold a password.
    PQfreemem(message);
    return "is not a libpq connection string or URI, such as postgresql://user@host:5432/database";
  }
  std::string problem;
  for (const PQconninfoOption* o = options; o->keyword != nullptr; ++o) {
    if (std::strcmp(o->keyword, "password") == 0 && o->val != nullptr) {
      problem = "must not hold a password; put it in a file and name it in password_file";
    }
  }
  PQconninfoFree(options);
  return problem;
}

Millis positive(config::Node& node, const char* key, Millis fallback) {
  const Millis value = node.duration(key, fallback);
  if (value > Millis{0}) return value;
  node.problem(key, "must be longer than 0");
  return fallback;
}

}  // namespace

PostgresConfig PostgresConfig::parse(config::Node& node) {
  PostgresConfig out;
  out.url = node.text("url");
  if (!out.url.empty()) {
    if (auto problem = check_url(out.url); !problem.empty())
      node.problem("url", std::move(problem));
  }
  if (node.has("password_file")) {
    static_cast<void>(
        node.secret_file("password_file"));  // checked now; its text is read when it is needed
    out.password_file = node.path_of("password_file");
  }
  out.schema = node.text("schema", out.schema);
  if (!is_schema_name(out.schema)) {
    node.problem("schema", "must be a letter or _, then letters, digits and _, at most 63 in all");
  }
  out.entries_max = static_cast<std::size_t>(
      node.integer("entries_max", static_cast<std::int64_t>(out.entries_max), 1, 10'000));
  out.bytes_max = node.bytes("bytes_max", out.bytes_max);
  out.fillfactor = static_cast<int>(node.integer("fillfactor", out.fillfactor, 10, 100));
  out.connect_timeout = positive(node, "connect_timeout", out.connect_timeout);
  out.statement_timeout = positive(node, "statement_timeout", out.statement_timeout);
  out.lock_timeout = positive(node, "lock_timeout", out.lock_timeout);
  out.claim_wait = positive(node, "claim_wait", out.claim_wait);
  return out;
}

}  // namespace headwater::postgres
