#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/ledger/store.hpp"
#include "schemas/crm/projector.hpp"
#include "schemas/model/version.hpp"

namespace headwater::ledger {

/// The epochs of an org's commit numbers and its high-water mark (unified-model.md section 3,
/// ruling 5). Commit numbers may restart when Salesforce moves an org to another instance: a number
/// below the mark at a time well after it starts a new epoch.
class Epochs {
 public:
  /// An event's epoch. Starts a new one, or raises the newest one's mark, if the event says so.
  std::uint32_t place(std::int64_t commit_number, EpochMs commit_ts);
  std::uint32_t newest() const { return static_cast<std::uint32_t>(starts_.size()) + 1; }
  std::int64_t high_number() const { return high_number_; }
  EpochMs high_ts() const { return high_ts_; }

  void put(std::string& out) const;
  bool read(ByteReader& reader);

 private:
  std::vector<EpochMs> starts_;  // commit time of the event that began epoch 2, 3, …
  std::int64_t high_number_ = 0;
  EpochMs high_ts_ = 0;
};

/// What the ledger keeps of one org.
struct Org {
  std::string name;
  std::string id;  ///< 18 characters; empty: not yet bound
  Epochs epochs;
  std::uint64_t queries = 0;                   ///< given out
  std::uint64_t queries_kept = 0;              ///< durable bound of `queries`
  std::shared_ptr<const crm::OrgFacts> facts;  ///< never null
  bool facts_known = false;                    ///< set_org_facts was called at some time
  std::optional<crm::OrgFacts> awaited;        ///< newer ones, behind a re-projection that runs
  bool dirty = false;
  /// Record types that records were given and the facts have no name for; bounded.
  std::set<std::string, std::less<>> unknown_record_types;
};

/// The orgs, in memory and as `org:` and `facts:` rows. Changed under the ledger's write lock;
/// id(), facts() and unknown_record_types() may be called by any thread.
class Orgs {
 public:
  explicit Orgs(Store& store) : store_(store) {}
  Result<void> load();
  Org& of(std::string_view name);  ///< added if new
  std::vector<std::string> names() const;
  void set_id(Org& org, std::string_view id);
  void set_facts(Org& org, const crm::OrgFacts& facts, StoreBatch& batch);
  void await_facts(Org& org, std::optional<crm::OrgFacts> facts);
  void stage(StoreBatch& batch);  ///< those that changed

  std::string id(std::string_view name) const;
  /// The newest, in force or awaited: who adds to them loses none. Nothing: never set.
  std::optional<crm::OrgFacts> facts(std::string_view name) const;
  void note_unknown_record_type(Org& org, std::string_view id);
  /// Those noted that the facts still do not name.
  std::vector<std::string> unknown_record_types(std::string_view name) const;
  /// What projection uses: the set ones, else just the name.
  std::shared_ptr<const crm::OrgFacts> projection_facts(std::string_view name);

 private:
  Store& store_;
  mutable std::mutex mutex_;
  std::map<std::string, Org, std::less<>> orgs_;
};

/// What bytes of facts tell beside names and prefixes. The numbers are those of the rows' formats.
enum class FactsFormat : std::uint8_t { Plain = 1, RecordTypes = 2, Retired = 3 };
/// The first that holds them: a build that does not know retired fields can read facts without.
FactsFormat format_of(const crm::OrgFacts& facts);
/// In that format. Equal facts give equal bytes.
void put_facts(std::string& out, const crm::OrgFacts& facts);
bool read_facts(ByteReader& reader, FactsFormat format, crm::OrgFacts& facts);

}  // namespace headwater::ledger
