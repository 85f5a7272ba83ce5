#pragma once

#include <memory_resource>
#include <span>
#include <string>

#include "daemon/ledger/journal.hpp"
#include "daemon/ledger/objects.hpp"
#include "daemon/ledger/record.hpp"

namespace headwater::ledger {

/// A record whose state changed, and how: what decides whether sinks are told, and what.
struct Change {
  std::string_view rkey, id;
  const crm::Projection* before = nullptr;  ///< as published last; nullptr: nothing was
  const crm::Projection* after = nullptr;
  Version version;  ///< of the event or row behind it
  EpochMs commit_ts = 0;
  Origin origin;
  bool late = false;
  bool merge_news = false;       ///< told although no hash changed
  std::string_view merged_from;  ///< of a winner: as EntryView has it
  bool force = false;            ///< stamped again: told as a read, whatever the hash
  bool replaced = false;         ///< its place in sinks is another: told although no hash changed
  std::span<const NameId> changed, nulled;
};

/// Turns changed states into journal entries: the op rule and the hash rule of unified-model.md
/// section
/// 8. Holds scratch memory; under the write lock.
class Publisher {
 public:
  Publisher(Journal& journal, const Clock& clock) : journal_(journal), clock_(clock) {}
  /// True if an entry was made; the state's meta is then that of the entry. `arena` must live as
  /// long as the state does.
  bool publish(StoreBatch& batch,
               ObjectProjector& projector,
               RecordState& state,
               const Change& change,
               std::pmr::memory_resource& arena);
  /// The record leaves the entity that `from` projects to: a delete there, with what it was. What
  /// publish() makes next is where it is now. REQUIRES: `change.before`, by `from`; not deleted.
  void publish_gone(StoreBatch& batch,
                    const ObjectProjector& from,
                    RecordState& state,
                    const Change& change);

 private:
  Journal& journal_;
  const Clock& clock_;
  std::string json_, bytes_;
};

/// What a sink sees: c, u, r or d.
Op op_of(const Meta& before, bool deleted, ChangeType type);

/// The parts of an entry that a state alone says: key, entity, deletion, merge.
void fill_entry(EntryView& entry, const RecordState& state);

/// Copies into the arena, unless there is nothing to copy.
std::string_view keep(std::pmr::memory_resource& arena, std::string_view text);

}  // namespace headwater::ledger
