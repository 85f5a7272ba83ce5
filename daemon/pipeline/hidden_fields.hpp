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
#include "daemon/pipeline/silent_objects.hpp"
#include "schemas/crm/projector.hpp"
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
/// They are the org's retired fields as well: records that have one say so (`meta.retired`).
///
/// One that is shown again leaves a hole of its object, `field_hidden`: its values changed unheard.
/// The hole begins when a describe last showed the field (0: none did), or at 0 if the object was
/// read in whole, for then a row that was read meanwhile lacks it however old it is. What was
/// committed while it was hidden comes late, and again: until the hole has an end a null of the
/// field says nothing, and later neither if it was committed no later than what the streams had
/// told by that end. Such a null that is true is read with the hole.
///
/// The org's worker tells, its streams ask. Thread-safe.
class HiddenFields {
 public:
  /// With what an earlier process knew. `ledger` and `clock` must outlive it.
  HiddenFields(std::string org, ledger::Ledger& ledger, const Clock& clock);
  /// The org described it so. If that is news it is kept, and the org's facts, once known, tell it.
  Result<void> described(const salesforce::ObjectDescription& object);

  /// A hole `field_hidden` ends once the streams have told what was committed before the field was
  /// shown again, and since an event may come late only `by.settle` after that: a row that is read
  /// before them would not stand. What was saved since its beginning is read then. `by.now` is its
  /// end.
  Result<void> end_hole(ledger::Hole hole, const Listening& by);

  /// Null of it says nothing in an event that was committed no later than this.
  struct Mute {
    NameId name = 0;
    EpochMs until = 0;  ///< the org's clock
  };
  using Names = std::shared_ptr<const std::vector<Mute>>;  ///< ascending by name
  /// Null: none.
  Names of(const std::string& object) const;
  /// To all objects, as facts say it.
  crm::RetiredPaths all() const;
  /// Another number: ask again.
  std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

 private:
  struct Object {
    std::set<std::string, std::less<>> shown, hidden;   ///< paths; shown: by the last describe
    std::map<std::string, EpochMs, std::less<>> since;  ///< of hidden ones: when it was last shown
    std::map<std::string, EpochMs, std::less<>> again;  ///< shown again: mute until, as in Mute
    EpochMs described_at = 0;
    Names names;
  };
  static void read_line(std::string_view line, Object& known);
  Result<void> keep(const std::string& object, const Object& known);
  void publish(const std::string& object, Object known);
  Result<void> tell_facts();
  Result<void> doubt_shown_again(const std::string& object, const Object& before, Object& known);

  const std::string org_;
  ledger::Ledger& ledger_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // of objects_
  std::map<std::string, Object> objects_;
  std::atomic<std::uint64_t> changes_{1};
};

}  // namespace headwater
