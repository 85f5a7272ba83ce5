#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headwater::crm {
class Mapping;
}

namespace headwater::postgres {

/// Type of a column that a canonical field has (unified-model.md section 4).
enum class ColumnType : std::uint8_t {
  Text,
  TextArray,
  Bool,
  Bigint,
  Numeric,
  Date,
  Timestamp,
  Time,
  Id,
  Currency,
  Jsonb
};

std::string_view sql_type(ColumnType type);  ///< as in DDL: `char(18) collate "C"`
std::string_view type_name(
    ColumnType type);  ///< as Postgres' format_type() prints it: `character(18)`

/// A column and the canonical field that fills it.
struct Column {
  std::string name;
  ColumnType type = ColumnType::Text;
  std::string member;  ///< name in the image's fields
  bool index = false;

  friend bool operator==(const Column&, const Column&) = default;
};

/// One read table. Its head is the same for all; `columns` come on top.
struct TablePlan {
  std::string
      entity;  ///< `contact`, `custom:Invoice__c`; empty: custom_record, for all that have no table
  std::string table;
  std::vector<Column> columns;

  friend bool operator==(const TablePlan&, const TablePlan&) = default;
};

/// Columns of every table's head that canonical fields fill.
std::span<const Column> common_columns();
/// Columns of every table's head that come from the entry, in the order in which rows are rendered.
std::span<const std::string_view> head_columns();

/// The tables that a mapping asks for, by entity. Built-in fields have a column of their own name,
/// others only with `column: true`, named `x_<name>`. A custom object without a column stays in
/// custom_record, which is always the last plan.
std::vector<TablePlan> plan_tables(const crm::Mapping& mapping);

/// The plan of custom_record: what no entity's table holds.
TablePlan custom_record_plan();

}  // namespace headwater::postgres
