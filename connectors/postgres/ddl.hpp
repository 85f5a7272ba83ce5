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
  std::set<std::string, std::less<>> filling;  ///< `table.column`: added, but not filled yet
};

/// What a schema lacks, in order.
struct Ddl {
  /// In one short transaction: tables, columns, views. Takes locks that keep readers out.
  std::vector<std::string> together;
  /// Each by itself, afterwards: filling columns and building indexes take their time, and readers
  /// go on. What a crash leaves undone is found again.
  std::vector<std::string> afterwards;
  bool empty() const { return together.empty() && afterwards.empty(); }
};

/// What a column's comment says from when it is added until it is filled.
inline constexpr std::string_view kFillingComment = "headwater: is being filled";

/// Entity tables that no plan names any more: what stands there is told elsewhere now.
std::vector<std::string> retired_tables(std::span<const TablePlan> plans, const Catalog& catalog);

/// The statements that make a schema hold what the plans ask for; none if it does already. Tables
/// and columns are only ever added. Names are unqualified: the schema is on the search path. A
/// field that gets a column later is moved there from `fields`, an object that gets a table from
/// custom_record. Blocked: a column has another type than its plan.
Result<Ddl> ddl_for(std::span<const TablePlan> plans, const Catalog& catalog, int fillfactor);

}  // namespace headwater::postgres
