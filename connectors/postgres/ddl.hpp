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
  std::set<std::string, std::less<>> retired;  ///< no plan filled it at some time
  std::set<std::string, std::less<>> lost;   ///< made again, but its rows not yet to be told again
  std::set<std::string, std::less<>> known;  ///< has been here, by the table `layout`
};

/// `table.column`, as these sets hold it.
std::string place(std::string_view table, std::string_view column);

/// What a schema lacks, in order.
struct Ddl {
  /// In one short transaction: tables, columns, views. Takes locks that keep readers out.
  std::vector<std::string> together;
  /// Each by itself, afterwards: filling columns and building indexes take their time, and readers
  /// go on. What a crash leaves undone is found again.
  std::vector<std::string> afterwards;
  /// Someone took away a table or a column that had been here: all records must be told again.
  bool lost = false;
  bool empty() const { return together.empty() && afterwards.empty(); }
};

/// What a column's comment says from when it is added until it is filled.
inline constexpr std::string_view kFillingComment = "headwater: is being filled";

/// The same for one that no field of the mapping fills; it is filled again should one do so.
inline constexpr std::string_view kRetiredComment = "headwater: no field fills it any more";

/// The same for one that had been here and was taken away.
inline constexpr std::string_view kLostComment = "headwater: was lost, is being told again";

/// The tables that no mapping names: made by migrations, never again by ddl_for().
std::span<const std::string_view> fixed_tables();

/// Where a sink stands and its fence, as the migrations leave that table: someone may drop it, and
/// no migration runs twice.
inline constexpr std::string_view kCursorTable = "cursor";
inline constexpr std::string_view kCreateCursor =
    "create table cursor (sink text not null, org text not null, ledger text not null, holder text "
    "not null, epoch bigint not null, rev bigint not null, commit_ts timestamptz, updated_at "
    "timestamptz not null default now(), highest bigint not null default 0, primary key (sink, "
    "org))";

/// What the plans ask for and `layout` does not know yet, as `(relation, attribute)` values.
std::vector<std::string> unknown_columns(std::span<const TablePlan> plans, const Catalog& catalog);

/// A column of a table.
struct Place {
  std::string table, column, type;
  friend bool operator==(const Place&, const Place&) = default;
};

/// Columns of the plans' tables that we made (`layout` knows them) and that no plan fills any more.
std::vector<Place> retired_columns(std::span<const TablePlan> plans, const Catalog& catalog);

/// Columns that have another type than their plan asks for, each as a sentence with what to do.
std::vector<std::string> other_types(std::span<const TablePlan> plans, const Catalog& catalog);

/// Entity tables that no plan names any more: what stands there is told elsewhere now.
std::vector<std::string> retired_tables(std::span<const TablePlan> plans, const Catalog& catalog);

/// The statements that make a schema hold what the plans ask for; none if it does already. Tables
/// and columns are only ever added. Names are unqualified: the schema is on the search path. A
/// field that gets a column later is moved there from `fields`, an object that gets a table from
/// custom_record. What `layout` knows and the schema lacks was taken away by someone: it is made
/// again, and its rows count as never written. Blocked: a column has another type than its plan.
Result<Ddl> ddl_for(std::span<const TablePlan> plans, const Catalog& catalog, int fillfactor);

}  // namespace headwater::postgres
