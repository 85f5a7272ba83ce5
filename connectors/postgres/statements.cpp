#include "connectors/postgres/statements.hpp"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "connectors/postgres/identifiers.hpp"
#include "connectors/postgres/render.hpp"

namespace headwater::postgres {
namespace {

std::string table_name(std::string_view schema, std::string_view table) {
  return quoted(schema) + '.' + quoted(table);
}

/// `(select unnest($1::text[]) c0, unnest($2::bigint[]) c1) u`. Not `from unnest($1, $2)`: that
/// puts every array into a tuplestore of its own first.
std::string unnest(const RowSet& rows) {
  std::string columns;
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    fmt::format_to(std::back_inserter(columns),
                   "{}unnest(${}::{}) c{}",
                   i > 0 ? ", " : "",
                   i + 1,
                   array_type(rows.columns[i].element()),
                   i);
  }
  return fmt::format("(select {}) u", columns);
}

/// The names and types of all columns of a row, in RowSet order; the head's types need no cast.
struct Target {
  std::string name, value;
};
std::vector<Target> targets(const TablePlan& plan) {
  std::vector<Target> out;
  const auto value = [&](ColumnType type) {
    const char* cast = type == ColumnType::Numeric     ? "::numeric"
                       : type == ColumnType::TextArray ? "::text[]"
                                                       : "";
    return fmt::format("u.c{}{}", out.size(), cast);
  };
  for (const std::string_view name : head_columns()) {
    const bool section = name == "fields" || name == "extra" || name == "raw";
    std::string from = value(ColumnType::Text);
    if (section) from = fmt::format("coalesce({}, '{{}}')", from);
    out.push_back({quoted(name), std::move(from)});
  }
  for (const Column& column : common_columns())
    out.push_back({quoted(column.name), value(column.type)});
  for (const Column& column : plan.columns)
    out.push_back({quoted(column.name), value(column.type)});
  return out;
}

}  // namespace

std::string upsert_sql(std::string_view schema, const TablePlan& plan) {
  const auto all = targets(plan);
  std::string names, values, sets;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const char* comma = i > 0 ? ", " : "";
    names += comma + all[i].name;
    values += comma + all[i].value;
    if (i < 3) continue;  // org, object, id: the key
    fmt::format_to(std::back_inserter(sets),
                   "{}{} = excluded.{}",
                   i > 3 ? ", " : "",
                   all[i].name,
                   all[i].name);
  }
  return fmt::format(
      "insert into {} as t ({}) select {} from {} on conflict ({}) do update set {} where t.rev < "
      "excluded.rev",
      table_name(schema, plan.table),
      names,
      values,
      unnest(make_rows(plan)),
      plan.entity.empty() ? "org, object, id" : "org, id",
      sets);
}

std::string purge_sql(std::string_view schema, const TablePlan& plan) {
  return fmt::format(
      "delete from {} t using {} where t.org = u.c0 and t.object = u.c1 and t.id = u.c2::bpchar "
      "and t.rev <= u.c3",
      table_name(schema, plan.table),
      unnest(make_keys()));
}

std::string edges_sql(std::string_view schema) {
  return fmt::format(
      "insert into {} as t (org, src_id, rel, from_object, from_id, to_object, to_id, sort_at, "
      "rev) "
      "select u.c0, u.c1, u.c2, u.c3, u.c1, u.c4, u.c5, u.c6, u.c7 from {} on conflict (org, "
      "src_id, rel) do update set "
      "from_object = excluded.from_object, from_id = excluded.from_id, to_object = "
      "excluded.to_object, "
      "to_id = excluded.to_id, via_object = null, attrs = null, sort_at = excluded.sort_at, rev = "
      "excluded.rev "
      "where t.rev < excluded.rev",
      table_name(schema, "edge"),
      unnest(make_edges()));
}

std::string edge_sources_sql(std::string_view schema) {
  // The cast keeps the comparison in the column's own type, which its index needs.
  return fmt::format(
      "delete from {} t using {} where t.org = u.c0 and t.src_id = u.c1::bpchar and t.rev < u.c2",
      table_name(schema, "edge"),
      unnest(make_edge_sources()));
}

std::string platform_sql(std::string_view schema) {
  return fmt::format(
      "insert into {} (org, topic, name, rev, created_at, created_by, event_uuid, replay_id, "
      "schema_id, payload) select u.c0, u.c1, u.c2, u.c3, u.c4, u.c5, u.c6, u.c7, u.c8, u.c9 from "
      "{} on conflict do nothing",
      table_name(schema, "platform_event"),
      unnest(make_platform_rows()));
}

std::string cursor_sql(std::string_view schema) {
  // A cursor of another ledger keeps its ledger and rev until a materialization begins (design.md
  // ruling 10): a touch before that must not make it look like ours.
  return fmt::format(
      "with moved as (update {0} c set "
      "ledger = case when $8::boolean or c.ledger = '' then $7::text else c.ledger end, "
      "rev = case when $8::boolean or c.ledger in ('', $7::text) then m.rev else c.rev end, "
      "highest = greatest(c.highest, m.rev), "
      "commit_ts = coalesce(m.ts, c.commit_ts), updated_at = now() "
      "from unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[]) m(org, epoch, rev, "
      "ts) "
      "where c.sink = $5::text and c.org = m.org and c.epoch = m.epoch and c.holder = $6::text "
      "returning 1) "
      "select {1}.require_fence(count(*), cardinality($1::text[])) from moved",
      table_name(schema, "cursor"),
      quoted(schema));
}

std::string claim_sql(std::string_view schema) {
  return fmt::format(
      "insert into {} as c (sink, org, ledger, holder, epoch, rev) values ($1, $2, '', $3, 1, 0) "
      "on conflict (sink, org) do update set holder = excluded.holder, epoch = c.epoch + 1, "
      "updated_at = now() "
      "where c.holder = excluded.holder or c.updated_at < now() - $4::bigint * interval '1 "
      "millisecond' "
      "returning ledger, epoch, rev, highest",
      table_name(schema, "cursor"));
}

std::string holder_sql(std::string_view schema) {
  return fmt::format(
      "select holder, greatest(0, extract(epoch from now() - updated_at) * 1000)::bigint, epoch "
      "from {} where sink = $1 and org = $2",
      table_name(schema, "cursor"));
}

std::vector<std::string> leave_sql(std::string_view schema,
                                   std::span<const TablePlan> plans,
                                   std::span<const std::string> retired,
                                   std::string_view org) {
  static constexpr std::string_view kCustom = "custom:";
  std::vector<std::string> out;
  std::string objects;
  for (const TablePlan& plan : plans) {
    if (!plan.entity.starts_with(kCustom)) continue;
    objects += objects.empty() ? "" : ", ";
    objects += literal(std::string_view(plan.entity).substr(kCustom.size()));
  }
  if (!objects.empty()) {
    out.push_back(fmt::format("delete from {} where org = {} and object in ({})",
                              table_name(schema, "custom_record"),
                              literal(org),
                              objects));
  }
  for (const std::string& table : retired) {
    out.push_back(
        fmt::format("update {} set is_deleted = true, deleted_at = now(), delete_reason = 'remap' "
                    "where org = {} and not is_deleted",
                    table_name(schema, table),
                    literal(org)));
  }
  return out;
}

EmptyColumn empty_column_sql(std::string_view schema, const Place& it, std::string_view org) {
  const std::string name = table_name(schema, it.table), column = quoted(it.column);
  const std::string where = fmt::format("where org = {} and {} is not null", literal(org), column);
  // As the image prints them.
  std::string value = column;
  if (it.type == type_name(ColumnType::Timestamp))
    value =
        fmt::format("to_char({} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')", column);
  if (it.type == type_name(ColumnType::Time))
    value = fmt::format("to_char({}, 'HH24:MI:SS.MS\"Z\"')", column);
  const auto member = it.column.starts_with("x_") ? it.column.substr(2) : it.column;
  return {fmt::format("select exists (select from {} {})", name, where),
          fmt::format(
              "begin; set local statement_timeout = 0; "
              "do $mark$ begin comment on column {}.{} is {}; "
              "exception when insufficient_privilege then null; end $mark$; "
              "update {} set fields = fields || jsonb_build_object({}, {}), {} = null {}; commit",
              name,
              column,
              literal(kRetiredComment),
              name,
              literal(member),
              value,
              column,
              where)};
}

std::string mirror_sql(std::string_view schema, std::string_view table) {
  const std::string name = table_name(schema, table);
  // record_id by itself: what an event names may be no id at all, and a mirror must not refuse it.
  const std::string from = fmt::format("{}, jsonb_populate_record(null::{}, u.c3 - 'record_id') r",
                                       unnest(make_mirror_rows()),
                                       name);
  if (table == "hole") {
    return fmt::format(
        "insert into {0} (id, key, org, scope, cause, since, opened_at, attempts) "
        "select coalesce(r.id, u.c1), u.c0, r.org, r.scope, r.cause, r.since, "
        "coalesce(r.opened_at, u.c2), "
        "coalesce(r.attempts, 0) from {1} on conflict (key) do update set id = excluded.id, "
        "scope = excluded.scope, cause = excluded.cause, since = excluded.since, opened_at = "
        "excluded.opened_at, attempts = excluded.attempts",
        name,
        from);
  }
  return fmt::format(
      "insert into {0} (id, key, org, object, record_id, stage, reason_code, reason, schema_id, "
      "attempts, first_seen, "
      "last_seen) select coalesce(r.id, u.c1), u.c0, r.org, r.object, left(nullif(u.c3 ->> "
      "'record_id', ''), 18), "
      "r.stage, r.reason_code, r.reason, r.schema_id, coalesce(r.attempts, 0), "
      "coalesce(r.first_seen, u.c2), "
      "coalesce(r.last_seen, u.c2) from {1} on conflict (key) do update set id = excluded.id, "
      "reason = excluded.reason, first_seen = excluded.first_seen, "
      "schema_id = excluded.schema_id, attempts = excluded.attempts, last_seen = "
      "excluded.last_seen",
      name,
      from);
}

std::string mirror_close_sql(std::string_view schema, std::string_view table) {
  return fmt::format("delete from {} where key = any($1::text[])", table_name(schema, table));
}

std::string mirror_clear_sql(std::string_view schema, std::string_view table) {
  return fmt::format("delete from {} where org = any($1::text[])", table_name(schema, table));
}

}  // namespace headwater::postgres
