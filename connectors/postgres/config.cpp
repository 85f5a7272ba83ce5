#include "connectors/postgres/config.hpp"

#include <libpq-fe.h>

#include <algorithm>

#include "connectors/postgres/identifiers.hpp"

namespace headwater::postgres {
namespace {

bool is_loopback(std::string_view host) {
  return host.empty() || host.starts_with('/') || host.starts_with('@') || host == "localhost" ||
         host == "::1" || host.starts_with("127.");
}

/// What a connection string says, as far as we judge it.
struct Url {
  std::string problem;      ///< nothing if it is fine
  bool plain_text = false;  ///< libpq may talk without TLS to another host
};

Url read_url(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &message);
  if (options == nullptr) {
    // libpq's sentence may quote the string, which may hold a password.
    PQfreemem(message);
    return {
        "is not a libpq connection string or URI, such as postgresql://user@host:5432/database"};
  }
  Url out;
  bool remote = false, encrypted = false;
  for (const PQconninfoOption* o = options; o->keyword != nullptr; ++o) {
    if (o->val == nullptr) continue;
    const std::string_view key = o->keyword, value = o->val;
    if (key == "password")
      out.problem = "must not hold a password; put it in a file and name it in password_file";
    // The other modes, libpq's default among them, give up TLS where the server offers none.
    if (key == "sslmode")
      encrypted = value == "require" || value == "verify-ca" || value == "verify-full";
    if (key != "host" && key != "hostaddr") continue;
    for (std::size_t at = 0; at <= value.size();) {  // a list: tried one after another
      const auto end = std::min(value.find(',', at), value.size());
      remote = remote || !is_loopback(value.substr(at, end - at));
      at = end + 1;
    }
  }
  PQconninfoFree(options);
  out.plain_text = remote && !encrypted;
  return out;
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
  out.insecure = node.boolean("insecure", out.insecure);
  if (!out.url.empty()) {
    auto [problem, plain_text] = read_url(out.url);
    out.plain_text = plain_text;
    if (problem.empty() && plain_text && !out.insecure) {
      problem =
          "may go in plain text to a host that is not this one; add sslmode=verify-full, or set "
          "insecure: true if the network between is trusted";
    }
    if (!problem.empty()) node.problem("url", std::move(problem));
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
