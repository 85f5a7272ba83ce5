#pragma once

#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "daemon/ledger/record.hpp"

namespace headwater::ledger {

/// Makes values of the text diffs that an UPDATE carries in the place of long texts (salesforce.md
/// section 6.4): the text that the state holds, patched, and proven by the hash of the result. So
/// it is of no matter by which event that text came, and a diff proves wrong whatever came too late
/// or twice.
class TextDiffs {
 public:
  /// The event's fields and what its diffs say, sorted by name: what to apply to `state`. A diff
  /// that the state already outdates stands with the value that is held, which the apply rule
  /// leaves alone. Borrows from all that is given, until the next call.
  std::span<const Member> resolve(const RecordState& state,
                                  const Version& version,
                                  std::span<const Member> fields,
                                  std::span<const Member> diffs,
                                  std::pmr::memory_resource& arena);
  /// Of the last resolve(): a diff newer than the text that we hold was not made from it, or we
  /// hold none. It is left out, and the record must be read again.
  bool unresolved() const { return unresolved_; }

 private:
  std::vector<Member> out_;
  std::string text_;
  bool unresolved_ = false;
};

}  // namespace headwater::ledger
