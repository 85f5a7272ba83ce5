#include "daemon/ledger/state_cache.hpp"

namespace headwater::ledger {

std::string* StateCache::look_up(std::string_view rkey) {
  if (const auto at = young_.find(rkey); at != young_.end()) return &at->second;
  const auto at = old_.find(rkey);
  if (at == old_.end()) return nullptr;
  // The node moves, its strings stay where they are.
  const auto moved = young_.insert(old_.extract(at)).position;
  young_bytes_ += moved->first.size() + moved->second.size();
  return &moved->second;
}

void StateCache::put(std::string_view rkey, std::string_view state) {
  if (std::string* held = look_up(rkey)) {
    young_bytes_ = young_bytes_ - held->size() + state.size();
    held->assign(state);
    return;
  }
  young_.emplace(rkey, state);
  young_bytes_ += rkey.size() + state.size();
}

void StateCache::trim() {
  if (young_bytes_ <= half_) return;
  old_ = std::move(young_);
  young_.clear();
  young_bytes_ = 0;
}

void StateCache::clear() {
  young_.clear();
  old_.clear();
  young_bytes_ = 0;
}

}  // namespace headwater::ledger
