#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/ledger/store.hpp"
#include "schemas/core/ids.hpp"

namespace headwater::ledger {

/// Closed rows of one kind that are kept, the oldest go first. What a person decided stays readable
/// for as long as anyone will ask.
inline constexpr std::size_t kClosedKept = 10'000;

/// What was closed, in the order of closing: how a hole or a quarantine row ended stays readable.
/// add(): under the write lock. walk(): any thread.
class ClosedRows {
 public:
  ClosedRows(Store& store, std::string_view prefix) : store_(store), prefix_(prefix) {}
  Result<void> load();
  /// `closed`: of the entry that told it, or any rev that is given once.
  void add(StoreBatch& batch, Rev closed, std::string_view bytes);
  /// The same of what no entry tells.
  void add(StoreBatch& batch, std::string_view bytes);
  /// Oldest first, until `visit` returns false.
  void walk(const std::function<bool(std::string_view bytes)>& visit) const;

 private:
  Store& store_;
  const std::string prefix_;
  std::deque<Rev> kept_;
};

}  // namespace headwater::ledger
