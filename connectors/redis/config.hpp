#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/node.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::redis {

/// Where a Redis server listens: what a URL says.
struct Endpoint {
  std::string host;  ///< empty: `socket` it is
  std::uint16_t port = 6379;
  std::string socket;  ///< path
  std::string user;    ///< of AUTH; empty: the default user
  int database = 0;

  /// `redis://[user@]host[:port][/db]`, `redis+unix:///path` or `unix:///path`, both with `?db=N`.
  /// The error is a sentence for a configuration problem.
  static Result<Endpoint> parse(std::string_view url);
  bool loopback() const;    ///< a socket file, 127.0.0.0/8, ::1 or localhost
  std::string str() const;  ///< `127.0.0.1:6379` or the path: for messages
};

/// The sink's section of the configuration.
struct RedisConfig {
  Endpoint endpoint;
  std::string password_file;            ///< path, read again at every open; empty: no password
  bool insecure = false;                ///< plain text to a host that is not this one was asked for
  std::string prefix = "crm:";          ///< of every key
  bool feed = true;                     ///< keep the stream <prefix><feed_name>
  std::string feed_name = "feed";       ///< two daemons on one server need two
  std::uint64_t feed_maxlen = 100'000;  ///< entries kept, about
  std::size_t entries_max = 2'000;      ///< most entries in one write
  std::size_t bytes_max = 4U << 20;     ///< most journal bytes in one write
  Millis timeout{5'000};                ///< of a connect, and of one write with all its replies
  Millis claim_wait{30'000};            ///< silence after which another daemon's claim has lapsed
  Millis tombstone_ttl{
      96 * 3'600'000};  ///< how long a deleted record keeps its rev; longer than the bus's 72 h

  static RedisConfig parse(config::Node& node);
};

}  // namespace headwater::redis
