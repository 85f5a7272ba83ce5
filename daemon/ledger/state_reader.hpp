#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/ledger/facts.hpp"
#include "daemon/ledger/objects.hpp"
#include "daemon/ledger/record.hpp"

namespace headwater::ledger {

class JournalEvents;

/// Reads record states as entries, for materializing and for `headwater get`. Any thread.
///
/// States are kept by key, sinks want them by rev: a pass over the org's states keeps those with
/// the smallest revs, up to a bound, and serves them in order; then the next pass. A state that
/// moved on in between is left out: the journal has it.
class StateReader {
 public:
  StateReader(Store& store, NameStore& names, Orgs& orgs)
      : store_(store), names_(names), orgs_(orgs) {}
  void set_mapping(std::shared_ptr<const crm::Mapping> mapping);
  void facts_changed();

  /// `events`: those that go between the states; nullptr: the org has none.
  Result<void> read(std::string_view org,
                    Rev after,
                    Rev upto,
                    std::size_t entries_max,
                    std::size_t bytes_max,
                    JournalEvents* events,
                    EntryBatch& out);
  Result<bool> get(const RecordKey& key, EntryBatch& out);
  /// The first `most` states of an object, by key.
  Result<void> sample(std::string_view org,
                      std::string_view object,
                      std::size_t most,
                      EntryBatch& out);
  Result<void> scan(std::string_view after,
                    std::size_t entries_max,
                    std::size_t bytes_max,
                    EntryBatch& out,
                    std::string& last);
  Result<std::vector<std::optional<RecordHead>>> heads(std::span<const std::string> rkeys);
  Result<std::optional<RecordFacts>> facts_of(const RecordKey& key);

 private:
  struct Item {
    Rev rev;
    std::string rkey;
    friend bool operator<(const Item& a, const Item& b) { return a.rev < b.rev; }
  };
  struct Run {
    std::string org;
    Rev upto, served;         // served: the rev behind which the run goes on
    std::vector<Item> items;  // ascending rev
    std::size_t at = 0;
    bool finished = false;  // a pass found no more
  };
  Result<void> pass(Run& run);
  Run& run_of(std::string_view org, Rev after, Rev upto);
  Result<bool> add(std::string_view rkey,
                   std::optional<Rev> rev,
                   EntryBatch& out,
                   std::size_t& bytes);
  ObjectProjector& projector(std::string_view org, std::string_view object);

  Store& store_;
  NameStore& names_;
  Orgs& orgs_;
  std::mutex mutex_;
  std::shared_ptr<const crm::Mapping> mapping_;
  std::map<std::string, std::unique_ptr<ObjectProjector>, std::less<>> projectors_;
  std::vector<std::unique_ptr<Run>> runs_;  // the latest last
  RecordCodec codec_;
  RecordState state_;
  crm::Projection projection_;
  std::string bytes_;
};

}  // namespace headwater::ledger
