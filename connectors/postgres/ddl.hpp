#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/plan.hpp"
#include "schemas/core/result.hpp"

namespace headwater::postgres {

/// What a schema holds already.
struct Catalog {
  /// Table or view -> column -> type as format_type() prints it.
  std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>> relations;
  std::set<std::string, std::less<>> indexes;
};

/// The statements that make a schema hold what the plans ask for, in order; none if it does
/// already. Tables and columns are only ever added. Names are unqualified: the schema is on the
/// search path. A field that gets a column later is moved there from `fields`, an object that gets
/// a table from custom_record. Blocked: a column has another type than its plan.
Result<std::vector<std::string>> ddl_for(std::span<const TablePlan> plans,
                                         const Catalog& catalog,
                                         int fillfactor);

}  // namespace headwater::postgres
