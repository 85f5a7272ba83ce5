#include "connectors/redis/config.hpp"

#include <fmt/format.h>

#include <charconv>

namespace headwater::redis {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text.remove_prefix(start.size());
  return true;
}

Result<Endpoint> bad(std::string_view what) {
  return blocked(fmt::format("{}; write redis://[user@]host:port/db or redis+unix:///path", what));
}

Result<Endpoint> parse_socket(std::string_view rest) {
  Endpoint endpoint;
  if (const auto query = rest.find("?db="); query != std::string_view::npos) {
    if (!read_number(rest.substr(query + 4), endpoint.database) || endpoint.database < 0)
      return bad("the database after ?db= must be a number");
    rest = rest.substr(0, query);
  }
  if (!rest.starts_with('/')) return bad("the socket's path must start with /");
  endpoint.socket = rest;
  return endpoint;
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view url) {
  if (url.starts_with("rediss://")) {
    return blocked(
        "rediss:// is not supported: this build's Redis client has no TLS; use a socket, or a TLS "
        "proxy such as "
        "stunnel on this host with redis://127.0.0.1");
  }
  std::string_view rest = url;
  if (take(rest, "redis+unix://") || take(rest, "unix://")) return parse_socket(rest);
  if (!take(rest, "redis://")) return bad("not a Redis URL");

  Endpoint endpoint;
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const auto database = rest.substr(slash + 1);
    if (!database.empty() && (!read_number(database, endpoint.database) || endpoint.database < 0))
      return bad("the database after the last / must be a number");
    rest = rest.substr(0, slash);
  }
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    endpoint.user = rest.substr(0, at);
    rest = rest.substr(at + 1);
    if (endpoint.user.find(':') != std::string::npos)
      return blocked(
          "a password does not belong in the URL: put it in a file and name it in password_file");
  }
  const bool bracketed = rest.starts_with('[');
  const auto host_end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && host_end == std::string_view::npos) return bad("the host's [ is not closed");
  endpoint.host = bracketed ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
  if (host_end != std::string_view::npos)
    rest = rest.substr(bracketed ? host_end + 1 : host_end);
  else
    rest = {};
  if (!rest.empty() &&
      (!take(rest, ":") || !read_number(rest, endpoint.port) || endpoint.port == 0))
    return bad("the port must be a number between 1 and 65535");
  if (endpoint.host.empty()) return bad("the host is missing");
  return endpoint;
}

bool Endpoint::loopback() const {
  return host.empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string Endpoint::str() const {
  if (host.empty()) return socket;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

RedisConfig RedisConfig::parse(config::Node& node) {
  RedisConfig config;
  auto endpoint = Endpoint::parse(node.text("url", "redis://127.0.0.1:6379/0"));
  if (endpoint)
    config.endpoint = std::move(endpoint).value();
  else
    node.problem("url", endpoint.error().message);
  config.insecure = node.boolean("insecure", config.insecure);
  if (!config.insecure && !config.endpoint.loopback()) {
    node.problem("url",
                 "plain text to a host that is not this one; set insecure: true if the network "
                 "between is trusted");
  }
  if (node.has("password_file")) {
    node.secret_file("password_file");  // problems are told now; the text is read at every open
    config.password_file = node.path_of("password_file");
  } else if (!config.endpoint.user.empty()) {
    node.problem("password_file", "is missing: the url names a user");
  }
  config.prefix = node.text("prefix", config.prefix);
  if (config.prefix.find_first_of("{}") != std::string::npos)
    node.problem("prefix",
                 "must not contain { or }: they mark the part of a key that chooses its slot");
  config.feed = node.boolean("feed", config.feed);
  config.feed_name = node.text("feed_name", config.feed_name);
  const auto count = [&](std::string_view key, std::uint64_t fallback, std::int64_t most) {
    return static_cast<std::uint64_t>(
        node.integer(key, static_cast<std::int64_t>(fallback), 1, most));
  };
  config.feed_maxlen = count("feed_maxlen", config.feed_maxlen, 1'000'000'000);
  config.entries_max = count("entries_max", config.entries_max, 100'000);
  config.bytes_max = node.bytes("bytes_max", config.bytes_max);
  config.timeout = node.duration("timeout", config.timeout);
  config.claim_wait = node.duration("claim_wait", config.claim_wait);
  config.tombstone_ttl = node.duration("tombstone_ttl", config.tombstone_ttl);
  if (config.timeout < Millis(1)) node.problem("timeout", "must be at least 1ms");
  if (config.tombstone_ttl < Millis(1)) node.problem("tombstone_ttl", "must be at least 1ms");
  return config;
}

}  // namespace headwater::redis
