#pragma once

#include <cstdint>
#include <string>

#include "config/node.hpp"
#include "schemas/core/time.hpp"

namespace headwater::postgres {

/// `sinks.postgres` of the configuration.
struct PostgresConfig {
  std::string url;            ///< libpq connection string or URI, without a password
  std::string password_file;  ///< path; empty: none. Read at every open, so that it can be changed
  bool insecure = false;      ///< plain text to a host that is not this one was asked for
  bool plain_text = false;    ///< and is possible, as the url stands
  std::string schema = "crm";
  std::size_t entries_max = 1'000;     ///< most entries in one transaction
  std::size_t bytes_max = 8ULL << 20;  ///< most journal bytes in one transaction
  int fillfactor = 80;  ///< per cent, of tables made from now on; lower suits many updates
  Millis connect_timeout{10'000};
  Millis statement_timeout{30'000};  ///< of one statement; longer than the slowest healthy one
  Millis lock_timeout{5'000};
  Millis claim_wait{30'000};  ///< a cursor that another holder has not touched for so long is free

  static PostgresConfig parse(config::Node& node);
};

}  // namespace headwater::postgres
