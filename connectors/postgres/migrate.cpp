#include "connectors/postgres/migrate.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "connectors/postgres/ddl.hpp"
#include "connectors/postgres/identifiers.hpp"
#include "connectors/postgres/migrations.hpp"

namespace headwater::postgres {
namespace {

struct Found {
  bool schema = false;
  int newest = 0;  // number of the last migration that ran; 0: none
};

int to_int(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<Found> find_state(Connection& connection, const std::string& schema) {
  const std::array name{schema};
  auto rows = connection.query(
      "select c.oid is not null from pg_catalog.pg_namespace n left join pg_catalog.pg_class c "
      "on c.relnamespace = n.oid and c.relname = 'migration' where n.nspname = $1",
      name);
  if (!rows) return std::move(rows).error();
  Found found{!rows->empty(), 0};
  if (rows->empty() || rows->front().front() != "t") return found;
  auto newest = connection.query(
      fmt::format("select coalesce(max(number), 0) from {}.migration", quoted(schema)));
  if (!newest) return std::move(newest).error();
  found.newest = to_int(newest->front().front().value_or("0"));
  return found;
}

/// Once all migrations ran. Only they make these tables, and each runs once: but the cursor can be
/// made again, since a target without one is told everything.
Result<void> has_fixed_tables(const Catalog& catalog, const std::string& schema) {
  for (const std::string_view table : fixed_tables()) {
    if (table == kCursorTable || catalog.relations.contains(table)) continue;
    return blocked(
        fmt::format("table {}.{} was taken away: restore it, or drop the whole schema, which is "
                    "then made anew and filled with every record",
                    schema,
                    table));
  }
  return {};
}

/// What the plans ask for stands now: what is missing later was taken away.
Result<void> note_layout(Connection& connection,
                         std::span<const TablePlan> plans,
                         const Catalog& catalog) {
  const auto rows = unknown_columns(plans, catalog);
  if (rows.empty()) return {};
  return connection.run(
      fmt::format("insert into layout (relation, attribute) values {}", fmt::join(rows, ", ")));
}

Error newer_format(const std::string& schema, int found, int ours) {
  return fatal(fmt::format(
      "schema {} is of a newer format (migration {}, this program knows up to {}); run the newer "
      "program, or give this one another schema",
      schema,
      found,
      ours));
}

Result<void> record(Connection& connection, const Migration& migration) {
  return connection.run(fmt::format("insert into migration (number, name) values ({}, {})",
                                    migration.number,
                                    literal(migration.name)));
}

Result<void> run(Connection& connection, const std::string& sql, const std::string& shown) {
  auto ran = connection.run(sql);
  if (ran) return ran;
  return Error{
      ran.error().kind, fmt::format("{} (by: {})", ran.error().message, shown), ran.error().code};
}

/// Inside the transaction, with the lock: nobody else changes the schema now.
Result<void> bring_up(Connection& connection,
                      const std::string& schema,
                      std::span<const TablePlan> plans,
                      int fillfactor) {
  auto found = find_state(connection, schema);
  if (!found) return std::move(found).error();
  const int ours = migrations().back().number;
  if (found->newest > ours) return newer_format(schema, found->newest, ours);
  // Not `if not exists`: that asks for the privilege even when there is nothing to create.
  if (!found->schema) {
    if (auto made = connection.run(fmt::format("create schema {}", quoted(schema))); !made)
      return made;
  }
  if (auto set =
          connection.run(fmt::format("set local search_path = {}, pg_catalog", quoted(schema)));
      !set)
    return set;
  if (found->newest == 0) {
    auto made = connection.run(
        "create table if not exists migration (number int primary key, name text not null, "
        "applied_at timestamptz not null default now())");
    if (!made) return made;
  }
  for (const Migration& migration : migrations()) {
    if (migration.number <= found->newest) continue;
    if (auto ran = connection.run(std::string(migration.sql)); !ran) {
      return Error{ran.error().kind,
                   fmt::format("migration {}: {}", migration.name, ran.error().message),
                   ran.error().code};
    }
    if (auto noted = record(connection, migration); !noted) return noted;
  }
  auto catalog = read_catalog(connection, schema);
  if (!catalog) return std::move(catalog).error();
  if (auto whole = has_fixed_tables(*catalog, schema); !whole) return whole;
  auto statements = ddl_for(plans, *catalog, fillfactor);
  if (!statements) return std::move(statements).error();
  for (const std::string& sql : statements->together) {
    if (auto ran = run(connection, sql, sql); !ran) return ran;
  }
  if (!catalog->relations.contains(kCursorTable)) {
    if (auto made = run(connection, std::string(kCreateCursor), "create table cursor"); !made)
      return made;
  } else if (statements->lost) {
    // As a target that lost all: whoever opens finds no cursor and tells every record.
    if (auto reset = connection.run("update cursor set ledger = '', rev = 0"); !reset) return reset;
  }
  return note_layout(connection, plans, *catalog);
}

/// What readers need not wait for, each statement by itself.
Result<Left> finish(Connection& connection,
                    const std::string& schema,
                    std::span<const TablePlan> plans,
                    int fillfactor) {
  auto catalog = read_catalog(connection, schema);
  if (!catalog) return std::move(catalog).error();
  auto statements = ddl_for(plans, *catalog, fillfactor);
  if (!statements) return std::move(statements).error();
  for (const std::string& sql : statements->afterwards) {
    const std::string alone = fmt::format(
        "begin; set local statement_timeout = 0; set local search_path = {}, pg_catalog; {}; "
        "commit",
        quoted(schema),
        sql);
    if (auto ran = run(connection, alone, sql); !ran) return ran.error();
  }
  return Left{retired_tables(plans, *catalog), retired_columns(plans, *catalog)};
}

Result<bool> is_up_to_date(Connection& connection,
                           const std::string& schema,
                           std::span<const TablePlan> plans,
                           int fillfactor,
                           Left& left) {
  auto found = find_state(connection, schema);
  if (!found) return std::move(found).error();
  const int ours = migrations().back().number;
  if (found->newest > ours) return newer_format(schema, found->newest, ours);
  if (found->newest < ours) return false;
  auto catalog = read_catalog(connection, schema);
  if (!catalog) return std::move(catalog).error();
  if (auto whole = has_fixed_tables(*catalog, schema); !whole) return std::move(whole).error();
  auto statements = ddl_for(plans, *catalog, fillfactor);
  if (!statements) return std::move(statements).error();
  left = {retired_tables(plans, *catalog), retired_columns(plans, *catalog)};
  return statements->empty() && unknown_columns(plans, *catalog).empty() &&
         catalog->relations.contains(kCursorTable);
}

}  // namespace

Result<Catalog> read_catalog(Connection& connection, const std::string& schema) {
  const std::array name{schema};
  auto columns = connection.query(
      "select c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), "
      "coalesce(pg_catalog.col_description(c.oid, a.attnum), '') from "
      "pg_catalog.pg_class c "
      "join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_attribute a on "
      "a.attrelid = c.oid "
      "and a.attnum > 0 and not a.attisdropped where n.nspname = $1 and c.relkind in ('r', 'p', "
      "'v')",
      name);
  if (!columns) return std::move(columns).error();
  auto indexes = connection.query(
      "select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = "
      "c.relnamespace "
      "where n.nspname = $1 and c.relkind in ('i', 'I')",
      name);
  if (!indexes) return std::move(indexes).error();
  Catalog catalog;
  for (const auto& row : *columns) {
    catalog.relations[row[0].value()][row[1].value()] = row[2].value();
    if (row[3] == kFillingComment) catalog.filling.insert(place(row[0].value(), row[1].value()));
    if (row[3] == kRetiredComment) catalog.retired.insert(place(row[0].value(), row[1].value()));
    if (row[3] == kLostComment) catalog.lost.insert(place(row[0].value(), row[1].value()));
  }
  for (const auto& row : *indexes) catalog.indexes.insert(row[0].value());
  if (catalog.relations.contains("layout")) {
    auto layout =
        connection.query(fmt::format("select relation, attribute from {}.layout", quoted(schema)));
    if (!layout) return std::move(layout).error();
    for (const auto& row : *layout) catalog.known.insert(place(row[0].value(), row[1].value()));
  }
  return catalog;
}

Result<Left> migrate(Connection& connection,
                     const std::string& schema,
                     std::span<const TablePlan> plans,
                     int fillfactor) {
  Left left;
  auto done = is_up_to_date(connection, schema, plans, fillfactor, left);
  if (!done) return std::move(done).error();
  if (*done) return left;
  // Building an index on a large table may take longer than any statement of a batch.
  auto begun =
      connection.run(fmt::format("begin; set local statement_timeout = 0; "
                                 "select pg_advisory_xact_lock(hashtextextended({}, 0))",
                                 literal("headwater " + schema)));
  if (begun) begun = bring_up(connection, schema, plans, fillfactor);
  if (begun) begun = connection.run("commit");
  auto finished =
      begun ? finish(connection, schema, plans, fillfactor) : Result<Left>(begun.error());
  if (!finished && connection.usable()) {
    if (auto undone = connection.run("rollback"); !undone) return undone.error();
  }
  return finished;
}

}  // namespace headwater::postgres
