#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/salesforce/event_source.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "tests/sim/org.hpp"

namespace headwater::sim {

/// What a run must know of the subscriptions that were given: whom the bus owes what.
struct Subscriptions {
  /// Events before this index are owed to nobody: a start at the latest event passed them by.
  std::size_t owed_from = 0;
  bool anchored = false;  ///< a position was stored since
  /// Events before this index were applied: a position after them was shown once. Later ones may
  /// stand before it, since after a reconnect older events come again.
  std::size_t applied_to = 0;
  /// Records of which the bus forgot events that were owed, and when the first and the last of
  /// those was committed.
  std::map<std::string, std::pair<EpochMs, EpochMs>> lost;
};

/// A Subscribe stream over the org's bus. One per process; never blocks.
class SimSource final : public salesforce::EventSource {
 public:
  /// `journal_full`: asked whenever credit is given, which must not happen then.
  SimSource(World& world,
            SimOrg& org,
            Subscriptions& subscriptions,
            std::function<bool()> journal_full)
      : world_(world),
        org_(org),
        subscriptions_(subscriptions),
        journal_full_(std::move(journal_full)) {}

  Result<void> subscribe(salesforce::Start start,
                         const ReplayId& position,
                         std::size_t credit) override;
  void request(std::size_t events) override;
  void next(std::int64_t until_ms, salesforce::Fetched& out) override;
  void wake() override {}
  void cancel() override { open_ = false; }
  Result<std::string> fetch_schema(std::string_view schema_id) override;

  /// Something is there to be read, or will be said at once.
  bool has_news() const { return open_ && (refused_ || (next_ < org_.visible() && credit_ > 0)); }

 private:
  void deliver(salesforce::Fetched& out);
  void forget(std::size_t from, std::size_t to);

  World& world_;
  SimOrg& org_;
  Subscriptions& subscriptions_;
  std::function<bool()> journal_full_;
  bool open_ = false, refused_ = false;
  std::size_t next_ = 0, credit_ = 0;
  std::optional<std::size_t> owed_;  // of a position that was refused: the event after it
  std::string latest_;
};

/// The org's REST side. A read sees the org as it is at one moment of the call.
class SimApi final : public salesforce::OrgApi {
 public:
  SimApi(World& world, SimOrg& org) : world_(world), org_(org) {}

  Result<std::string> org_id() override;
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override;
  Result<salesforce::ObjectDescription> describe(std::string_view object) override;
  Result<std::vector<salesforce::RecordTypeInfo>> record_types() override;
  Result<std::vector<std::string>> channel_members(std::string_view channel) override;
  Result<std::vector<salesforce::FetchedRecord>> fetch(
      std::string_view object,
      std::span<const RecordId> ids,
      std::span<const std::string> fields) override;

 private:
  std::optional<Error> fault();
  World& world_;
  SimOrg& org_;
};

}  // namespace headwater::sim
