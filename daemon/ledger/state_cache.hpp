#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headwater::ledger {

/// The states written last, as their bytes: what changed a moment ago changes again soonest, and a
/// look here costs a tenth of one in the store. Holds nothing that the store does not hold as well
/// once the batch at hand is written. Under the write lock.
class StateCache {
 public:
  /// `bytes_max`: keys and values together, what a map costs besides not counted.
  explicit StateCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// The record's state, nullptr if it is not held. Stays as it is until put() of the same record,
  /// trim() or clear().
  const std::string* find(std::string_view rkey);
  void put(std::string_view rkey, std::string_view state);
  /// Drops what was used longest ago until the bound holds. Not done by put(): a batch still
  /// borrows from the states that it read.
  void trim();
  void clear();

 private:
  struct Held {
    std::string rkey, state;
  };
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<Held> newest_first_;
  std::unordered_map<std::string_view, std::list<Held>::iterator> by_rkey_;
};

}  // namespace headwater::ledger
