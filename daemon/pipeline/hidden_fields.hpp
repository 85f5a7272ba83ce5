#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "daemon/ledger/ledger.hpp"
#include "schemas/model/names.hpp"

namespace headwater {

/// Fields of an org's objects that it does not show our user, as its last describe of them says.
/// Field-level security keeps them in the schema of events and leaves them null (salesforce.md
/// section 7.9), so that null says nothing of the record.
///
/// That is a custom field which a schema or a row has named before and the describe lacks, or any
/// that an earlier describe showed. A standard field that none ever showed may still be told by
/// events (a user's `UserPreferences`). One that was deleted looks the same to describe; no event
/// tells of it any more. Kept in the ledger: a start knows before its first describe.
///
/// The org's worker tells, its streams ask. Thread-safe.
class HiddenFields {
 public:
  /// With what an earlier process knew. `ledger` must outlive it.
  HiddenFields(std::string org, ledger::Ledger& ledger);
  /// The org described it so. One write if that is news.
  Result<void> described(const salesforce::ObjectDescription& object);

  using Names = std::shared_ptr<const std::vector<NameId>>;  ///< ascending
  /// Null: none.
  Names of(const std::string& object) const;
  /// Another number: ask again.
  std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

 private:
  struct Object {
    std::set<std::string, std::less<>> shown, hidden;  ///< paths; shown: by the last describe
    Names names;
  };
  void publish(const std::string& object, Object known);

  const std::string org_;
  ledger::Ledger& ledger_;
  mutable std::mutex mutex_;  // of objects_
  std::map<std::string, Object> objects_;
  std::atomic<std::uint64_t> changes_{1};
};

}  // namespace headwater
