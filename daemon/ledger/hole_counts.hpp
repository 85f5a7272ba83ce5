#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/ledger/ledger.hpp"

namespace headwater::ledger {

/// Holes of one cause; `deletion` stands for all that a deletion opens.
struct HoleCount {
  std::string cause;
  std::size_t open = 0;
  std::uint64_t opened = 0;  ///< since the start
};

/// How many holes are open, and how many were opened since the start, by cause. Those of a deletion
/// are of one cause here, `deletion`, whatever is to be found out of it: every delete has one for a
/// moment, and it doubts no data that was sent. Any thread.
class HoleCounts {
 public:
  void found(const Hole& hole);  ///< open since before the start
  void opened(const Hole& hole);
  void closed(const Hole& hole);
  /// An open hole is renewed for another cause.
  void renewed(const Hole& before, const Hole& after);
  /// Of every cause that was met since the start.
  std::vector<HoleCount> list() const;

 private:
  struct Count {
    std::size_t open = 0;
    std::uint64_t opened = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Count> counts_;
};

}  // namespace headwater::ledger
