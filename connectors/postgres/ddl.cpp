#include "connectors/postgres/ddl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "connectors/postgres/identifiers.hpp"

namespace headwater::postgres {
namespace {

constexpr std::string_view kHead = "custom_record";
/// A column that every table has.
constexpr std::string_view kKey = "id";
/// The fixed tables, which an entity of that name would be mixed up with.
constexpr std::array<std::string_view, 8> kFixedTables{
    kHead, kCursorTable, "edge", "hole", "layout", "migration", "platform_event", "quarantine"};

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

std::string comment(const TablePlan& plan, std::string_view column, std::string_view text) {
  return fmt::format("comment on column {}.{} is {}",
                     quoted(plan.table),
                     quoted(column),
                     text.empty() ? std::string("null") : literal(text));
}

/// A value that does not fit stays in `fields`: the mapping gave the field another type as well, so
/// its record is told again.
std::string fill(const TablePlan& plan, const Column& column) {
  return fmt::format(
      "do $fill$ begin begin {}; exception when data_exception then null; end; {}; end $fill$",
      backfill(plan, column),
      comment(plan, column.name, ""));
}

/// Rows that lack what a lost column held give way to whatever is told of them.
std::string tell_again(const TablePlan& plan, std::string_view column) {
  return fmt::format("update {} set rev = 0 where rev is distinct from 0; {}",
                     quoted(plan.table),
                     comment(plan, column, ""));
}

std::map<std::string, std::string, std::less<>> columns_in(const Catalog& catalog,
                                                           std::string_view table) {
  const auto found = catalog.relations.find(table);
  if (found == catalog.relations.end()) return {};
  return found->second;
}

std::optional<std::string> other_type(
    const TablePlan& plan,
    const Column& column,
    const std::map<std::string, std::string, std::less<>>& existing) {
  const auto found = existing.find(column.name);
  if (found == existing.end() || found->second == type_name(column.type)) return std::nullopt;
  return fmt::format(
      "column {}.{} is {}, but the mapping says {}; a column's type is never changed: give the "
      "field another name or its old type in the mapping (SIGHUP takes it over), or drop the "
      "column "
      "and its views by hand",
      plan.table,
      column.name,
      found->second,
      type_name(column.type));
}

/// Moves an object's rows out of custom_record into the table that it now has.
std::string move_rows(const TablePlan& plan) {
  std::string names = "customer_id";
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
class MissingColumns {
 public:
  MissingColumns(const TablePlan& plan, const Catalog& catalog, Ddl& out)
      : plan_(plan), catalog_(catalog), existing_(columns_in(catalog, plan.table)), out_(out) {}

  Result<bool> add() {
    // A column that a later migration gave to the head.
    for (const auto& [name, type] : columns_in(catalog_, kHead)) bring(name, type, nullptr);
    for (const Column& column : plan_.columns) {
      if (const auto other = other_type(plan_, column, existing_)) return blocked(*other);
      bring(column.name, sql_type(column.type), &column);
    }
    return added_;
  }

 private:
  /// `column`: nullptr for one of the head, which nothing fills.
  void bring(std::string_view name, std::string_view type, const Column* column) {
    const std::string here = place(plan_.table, name);
    const bool missing = !existing_.contains(name);
    const bool lost = missing ? catalog_.known.contains(here) : catalog_.lost.contains(here);
    if (missing) {
      added_ = true;
      out_.lost = out_.lost || lost;
      out_.together.push_back(
          fmt::format("alter table {} add column {} {}", quoted(plan_.table), quoted(name), type));
      if (lost || column != nullptr)
        out_.together.push_back(comment(plan_, name, lost ? kLostComment : kFillingComment));
    }
    if (lost) {
      out_.afterwards.push_back(tell_again(plan_, name));
    } else if (column != nullptr &&
               (missing || catalog_.filling.contains(here) || catalog_.retired.contains(here))) {
      out_.afterwards.push_back(fill(plan_, *column));
    }
  }

  const TablePlan& plan_;
  const Catalog& catalog_;
  const std::map<std::string, std::string, std::less<>> existing_;
  Ddl& out_;
  bool added_ = false;
};

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

std::string place(std::string_view table, std::string_view column) {
  return fmt::format("{}.{}", table, column);
}

std::span<const std::string_view> fixed_tables() { return kFixedTables; }

std::vector<std::string> unknown_columns(std::span<const TablePlan> plans, const Catalog& catalog) {
  std::vector<std::string> out;
  for (const TablePlan& plan : plans) {
    if (plan.entity.empty()) continue;
    const auto note = [&](std::string_view column) {
      if (catalog.known.contains(place(plan.table, column))) return;
      out.push_back(fmt::format("({}, {})", literal(plan.table), literal(column)));
    };
    for (const auto& [name, type] : columns_in(catalog, kHead)) note(name);
    for (const Column& column : plan.columns) note(column.name);
  }
  return out;
}

std::vector<Place> retired_columns(std::span<const TablePlan> plans, const Catalog& catalog) {
  std::vector<Place> out;
  const auto head = columns_in(catalog, kHead);
  for (const TablePlan& plan : plans) {
    if (plan.entity.empty()) continue;
    for (const auto& [name, type] : columns_in(catalog, plan.table)) {
      if (head.contains(name) || !catalog.known.contains(place(plan.table, name))) continue;
      if (std::ranges::find(plan.columns, name, &Column::name) != plan.columns.end()) continue;
      out.push_back({plan.table, name, type});
    }
  }
  return out;
}

std::vector<std::string> other_types(std::span<const TablePlan> plans, const Catalog& catalog) {
  std::vector<std::string> out;
  for (const TablePlan& plan : plans) {
    if (plan.entity.empty()) continue;
    const auto existing = columns_in(catalog, plan.table);
    for (const Column& column : plan.columns) {
      if (auto other = other_type(plan, column, existing)) out.push_back(std::move(*other));
    }
  }
  return out;
}

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
    Ddl own;
    const auto table = catalog.relations.find(plan.table);
    if (table == catalog.relations.end()) {
      own.lost = catalog.known.contains(place(plan.table, kKey));
      own.together.push_back(create_table(plan, fillfactor));
      if (plan.entity.starts_with("custom:")) {
        own.together.push_back(move_rows(plan));
        for (const Column& column : plan.columns) own.together.push_back(backfill(plan, column));
      }
    } else {
      auto added = MissingColumns(plan, catalog, own).add();
      if (!added) return std::move(added).error();
      changed = *added;
    }
    add_indexes(plan, catalog, own.afterwards);
    const std::string view = plan.table + "_live";
    const auto found = catalog.relations.find(view);
    // What was lost comes back in another place, and a view cannot follow.
    if (own.lost && found != catalog.relations.end())
      own.together.push_back(fmt::format("drop view {}", quoted(view)));
    if (changed || found == catalog.relations.end() ||
        found->second.size() < table->second.size()) {
      own.together.push_back(
          fmt::format("create or replace view {} as select * from {} where not is_deleted",
                      quoted(view),
                      quoted(plan.table)));
    }
    std::ranges::move(own.together, std::back_inserter(out.together));
    std::ranges::move(own.afterwards, std::back_inserter(out.afterwards));
    out.lost = out.lost || own.lost;
  }
  return out;
}

}  // namespace headwater::postgres
