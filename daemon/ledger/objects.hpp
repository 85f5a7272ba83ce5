#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/name_store.hpp"
#include "daemon/ledger/orgs.hpp"
#include "daemon/ledger/record.hpp"

namespace headwater::ledger {

/// Projects states of one object; owns the scratch memory for it. One thread at a time.
class ObjectProjector {
 public:
  ObjectProjector(std::shared_ptr<const crm::Mapping> mapping,
                  std::shared_ptr<const crm::OrgFacts> facts,
                  std::string_view object,
                  NameTable& names);

  std::string_view entity() const { return projector_.entity(); }
  NameTable& names() const { return names_; }
  std::uint32_t mapping_rev() const { return mapping_->mapping_rev(); }
  std::optional<NameId> last_modified() const { return last_modified_; }

  /// The canonical record of a state; texts borrow from the state's and from `out`.
  void project(const RecordState& state, const crm::StateFacts& facts, crm::Projection& out);
  /// That of the state projected last, with some fields put back to older values (Absent: not
  /// there). Borrows from `after`, which is what project() made of it.
  void project_before(std::span<const Member> replaced,
                      const crm::StateFacts& facts,
                      const crm::Projection& after,
                      crm::Projection& out);
  crm::StateFacts facts_of(const RecordState& state, std::string_view id) const;

 private:
  std::shared_ptr<const crm::Mapping> mapping_;
  NameTable& names_;
  crm::Projector projector_;
  std::optional<NameId> last_modified_;
  crm::RawSlots slots_;
};

/// Deletes that no event states, of which an object may always have so many in an hour: small
/// objects can lose records (design.md ruling 14).
inline constexpr std::uint64_t kBrakeFloor = 10;
/// The hour in which they are counted.
inline constexpr EpochMs kBrakeWindowMs = 60LL * 60 * 1000;

/// What the writer keeps of one object of one org.
struct ObjectContext {
  Org* org = nullptr;
  std::string object;
  std::string prefix;  ///< `org:Object:`
  std::unique_ptr<ObjectProjector> projector;
  RecordCounts counts;
  EpochMs brake_from = 0;        ///< start of the last hour in which rows told deletions
  std::uint64_t brake_gone = 0;  ///< those in it that nobody states
  std::uint64_t brake_base = 0;  ///< living records when it began
  /// Records that the brake left alive and no event has told deleted since: brake.cpp.
  std::uint64_t brake_spared = 0;
  bool dirty = false;
};

/// The objects that have records, and their `count:` rows. Under the write lock; counts(): any
/// thread.
class Objects {
 public:
  Objects(Store& store, NameStore& names, Orgs& orgs) : store_(store), names_(names), orgs_(orgs) {}
  Result<void> load();
  void set_mapping(std::shared_ptr<const crm::Mapping> mapping);
  const std::shared_ptr<const crm::Mapping>& mapping() const { return mapping_; }
  ObjectContext& of(std::string_view org, std::string_view object);
  void facts_changed();  ///< projectors are built again at their next use
  void stage(StoreBatch& batch);
  std::vector<RecordCounts> counts() const;
  /// No row told a deletion after this; 0: none ever did.
  EpochMs rows_deleted_until() const;

 private:
  Store& store_;
  NameStore& names_;
  Orgs& orgs_;
  std::shared_ptr<const crm::Mapping> mapping_;
  std::map<std::string, std::unique_ptr<ObjectContext>, std::less<>> contexts_;
  ObjectContext* last_ = nullptr;  // events of one object come in runs
  mutable std::mutex mutex_;
  std::map<std::string, RecordCounts, std::less<>> published_;
};

}  // namespace headwater::ledger
