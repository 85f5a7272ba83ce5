#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ledger/record.hpp"
#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

/// Which records refer to a record: the reverse of all states' references, in Family::BackRefs, as
/// keys `<org>:<id referred to>:<rkey that refers>` without values.
///
/// A function of the states alone, deleted ones included: a record has one row for each record that
/// a reference of its raw image, or its merged_into, names. Users, groups, roles, profiles and
/// record types have none: everything refers to them, and nobody asks.
///
/// Written only where a reference changed; an update of other fields costs nothing. Changing calls:
/// under the write lock. children_of(): any thread.
class BackRefs {
 public:
  explicit BackRefs(Store& store) : store_(store) {}

  /// True if somebody may ask who refers to that id.
  static bool counts(std::string_view id);
  /// Stages what a change of the record did. `replaced`: what its fields were, as Outcome says.
  void stage(StoreBatch& batch,
             std::string_view rkey,
             const RecordState& state,
             std::span<const Member> replaced);
  /// The record's merged_into was `before`.
  void stage_merge(StoreBatch& batch,
                   std::string_view rkey,
                   const RecordState& state,
                   std::string_view before);
  /// Adds the rows of a whole state.
  void stage_all(StoreBatch& batch, std::string_view rkey, const RecordState& state);

  /// Rkeys of records that refer to this one, ascending, those after `after` (empty: from the
  /// first), at most `most`.
  Result<std::vector<std::string>> children_of(std::string_view org,
                                               std::string_view id,
                                               std::string_view after,
                                               std::size_t most) const;

  /// A new ledger has them all.
  static void stage_complete(StoreBatch& batch) { stage_progress(batch, {true, {}}); }
  /// Makes the rows of a ledger whose build kept none: once, in batches that each carry the
  /// progress, so that a crash resumes. `commit` writes the batch.
  Result<void> bring(StoreBatch& batch, const std::function<Result<void>()>& commit);

 private:
  struct Progress {
    bool complete = false;
    std::string done;  // last rkey that was handled
  };
  Result<Progress> load() const;
  static void stage_progress(StoreBatch& batch, const Progress& progress);
  void put(StoreBatch& batch, std::string_view id, std::string_view rkey);
  void drop(StoreBatch& batch,
            std::string_view id,
            std::string_view rkey,
            const RecordState& state);
  std::string_view key(std::string_view id, std::string_view rkey);

  Store& store_;
  std::string key_;
};

}  // namespace headwater::ledger
