#include "daemon/ledger/state_cache.hpp"

namespace headwater::ledger {

std::string* StateCache::find(std::string_view rkey) {
  if (const auto at = young_.find(rkey); at != young_.end()) return &at->second;
  const auto at = old_.find(rkey);
  if (at == old_.end()) return nullptr;
  // The node moves, its strings stay where they are.
  const auto moved = young_.insert(old_.extract(at)).position;
  young_bytes_ += moved->first.size() + moved->second.size();
  return &moved->second;
}

void StateCache::replace(std::string& held, std::string_view state) {
  young_bytes_ = young_bytes_ - held.size() + state.size();
  held.assign(state);
}

void StateCache::add(std::string_view rkey, std::string_view state) {
  young_.emplace(rkey, state);
  young_bytes_ += rkey.size() + state.size();
}

void StateCache::trim() {
  if (young_bytes_ <= half_) return;
  const std::size_t records = young_.size();
  old_ = std::move(young_);
  young_.clear();
  young_.reserve(records);  // growing step by step would touch every node again and again
  young_bytes_ = 0;
}

void StateCache::clear() {
  young_.clear();
  old_.clear();
  young_bytes_ = 0;
}

}  // namespace headwater::ledger
