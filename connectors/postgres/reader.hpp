#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/config.hpp"
#include "connectors/postgres/connection.hpp"
#include "connectors/postgres/plan.hpp"
#include "connectors/target_reader.hpp"

namespace headwater::postgres {

/// Reads the sink's tables as they are: rows as JSON, with the edges that each record states.
class PostgresReader final : public TargetReader {
 public:
  /// `sink`: its name, as in the cursor table. `tables`: plan_tables() of the mapping.
  PostgresReader(PostgresConfig config, std::string sink, std::vector<TablePlan> tables);

  Result<void> open() override;
  Result<std::vector<std::string>> refusals() override;
  Result<std::optional<Cursor>> cursor(const std::string& org) override;
  Result<std::vector<std::optional<Held>>> read(std::span<const RecordName> names) override;
  Result<void> each_key(const std::string& org, const KeyVisitor& visit) override;
  Result<bool> each_event(const std::string& org, const EventVisitor& visit) override;

 private:
  struct Row {
    std::string json;
    Rev rev;
    bool deleted = false;
  };
  using Rows = std::map<std::string, Row>;           // by rkey
  using ByKey = std::map<std::string, std::string>;  // rkey -> JSON
  Result<void> read_table(const std::string& table, std::span<const std::string> rkeys, Rows& rows);
  Result<ByKey> read_edges(std::span<const RecordName> names);
  Result<void> keys_of_table(const TablePlan& table,
                             const std::string& org,
                             const KeyVisitor& visit);
  std::string table_of(const std::string& entity) const;

  const PostgresConfig config_;
  const std::string sink_;
  const std::vector<TablePlan> tables_;
  std::optional<Connection> connection_;
};

}  // namespace headwater::postgres
