#pragma once

#include "connectors/postgres/config.hpp"
#include "connectors/postgres/connection.hpp"
#include "schemas/core/result.hpp"

namespace headwater::postgres {

/// A connection as the sink needs it: to a server that is new enough, whose database is UTF-8, with
/// the session's time limits and planner settings. The password is read anew each time. Blocked:
/// what a person must mend; Transient: the server is away.
Result<Connection> open_session(const PostgresConfig& config);

}  // namespace headwater::postgres
