#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headwater::ledger {

/// The states written last, as their bytes: what changed a moment ago changes again soonest, and a
/// look here costs a tenth of one in the store. Holds nothing that the store does not hold as well
/// once the batch at hand is written. Under the write lock.
///
/// Two generations: what is found or put is young; once the young fill half of the room the old go,
/// and the young are old. That keeps what is used, and a find writes to nothing but the bytes that
/// it is about, where a list in order of use would touch three strangers.
class StateCache {
 public:
  /// `bytes_max`: keys and values together, what a map costs besides not counted.
  explicit StateCache(std::size_t bytes_max) : half_(bytes_max / 2) {}

  /// The record's state, nullptr if it is not held. Stays where it is until trim() or clear().
  std::string* find(std::string_view rkey);
  /// `held`: what find() gave since the last trim() or clear().
  void replace(std::string& held, std::string_view state);
  /// REQUIRES: the record is not held.
  void add(std::string_view rkey, std::string_view state);
  /// Drops the old if the young have their share. Not done by put(): a batch still borrows from the
  /// states that it read.
  void trim();
  void clear();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Generation = std::unordered_map<std::string, std::string, Hash, std::equal_to<>>;
  Generation young_, old_;
  std::size_t half_;
  std::size_t young_bytes_ = 0;
};

}  // namespace headwater::ledger
