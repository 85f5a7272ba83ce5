#include "connectors/postgres/reader.hpp"

#include <fmt/format.h>

#include <charconv>

#include "config/node.hpp"
#include "connectors/postgres/identifiers.hpp"
#include "connectors/postgres/migrate.hpp"

namespace headwater::postgres {
namespace {

constexpr std::size_t kKeysPage = 500;

/// `{"a","b"}` as a text array's literal. Keys hold letters, digits, `_`, `-` and `:` alone.
std::string array_literal(std::span<const std::string> texts) {
  std::string out = "{";
  for (const auto& text : texts) {
    if (out.size() > 1) out += ',';
    out += '"' + text + '"';
  }
  return out + '}';
}

std::uint64_t number(const std::optional<std::string>& text) {
  std::uint64_t out = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), out);
  return out;
}

}  // namespace

PostgresReader::PostgresReader(PostgresConfig config,
                               std::string sink,
                               std::vector<TablePlan> tables)
    : config_(std::move(config)), sink_(std::move(sink)), tables_(std::move(tables)) {}

Result<void> PostgresReader::open() {
  Secret password;
  if (!config_.password_file.empty()) {
    auto read = config::read_secret(config_.password_file);
    if (!read) return std::move(read).error();
    password = std::move(read).value();
  }
  auto opened = Connection::open(config_.url, password, config_.connect_timeout);
  if (!opened) return std::move(opened).error();
  connection_ = std::move(opened).value();
  connection_->set_call_timeout(config_.statement_timeout);
  // Text that says the same on every server. All that is asked goes by a primary key, which the
  // planner does not know of a table that was filled a moment ago and has no statistics: it would
  // sort the whole table for each page of keys.
  return connection_->run(fmt::format(
      "set search_path to {}; set timezone to 'UTC'; set extra_float_digits to 3; set datestyle to "
      "'ISO'; set default_transaction_read_only to on; set enable_seqscan to off; set "
      "enable_bitmapscan to off; set enable_sort to off; set enable_hashjoin to off; set "
      "enable_mergejoin to off",
      quoted(config_.schema)));
}

Result<std::vector<std::string>> PostgresReader::refusals() {
  if (auto opened = open(); !opened) return opened.error();
  auto catalog = read_catalog(*connection_, config_.schema);
  if (!catalog) return std::move(catalog).error();
  return other_types(tables_, *catalog);
}

std::string PostgresReader::table_of(const std::string& entity) const {
  for (const auto& table : tables_)
    if (table.entity == entity) return table.table;
  return tables_.empty() ? custom_record_plan().table : tables_.back().table;
}

Result<std::optional<Cursor>> PostgresReader::cursor(const std::string& org) {
  const std::string parameters[] = {sink_, org};
  auto rows = connection_->query(
      "select ledger, rev, epoch from cursor where sink = $1 and org = $2", parameters);
  if (!rows) return std::move(rows).error();
  if (rows->empty()) return std::optional<Cursor>{};
  const auto& row = rows->front();
  return std::optional<Cursor>(
      Cursor{org, row[0].value_or(""), Rev{number(row[1])}, number(row[2])});
}

Result<void> PostgresReader::read_table(const std::string& table,
                                        std::span<const std::string> rkeys,
                                        Rows& rows) {
  const std::string parameters[] = {array_literal(rkeys)};
  // The key's parts, not the key, so that the primary key's index serves.
  const std::string sql = fmt::format(
      "select k, row_to_json(r), r.rev, r.is_deleted from unnest($1::text[]) k join {} r on r.org "
      "= split_part(k, ':', 1) "
      "and r.object = split_part(k, ':', 2) and r.id = split_part(k, ':', 3)::char(18)",
      quoted(table));
  auto found = connection_->query(sql, parameters);
  if (!found) return std::move(found).error();
  for (auto& row : *found)
    rows[row[0].value_or("")] = {row[1].value_or(""), Rev{number(row[2])}, row[3] == "t"};
  return {};
}

Result<PostgresReader::ByKey> PostgresReader::read_edges(std::span<const RecordName> names) {
  std::vector<std::string> rkeys;
  for (const auto& name : names) rkeys.push_back(name.rkey);
  const std::string parameters[] = {array_literal(rkeys)};
  auto found = connection_->query(
      "select k, json_object_agg(e.rel, e.org || ':' || e.to_object || ':' || e.to_id) from "
      "unnest($1::text[]) k join edge e on e.org = split_part(k, ':', 1) and e.src_id = "
      "split_part(k, ':', 3)::char(18) group by k",
      parameters);
  if (!found) return std::move(found).error();
  ByKey out;
  for (auto& row : *found) out[row[0].value_or("")] = row[1].value_or("{}");
  return out;
}

Result<std::vector<std::optional<Held>>> PostgresReader::read(std::span<const RecordName> names) {
  std::map<std::string, std::vector<std::string>> by_table;
  for (const auto& name : names) by_table[table_of(name.entity)].push_back(name.rkey);
  Rows rows;
  for (const auto& [table, rkeys] : by_table)
    if (auto done = read_table(table, rkeys, rows); !done) return std::move(done).error();
  auto edges = read_edges(names);
  if (!edges) return std::move(edges).error();
  std::vector<std::optional<Held>> out;
  for (const auto& name : names) {
    auto& held = out.emplace_back();
    const auto row = rows.find(name.rkey);
    if (row == rows.end()) continue;
    const auto stated = edges->find(name.rkey);
    held.emplace();
    held->rev = row->second.rev;
    held->deleted = row->second.deleted;
    held->shape = Held::Shape::Row;
    held->text = fmt::format(R"({{"row":{},"edges":{}}})",
                             row->second.json,
                             stated == edges->end() ? "{}" : stated->second);
  }
  return out;
}

Result<void> PostgresReader::keys_of_table(const TablePlan& table,
                                           const std::string& org,
                                           const KeyVisitor& visit) {
  // In the order of the table's primary key: any other is a sort of the whole table for each page.
  const bool of_all_objects = table.entity.empty();
  const std::string sql = fmt::format(
      "select object, id from {} where org = $1 and not is_deleted and {} limit {}",
      quoted(table.table),
      of_all_objects ? "(object, id) > ($2, $3) order by object, id" : "id > $2 order by id",
      kKeysPage);
  std::vector<std::string> place{org, ""};
  if (of_all_objects) place.emplace_back();
  while (true) {
    auto rows = connection_->query(sql, place);
    if (!rows) return std::move(rows).error();
    std::vector<std::string> keys;
    for (const auto& row : *rows) {
      const auto object = row[0].value_or(""), id = row[1].value_or("");
      if (of_all_objects) place[1] = object;
      place.back() = id;
      keys.push_back(fmt::format("{}:{}:{}", org, object, id));
    }
    if (!keys.empty())
      if (auto done = visit(keys); !done) return done;
    if (rows->size() < kKeysPage) return {};
  }
}

Result<void> PostgresReader::each_key(const std::string& org, const KeyVisitor& visit) {
  for (const auto& table : tables_)
    if (auto done = keys_of_table(table, org, visit); !done) return done;
  return {};
}

Result<bool> PostgresReader::each_event(const std::string& org, const EventVisitor& visit) {
  HeldEvent event;
  const std::string sql = fmt::format(
      "select rev, topic, replay_id, event_uuid from platform_event where org = $1 and rev > $2 "
      "order by rev limit {}",
      kKeysPage);
  while (true) {
    const std::string parameters[] = {org, std::to_string(event.rev.value)};
    auto rows = connection_->query(sql, parameters);
    if (!rows) return std::move(rows).error();
    for (auto& row : *rows) {
      event = {row[1].value_or(""), row[2].value_or(""), row[3].value_or(""), Rev{number(row[0])}};
      if (auto done = visit(event); !done) return done.error();
    }
    if (rows->size() < kKeysPage) return true;
  }
}

}  // namespace headwater::postgres
