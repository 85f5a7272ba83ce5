#include "daemon/pipeline/schema_change.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>

namespace headwater {
namespace {

constexpr std::size_t kNamesShown = 10;

/// The same from schema to schema: the field id, with the part of a compound behind it.
std::string key_of(const avro::Leaf& leaf) {
  if (leaf.field_id.empty()) return leaf.path;
  const auto dot = leaf.path.find('.');
  return leaf.field_id + (dot == std::string::npos ? std::string() : leaf.path.substr(dot));
}

std::map<std::string, const avro::Leaf*> by_key(const avro::Plan& plan) {
  std::map<std::string, const avro::Leaf*> out;
  for (const avro::Leaf& leaf : plan.leaves()) out.emplace(key_of(leaf), &leaf);
  return out;
}

}  // namespace

SchemaChange schema_change(const avro::Plan& before, const avro::Plan& after) {
  SchemaChange out;
  const auto old_leaves = by_key(before);
  const auto new_leaves = by_key(after);
  for (const auto& [key, leaf] : new_leaves) {
    const auto found = old_leaves.find(key);
    if (found == old_leaves.end()) {
      out.added.push_back(leaf->path);
      continue;
    }
    const avro::Leaf& was = *found->second;
    if (was.path != leaf->path) out.renamed.push_back(was.path + " to " + leaf->path);
    if (was.doc_type != leaf->doc_type) {
      out.retyped.push_back(
          fmt::format("{} from {} to {}", leaf->path, was.doc_type, leaf->doc_type));
    }
  }
  for (const auto& [key, leaf] : old_leaves) {
    if (!new_leaves.contains(key)) out.removed.push_back(leaf->path);
  }
  return out;
}

std::string in_words(const SchemaChange& change) {
  std::string out;
  const auto list = [&](std::string_view what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    if (!out.empty()) out += "; ";
    out.append(what);
    for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
      out += (i == 0 ? ": " : ", ") + names[i];
    }
    if (names.size() > kNamesShown) out += fmt::format(" and {} more", names.size() - kNamesShown);
  };
  list("added", change.added);
  list("removed", change.removed);
  list("renamed", change.renamed);
  list("retyped", change.retyped);
  return out.empty() ? "the order of its fields" : out;
}

}  // namespace headwater
