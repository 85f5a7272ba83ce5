#include "connectors/postgres/ddl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "connectors/postgres/identifiers.hpp"

namespace headwater::postgres {
namespace {

constexpr std::string_view kHead = "custom_record";
/// The fixed tables, which an entity of that name would be mixed up with.
constexpr std::array<std::string_view, 7> kFixedTables{
    kHead, "cursor", "edge", "hole", "migration", "platform_event", "quarantine"};

std::string column_ddl(const Column& column) {
  return fmt::format("{} {}", quoted(column.name), sql_type(column.type));
}

std::string create_table(const TablePlan& plan, int fillfactor) {
  std::string columns;
  for (const Column& column : plan.columns) columns += column_ddl(column) + ", ";
  return fmt::format(
      "create table {} (like {} including defaults, {}primary key (org, id)) with (fillfactor = "
      "{})",
      quoted(plan.table),
      kHead,
      columns,
      fillfactor);
}

/// Moves a field's value from `fields` into its new column.
std::string backfill(const TablePlan& plan, const Column& column) {
  const std::string member = literal(column.member);
  std::string value;
  switch (column.type) {
    case ColumnType::Jsonb:
      value = fmt::format("fields -> {}", member);
      break;
    case ColumnType::TextArray:
      value = fmt::format(
          "(select array_agg(e order by n) from jsonb_array_elements_text(fields -> {}) "
          "with ordinality a(e, n))",
          member);
      break;
    default:
      value = fmt::format("(fields ->> {})::{}", member, type_name(column.type));
  }
  return fmt::format("update {} set {} = {}, fields = fields - {} where fields ? {}",
                     quoted(plan.table),
                     quoted(column.name),
                     value,
                     member,
                     member);
}

std::string comment(const TablePlan& plan, const Column& column, std::string_view text) {
  return fmt::format("comment on column {}.{} is {}",
                     quoted(plan.table),
                     quoted(column.name),
                     text.empty() ? std::string("null") : literal(text));
}

/// A value that does not fit stays in `fields`: the mapping gave the field another type as well, so
/// its record is told again.
std::string fill(const TablePlan& plan, const Column& column) {
  return fmt::format(
      "do $fill$ begin begin {}; exception when data_exception then null; end; {}; end $fill$",
      backfill(plan, column),
      comment(plan, column, ""));
}

/// Moves an object's rows out of custom_record into the table that it now has.
std::string move_rows(const TablePlan& plan) {
  std::string names = "customer_id, violations";
  for (const std::string_view name : head_columns()) names += ", " + quoted(name);
  for (const Column& column : common_columns()) names += ", " + quoted(column.name);
  const std::string_view object =
      std::string_view(plan.entity).substr(std::string_view("custom:").size());
  return fmt::format(
      "with moved as (delete from {} where object = {} returning *) insert into {} ({}) select {} "
      "from moved",
      kHead,
      literal(object),
      quoted(plan.table),
      names,
      names);
}

/// Adds what one existing table lacks. True if it got a column.
Result<bool> add_columns(const TablePlan& plan, const Catalog& catalog, Ddl& out) {
  const auto& existing = catalog.relations.find(plan.table)->second;
  bool added = false;
  // A column that a later migration gave to the head.
  if (const auto head = catalog.relations.find(kHead); head != catalog.relations.end()) {
    for (const auto& [name, type] : head->second) {
      if (existing.contains(name)) continue;
      out.together.push_back(
          fmt::format("alter table {} add column {} {}", quoted(plan.table), quoted(name), type));
      added = true;
    }
  }
  for (const Column& column : plan.columns) {
    const auto found = existing.find(column.name);
    if (found == existing.end()) {
      out.together.push_back(
          fmt::format("alter table {} add column {}", quoted(plan.table), column_ddl(column)));
      out.together.push_back(comment(plan, column, kFillingComment));
      out.afterwards.push_back(fill(plan, column));
      added = true;
    } else if (found->second != type_name(column.type)) {
      return blocked(fmt::format(
          "column {}.{} is {}, but the mapping now says {}; a column's type is never changed: give "
          "the field another name, or drop the column and its views by hand",
          plan.table,
          column.name,
          found->second,
          type_name(column.type)));
    } else if (catalog.filling.contains(plan.table + "." + column.name)) {
      out.afterwards.push_back(fill(plan, column));
    }
  }
  return added;
}

void add_indexes(const TablePlan& plan, const Catalog& catalog, std::vector<std::string>& out) {
  for (const Column& column : plan.columns) {
    const std::string name = index_of(plan.table, column.name);
    if (!column.index || catalog.indexes.contains(name)) continue;
    // Rows without a value are left out: most lookups of most records are empty, and an index that
    // holds them costs every insert.
    const std::string key = (column.type == ColumnType::Id ? "org, " : "") + quoted(column.name);
    out.push_back(fmt::format(
        "create index if not exists {} on {} ({}) where not is_deleted and {} is not null",
        quoted(name),
        quoted(plan.table),
        key,
        quoted(column.name)));
  }
}

}  // namespace

std::vector<std::string> retired_tables(std::span<const TablePlan> plans, const Catalog& catalog) {
  std::vector<std::string> out;
  for (const auto& [table, columns] : catalog.relations) {
    const bool entity = columns.contains("mapping_rev") && columns.contains("is_deleted") &&
                        catalog.relations.contains(table + "_live");
    if (!entity || table == kHead) continue;
    if (std::ranges::find(plans, table, &TablePlan::table) == plans.end()) out.push_back(table);
  }
  return out;
}

Result<Ddl> ddl_for(std::span<const TablePlan> plans, const Catalog& catalog, int fillfactor) {
  Ddl out;
  for (const TablePlan& plan : plans) {
    if (plan.entity.empty()) continue;  // custom_record itself: a migration's
    if (std::ranges::find(kFixedTables, plan.table) != kFixedTables.end()) {
      return blocked(
          fmt::format("entity {} cannot have a table, because {} is one of the fixed tables; give "
                      "the entity another name in the mapping",
                      plan.entity,
                      plan.table));
    }
    bool changed = true;
    const auto table = catalog.relations.find(plan.table);
    if (table == catalog.relations.end()) {
      out.together.push_back(create_table(plan, fillfactor));
      if (plan.entity.starts_with("custom:")) {
        out.together.push_back(move_rows(plan));
        for (const Column& column : plan.columns) out.together.push_back(backfill(plan, column));
      }
    } else {
      auto added = add_columns(plan, catalog, out);
      if (!added) return std::move(added).error();
      changed = *added;
    }
    add_indexes(plan, catalog, out.afterwards);
    const std::string view = plan.table + "_live";
    const auto found = catalog.relations.find(view);
    if (changed || found == catalog.relations.end() ||
        found->second.size() < table->second.size()) {
      out.together.push_back(
          fmt::format("create or replace view {} as select * from {} where not is_deleted",
                      quoted(view),
                      quoted(plan.table)));
    }
  }
  return out;
}

}  // namespace headwater::postgres
