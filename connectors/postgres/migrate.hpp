#pragma once

#include <span>
#include <string>
#include <vector>

#include "connectors/postgres/connection.hpp"
#include "connectors/postgres/plan.hpp"
#include "schemas/core/result.hpp"

namespace headwater::postgres {

/// Brings a schema to what this program needs: the numbered migrations, then the entity tables,
/// columns and views of the plans, all in one transaction under an advisory lock; then, while
/// readers go on, new columns are filled and indexes built. Does not write at all if nothing is
/// missing, so that a role without CREATE can run on a schema that someone else prepared. Gives the
/// entity tables that no plan names any more. Fatal: the schema was made by a newer program.
/// Blocked: a missing privilege, a column of another type.
Result<std::vector<std::string>> migrate(Connection& connection,
                                         const std::string& schema,
                                         std::span<const TablePlan> plans,
                                         int fillfactor);

}  // namespace headwater::postgres
