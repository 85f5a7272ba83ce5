#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.hpp"

namespace headwater::config {

/// Problems of one file, some of which lie inside a scalar: a YAML mark says where a scalar begins,
/// an expression's problem at which of its bytes.
class Places {
 public:
  /// `text` must outlive it.
  explicit Places(const std::string& text) : text_(text) {}

  Problems& problems() { return problems_; }
  /// Adds a problem at byte `offset` of the scalar under `key`.
  void add(const Node& node, std::string_view key, std::size_t offset, std::string what);
  /// All problems, each with its final place.
  std::vector<Problem> placed() const;

 private:
  void move(Problem& problem, std::size_t offset) const;

  const std::string& text_;
  Problems problems_;
  std::map<std::size_t, std::size_t> offsets_;  // index of a problem -> offset in its scalar
};

}  // namespace headwater::config
