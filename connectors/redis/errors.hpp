#pragma once

#include <string_view>

#include "schemas/core/result.hpp"

namespace headwater::redis {

/// What an error reply means to us: kind, remedy, and the reply's first word as code.
///
/// Pure. `server` is where (`127.0.0.1:6379`), `doing` what we did (`headwater_put of 100
/// records`). Arguments that Redis repeats in some replies are cut off: they may be values. Source:
/// redis.io "Redis serialization protocol", error prefixes; src/server.c createSharedObjects() of
/// Redis 7.0.
Error classify(std::string_view server, std::string_view doing, std::string_view reply);

/// A connection that failed: always Transient, what was sent may or may not have been done.
Error connection_error(std::string_view server, std::string_view doing, std::string_view reason);

}  // namespace headwater::redis
