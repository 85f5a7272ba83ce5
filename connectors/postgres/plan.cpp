#include "connectors/postgres/plan.hpp"

#include <algorithm>
#include <array>

#include "connectors/postgres/identifiers.hpp"
#include "schemas/core/assert.hpp"
#include "schemas/crm/mapping.hpp"

namespace headwater::postgres {
namespace {

ColumnType column_type(crm::FieldType type) {
  switch (type) {
    case crm::FieldType::Text:
    case crm::FieldType::Email:
    case crm::FieldType::Phone:
    case crm::FieldType::Url:
    case crm::FieldType::Enum:
      return ColumnType::Text;
    case crm::FieldType::Bool:
      return ColumnType::Bool;
    case crm::FieldType::Int:
      return ColumnType::Bigint;
    case crm::FieldType::Decimal:
      return ColumnType::Numeric;
    case crm::FieldType::Date:
      return ColumnType::Date;
    case crm::FieldType::Timestamp:
      return ColumnType::Timestamp;
    case crm::FieldType::Time:
      return ColumnType::Time;
    case crm::FieldType::Ref:
      return ColumnType::Id;
    case crm::FieldType::TextArray:
      return ColumnType::TextArray;
    case crm::FieldType::Address:
    case crm::FieldType::Geo:
    case crm::FieldType::Json:
      return ColumnType::Jsonb;
  }
  HEADWATER_ASSERT(!"a field type without a column type");
}

bool is_common(std::string_view field) {
  return std::ranges::any_of(common_columns(), [&](const Column& c) { return c.member == field; });
}

TablePlan plan_table(const crm::EntityMapping& entity) {
  TablePlan plan{entity.entity, table_of(entity.entity), {}};
  for (const crm::FieldMapping& field : entity.fields) {
    if (is_common(field.name)) continue;
    if (!field.builtin && !field.column) continue;
    // Lookups are what people join by; the columns of the head (owner, creator) are not worth an
    // index each.
    const bool index = field.index || field.type == crm::FieldType::Ref;
    plan.columns.push_back({field.builtin ? field.name : "x_" + field.name,
                            column_type(field.type),
                            field.name,
                            index});
  }
  return plan;
}

}  // namespace

std::string_view sql_type(ColumnType type) {
  switch (type) {
    case ColumnType::Text:
      return "text";
    case ColumnType::TextArray:
      return "text[]";
    case ColumnType::Bool:
      return "boolean";
    case ColumnType::Bigint:
      return "bigint";
    case ColumnType::Numeric:
      return "numeric";
    case ColumnType::Date:
      return "date";
    case ColumnType::Timestamp:
      return "timestamptz";
    case ColumnType::Time:
      return "time";
    case ColumnType::Id:
      return "char(18) collate \"C\"";
    case ColumnType::Currency:
      return "char(3)";
    case ColumnType::Jsonb:
      return "jsonb";
  }
  return "?";
}

std::string_view type_name(ColumnType type) {
  switch (type) {
    case ColumnType::Timestamp:
      return "timestamp with time zone";
    case ColumnType::Time:
      return "time without time zone";
    case ColumnType::Id:
      return "character(18)";
    case ColumnType::Currency:
      return "character(3)";
    default:
      return sql_type(type);
  }
}

std::span<const Column> common_columns() {
  static const std::array kColumns{
      Column{"name", ColumnType::Text, "name"},
      Column{"owner_id", ColumnType::Id, "owner_id"},
      Column{"currency", ColumnType::Currency, "currency"},
      Column{"record_type_id", ColumnType::Id, "record_type_id"},
      Column{"record_type", ColumnType::Text, "record_type"},
      Column{"created_at", ColumnType::Timestamp, "created_at"},
      Column{"created_by_id", ColumnType::Id, "created_by_id"},
      Column{"updated_at", ColumnType::Timestamp, "updated_at"},
      Column{"updated_by_id", ColumnType::Id, "updated_by_id"},
  };
  return kColumns;
}

std::span<const std::string_view> head_columns() {
  static constexpr std::array<std::string_view, 19> kColumns{"org",
                                                             "object",
                                                             "id",
                                                             "bu",
                                                             "rev",
                                                             "ver",
                                                             "hash",
                                                             "mapping_rev",
                                                             "commit_ts",
                                                             "complete",
                                                             "is_deleted",
                                                             "deleted_at",
                                                             "delete_reason",
                                                             "merged_into",
                                                             "fields",
                                                             "extra",
                                                             "raw",
                                                             "violations",
                                                             "retired"};
  return kColumns;
}

TablePlan custom_record_plan() { return {"", "custom_record", {}}; }

std::vector<TablePlan> plan_tables(const crm::Mapping& mapping) {
  std::vector<TablePlan> plans;
  for (const crm::EntityMapping& entity : mapping.entities()) {
    TablePlan plan = plan_table(entity);
    if (plan.columns.empty() && plan.entity.starts_with("custom:")) continue;
    plans.push_back(std::move(plan));
  }
  std::ranges::sort(plans, {}, &TablePlan::entity);
  plans.push_back(custom_record_plan());
  return plans;
}

}  // namespace headwater::postgres
