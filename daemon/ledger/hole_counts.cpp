#include "daemon/ledger/hole_counts.hpp"

namespace headwater::ledger {
namespace {

const std::string& cause_of(const Hole& hole) {
  static const std::string kDeletion = "deletion";
  return hole.scope == Hole::Scope::Deletion ? kDeletion : hole.cause;
}

}  // namespace

void HoleCounts::found(const Hole& hole) {
  const std::lock_guard lock(mutex_);
  ++counts_[cause_of(hole)].open;
}

void HoleCounts::opened(const Hole& hole) {
  const std::lock_guard lock(mutex_);
  Count& count = counts_[cause_of(hole)];
  ++count.open;
  ++count.opened;
}

void HoleCounts::closed(const Hole& hole) {
  const std::lock_guard lock(mutex_);
  --counts_[cause_of(hole)].open;
}

void HoleCounts::renewed(const Hole& before, const Hole& after) {
  if (cause_of(before) == cause_of(after)) return;
  const std::lock_guard lock(mutex_);
  --counts_[cause_of(before)].open;
  ++counts_[cause_of(after)].open;
}

std::vector<HoleCount> HoleCounts::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<HoleCount> out;
  for (const auto& [cause, count] : counts_) out.push_back({cause, count.open, count.opened});
  return out;
}

}  // namespace headwater::ledger
