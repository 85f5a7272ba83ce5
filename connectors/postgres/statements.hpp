#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/ddl.hpp"
#include "connectors/postgres/plan.hpp"

namespace headwater::postgres {

// The SQL of a batch, as prepared once per connection. Pure text; `schema` is a plain name.
// Parameters are the columns of the RowSets in render.hpp, in their order.

std::string upsert_sql(std::string_view schema, const TablePlan& plan);
std::string purge_sql(std::string_view schema, const TablePlan& plan);
std::string edges_sql(std::string_view schema);
std::string edge_sources_sql(std::string_view schema);
/// Appends platform events; one that is there already stays as it is.
std::string platform_sql(std::string_view schema);

/// $1..$4 arrays: org, epoch, rev, commit_ts; $5 sink, $6 holder, $7 ledger, $8 materialize. Raises
/// errors.hpp's kFenced unless every org's row is still ours.
std::string cursor_sql(std::string_view schema);
/// $1 sink, $2 org, $3 holder, $4 claim_wait in milliseconds. Gives ledger, epoch, rev; no row:
/// refused.
std::string claim_sql(std::string_view schema);
/// $1 sink, $2 org. Gives holder and the milliseconds since it touched the cursor.
std::string holder_sql(std::string_view schema);

/// What the mapping in force puts elsewhere, of one org: rows of objects with a table of their own
/// in custom_record, and all of tables that no entity has any more.
std::vector<std::string> leave_sql(std::string_view schema,
                                   std::span<const TablePlan> plans,
                                   std::span<const std::string> retired,
                                   std::string_view org);

/// `holds` asks whether the column has a value in any row of the org; `empty`, several statements,
/// moves them all into `fields`, as the member that filled it, and marks the column (if we own it),
/// in a transaction of its own and however long it takes.
struct EmptyColumn {
  std::string holds, empty;
};
EmptyColumn empty_column_sql(std::string_view schema, const Place& column, std::string_view org);

/// Mirrors: `table` is hole or quarantine. $1.. as make_mirror_rows(), make_mirror_keys(); clearing
/// takes $1, orgs.
std::string mirror_sql(std::string_view schema, std::string_view table);
std::string mirror_close_sql(std::string_view schema, std::string_view table);
std::string mirror_clear_sql(std::string_view schema, std::string_view table);

}  // namespace headwater::postgres
