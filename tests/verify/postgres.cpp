#include <fmt/format.h>
#include <libpq-fe.h>

#include <boost/json.hpp>
#include <memory>
#include <set>

#include "schemas/core/time.hpp"
#include "tests/verify/targets.hpp"

namespace headwater::verify {
namespace {

namespace json = boost::json;
constexpr std::size_t kDifferencesShown = 10;

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Rows = std::unique_ptr<PGresult, decltype(&PQclear)>;

Result<Rows> query(PGconn* connection, const std::string& sql) {
  Rows rows(PQexec(connection, sql.c_str()), PQclear);
  const auto status = PQresultStatus(rows.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    return transient(fmt::format("postgres: {}: {}", sql, PQerrorMessage(connection)));
  }
  return rows;
}

/// Postgres keeps neither NUL nor our way of writing times.
std::string without_nul(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\0') {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  return out;
}

json::value without_nul(const json::value& value) {
  if (value.is_string()) return json::value(without_nul(std::string_view(value.as_string())));
  if (value.is_object()) {
    json::object out;
    for (const auto& [key, member] : value.as_object())
      out[without_nul(std::string_view(key))] = without_nul(member);
    return out;
  }
  if (value.is_array()) {
    json::array out;
    for (const auto& item : value.as_array()) out.push_back(without_nul(item));
    return out;
  }
  return value;
}

bool same_text(std::string_view want, std::string_view have) {
  if (without_nul(want) == have) return true;
  const auto as_time = [](std::string_view text) {
    auto ms = parse_datetime(text);
    return ms ? ms : parse_time_of_day(text);
  };
  const auto a = as_time(want);
  return a && a == as_time(have);
}

bool same_value(const json::value& want, const json::value& have) {
  if (want.is_string() && have.is_string()) return same_text(want.as_string(), have.as_string());
  if (want.is_number() && have.is_number())
    return want.to_number<double>() == have.to_number<double>();
  return without_nul(want) == have;
}

/// A row's living record against its expectation.
void compare_row(const std::string& key,
                 const json::object& want,
                 const json::object& row,
                 const json::object& edges,
                 std::vector<std::string>& differences) {
  const auto differ = [&](std::string what) {
    if (differences.size() < kDifferencesShown) differences.push_back(key + " " + std::move(what));
  };
  for (const auto& [name, value] : want.at("fields").as_object()) {
    const auto* column = row.if_contains(name);
    if (column == nullptr) column = row.if_contains("x_" + std::string(name));
    if (column == nullptr) continue;  // a field without a column of its own
    const bool later = name == "updated_at" && column->is_string() && value.is_string() &&
                       parse_datetime(column->as_string()) > parse_datetime(value.as_string());
    if (!later && !same_value(value, *column)) {
      differ(fmt::format("{}: the org says {}, found {}",
                         std::string(name),
                         json::serialize(value),
                         json::serialize(*column)));
    }
  }
  for (const char* section : {"extra", "raw"}) {
    json::value have = row.at(section);
    // As in same_sections(): it goes with a later `updated_at`.
    if (!want.at(section).as_object().contains("LastModifiedDate"))
      have.as_object().erase("LastModifiedDate");
    if (without_nul(want.at(section)) != have) {
      differ(fmt::format("{}: the org says {}, found {}",
                         section,
                         json::serialize(want.at(section)),
                         json::serialize(row.at(section))));
    }
  }
  if (want.at("refs").as_object() != edges) {
    differ(fmt::format("edges: the org says {}, found {}",
                       json::serialize(want.at("refs")),
                       json::serialize(edges)));
  }
}

/// Edges by stating record: id -> {rel: rkey}.
Result<std::map<std::string, json::object>> read_edges(PGconn* connection,
                                                       const std::string& schema) {
  auto rows = query(connection,
                    fmt::format("select org, src_id, rel, to_object, to_id from {}.edge", schema));
  if (!rows) return rows.error();
  std::map<std::string, json::object> out;
  for (int i = 0; i < PQntuples(rows->get()); ++i) {
    const auto cell = [&](int column) { return std::string(PQgetvalue(rows->get(), i, column)); };
    out[cell(0) + ":" + cell(1)][cell(2)] = cell(0) + ":" + cell(3) + ":" + cell(4);
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> compare_postgres(const std::string& url,
                                                  const std::string& schema,
                                                  const Truth& truth,
                                                  std::uint64_t* rows_read) {
  Connection connection(PQconnectdb(url.c_str()), PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK)
    return transient(fmt::format("postgres: {}", PQerrorMessage(connection.get())));
  for (const char* setting : {"set timezone to 'UTC'", "set extra_float_digits to 3"}) {
    if (auto done = query(connection.get(), setting); !done) return done.error();
  }
  auto edges = read_edges(connection.get(), schema);
  if (!edges) return edges.error();
  auto tables = query(
      connection.get(),
      fmt::format(
          "select c.table_name, exists (select 1 from information_schema.columns o where "
          "o.table_schema = "
          "c.table_schema and o.table_name = c.table_name and o.column_name = 'object') from "
          "information_schema.columns c join information_schema.tables t using (table_schema, "
          "table_name) where "
          "c.table_schema = '{}' and c.column_name = 'is_deleted' and t.table_type = 'BASE TABLE'",
          schema));
  if (!tables) return tables.error();
  std::set<std::string> met;
  std::vector<std::string> differences;
  *rows_read = 0;
  for (int t = 0; t < PQntuples(tables->get()); ++t) {
    const std::string table = PQgetvalue(tables->get(), t, 0);
    auto rows = query(
        connection.get(),
        fmt::format("select row_to_json(r) from {}.{} r where not is_deleted", schema, table));
    if (!rows) return rows.error();
    for (int i = 0; i < PQntuples(rows->get()); ++i) {
      ++*rows_read;
      const auto row = json::parse(PQgetvalue(rows->get(), i, 0)).as_object();
      const std::string key = fmt::format("{}:{}:{}",
                                          row.at("org").as_string().c_str(),
                                          row.at("object").as_string().c_str(),
                                          row.at("id").as_string().c_str());
      const auto expected = truth.find(key);
      if (expected == truth.end()) {
        if (differences.size() < kDifferencesShown)
          differences.push_back(key + " lives in table " + table + " but not in the org");
        continue;
      }
      met.insert(key);
      const auto want = json::parse("{" + expected->second.sections + "}").as_object();
      const auto& edge = (*edges)[std::string(row.at("org").as_string()) + ":" +
                                  std::string(row.at("id").as_string())];
      compare_row(key, want, row, edge, differences);
    }
  }
  for (const auto& [key, expected] : truth) {
    if (!met.contains(key) && differences.size() < kDifferencesShown)
      differences.push_back(key + " is missing");
  }
  return differences;
}

}  // namespace headwater::verify
