#include "connectors/kafka/tail.hpp"

#include <algorithm>
#include <functional>

namespace headwater::kafka {
namespace {

std::uint64_t hash_of(std::string_view key) { return std::hash<std::string_view>{}(key); }

}  // namespace

void KnownTail::clear() {
  clear_pairs();
  records_.clear();
  last_ = 0;
}

void KnownTail::clear_pairs() {
  pairs_ = {};
  ceiling_ = kNoCeiling;
}

void KnownTail::add_change(std::string_view key, std::uint64_t rev) {
  last_ = std::max(last_, rev);
  if (rev > ceiling_) return;
  pairs_.push_back({rev, hash_of(key)});
  if (pairs_.size() >= 2 * pairs_max_) cut();
}

void KnownTail::cut() {
  std::sort(pairs_.begin(), pairs_.end());
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  if (pairs_.size() <= pairs_max_) return;
  // A ceiling includes all pairs of its rev: the first rev that is cut lies above it.
  ceiling_ = pairs_[pairs_max_].rev - 1;
  const auto above = [this](const Pair& pair) { return pair.rev > ceiling_; };
  pairs_.erase(std::find_if(pairs_.begin(), pairs_.end(), above), pairs_.end());
}

void KnownTail::add_record(std::string_view key, std::uint64_t rev) {
  last_ = std::max(last_, rev);
  const std::uint64_t hash = hash_of(key);
  if (records_.size() >= keys_max_ && !records_.contains(hash)) return;
  // The last message of a key is what compaction keeps, so it counts, not the highest rev.
  records_[hash] = rev;
}

void KnownTail::finish() {
  std::sort(pairs_.begin(), pairs_.end());
  cut();
  pairs_.shrink_to_fit();
}

void KnownTail::remember_change(std::string_view key, std::uint64_t rev) {
  last_ = std::max(last_, rev);
  const Pair pair{rev, hash_of(key)};
  pairs_.insert(std::lower_bound(pairs_.begin(), pairs_.end(), pair), pair);
}

bool KnownTail::has_change(std::string_view key, std::uint64_t rev) const {
  return rev <= last_ && std::binary_search(pairs_.begin(), pairs_.end(), Pair{rev, hash_of(key)});
}

bool KnownTail::has_record(std::string_view key, std::uint64_t rev) const {
  if (rev > last_ || records_.empty()) return false;
  const auto found = records_.find(hash_of(key));
  return found != records_.end() && found->second >= rev;
}

}  // namespace headwater::kafka
