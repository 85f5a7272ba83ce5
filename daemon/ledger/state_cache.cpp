#include "daemon/ledger/state_cache.hpp"

namespace headwater::ledger {

const std::string* StateCache::find(std::string_view rkey) {
  const auto at = by_rkey_.find(rkey);
  if (at == by_rkey_.end()) return nullptr;
  newest_first_.splice(newest_first_.begin(), newest_first_, at->second);
  return &at->second->state;
}

void StateCache::put(std::string_view rkey, std::string_view state) {
  if (const auto at = by_rkey_.find(rkey); at != by_rkey_.end()) {
    Held& held = *at->second;
    bytes_ = bytes_ - held.state.size() + state.size();
    held.state.assign(state);
    newest_first_.splice(newest_first_.begin(), newest_first_, at->second);
    return;
  }
  newest_first_.push_front({std::string(rkey), std::string(state)});
  by_rkey_.emplace(newest_first_.front().rkey, newest_first_.begin());
  bytes_ += rkey.size() + state.size();
}

void StateCache::trim() {
  while (bytes_ > bytes_max_) {
    const Held& oldest = newest_first_.back();
    bytes_ -= oldest.rkey.size() + oldest.state.size();
    by_rkey_.erase(oldest.rkey);
    newest_first_.pop_back();
  }
}

void StateCache::clear() {
  by_rkey_.clear();
  newest_first_.clear();
  bytes_ = 0;
}

}  // namespace headwater::ledger
