#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"

namespace headwater::verify {

/// Sorts more (key, value) pairs than fit in memory: those of one key come together, in the order
/// in which they were added. Runs of bounded size are sorted and laid down in unnamed temporary
/// files, then merged.
///
///   add() …, finish(), then next() until it gives nothing. One thread.
class Spool {
 public:
  /// `run_bytes_max`: memory of one run; about that much is used.
  explicit Spool(std::size_t run_bytes_max = 16u << 20) : run_bytes_max_(run_bytes_max) {}

  /// Blocked: no temporary file can be written.
  Result<void> add(std::string_view key, std::string_view value);
  Result<void> finish();
  struct Pair {
    std::string key, value;
  };
  /// False: there are no more.
  bool next(Pair& out);

 private:
  struct Item {
    std::string key, value;
    std::uint64_t order = 0;
  };
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Run {
    std::unique_ptr<std::FILE, Close> file;
    Item head;
  };
  Result<void> lay_down();
  static bool read_item(std::FILE* file, Item& out);
  static bool before(const Item& a, const Item& b) {
    return a.key != b.key ? a.key < b.key : a.order < b.order;
  }

  const std::size_t run_bytes_max_;
  std::vector<Item> items_;
  std::size_t bytes_ = 0;
  std::uint64_t order_ = 0;
  std::vector<Run> runs_;
};

}  // namespace headwater::verify
