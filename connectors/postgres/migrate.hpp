#pragma once

#include <span>
#include <string>
#include <vector>

#include "connectors/postgres/connection.hpp"
#include "connectors/postgres/ddl.hpp"
#include "connectors/postgres/plan.hpp"
#include "schemas/core/result.hpp"

namespace headwater::postgres {

/// What the schema holds; nothing if there is none. Writes nothing.
Result<Catalog> read_catalog(Connection& connection, const std::string& schema);

/// What another mapping left behind.
struct Left {
  std::vector<std::string> tables;  ///< of entities that no plan names any more
  std::vector<Place> columns;       ///< that no plan fills any more
};

/// Brings a schema to what this program needs: the numbered migrations, then the entity tables,
/// columns and views of the plans, all in one transaction under an advisory lock; then, while
/// readers go on, new columns are filled and indexes built. Does not write at all if nothing is
/// missing, so that a role without CREATE can run on a schema that someone else prepared. Fatal:
/// the schema was made by a newer program. Blocked: a missing privilege, a column of another type.
Result<Left> migrate(Connection& connection,
                     const std::string& schema,
                     std::span<const TablePlan> plans,
                     int fillfactor);

}  // namespace headwater::postgres
