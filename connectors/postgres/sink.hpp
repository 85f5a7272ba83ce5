#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/postgres/config.hpp"
#include "connectors/postgres/plan.hpp"
#include "connectors/sink.hpp"

namespace headwater::postgres {

/// Read tables in a Postgres schema: one per entity, edges, mirrors of holes and quarantine.
///
///   write(batch):
///     leave out what the cursor has passed; keep the last image per record, sorted by key
///     in one transaction, sent in one go:
///       move the cursors of our epoch          (fewer rows than orgs: fenced, nothing is written)
///       per table: upsert from arrays where t.rev < excluded.rev
///       edges of records whose refs changed: upsert the new, delete what is left with a smaller
///       rev; platform events: appended; mirrors of holes and quarantine
///
/// Text that Postgres cannot hold (NUL, bytes that are not UTF-8) is stored with U+FFFD in its
/// place. Rejected by a value leaves the connection open, so that the loop can halve; every other
/// failure closes it. A fenced sink stays Fatal for good. The NameTables of the entries must
/// outlive the sink. One thread.
///
/// The first Materialize batch of an org after open() empties the org's rows in crm.hole and
/// crm.quarantine: the open ones must come with that run of the materialization.
class PostgresSink final : public Sink {
 public:
  /// `name` is the sink's name in the configuration: part of the cursor's key. `platform_events`:
  /// some stream brings them, so that the journal must wait for this target.
  PostgresSink(PostgresConfig config,
               Holder holder,
               std::string name,
               std::vector<TablePlan> plans,
               bool platform_events = false);
  ~PostgresSink() override;

  Result<std::vector<Cursor>> open(std::span<const std::string> orgs) override;
  Result<void> write(const Batch& batch) override;
  void close() noexcept override;
  std::size_t entries_max() const override;
  std::size_t bytes_max() const override;
  const std::vector<std::string>& warnings() const override;
  bool holds_journal() const override { return platform_events_; }

 private:
  class Impl;
  const bool platform_events_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::postgres
