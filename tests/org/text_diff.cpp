#include "tests/org/text_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "schemas/core/sha256.hpp"

namespace headwater::org {
namespace {

constexpr std::size_t kSizeMin = 1'000;

/// Lines of a text with one kind of line break; nothing if it mixes them or differs from `breaks`.
std::optional<std::vector<std::string_view>> lines_of(std::string_view text,
                                                      std::string_view breaks) {
  std::vector<std::string_view> out;
  while (true) {
    const auto end = text.find(breaks);
    out.push_back(text.substr(0, end));
    if (out.back().find_first_of("\r\n") != std::string_view::npos) return std::nullopt;
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + breaks.size());
  }
}

/// `l,c` of a hunk: 1-based; a side without lines names the line before it.
std::string range(std::size_t first, std::size_t count) {
  return fmt::format("{},{}", count == 0 ? first : first + 1, count);
}

}  // namespace

std::optional<std::string> unified_diff(std::string_view before, std::string_view after) {
  if (before.size() < kSizeMin || after.size() < kSizeMin) return std::nullopt;
  const auto longer = std::max(before.size(), after.size());
  if (longer - std::min(before.size(), after.size()) > before.size() / 2) return std::nullopt;
  const std::string_view breaks = before.find("\r\n") == std::string_view::npos ? "\n" : "\r\n";
  const auto old_lines = lines_of(before, breaks);
  const auto new_lines = lines_of(after, breaks);
  if (!old_lines || !new_lines) return std::nullopt;

  const auto shorter = std::min(old_lines->size(), new_lines->size());
  std::size_t head = 0;
  while (head < shorter && (*old_lines)[head] == (*new_lines)[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && *(old_lines->rbegin() + static_cast<std::ptrdiff_t>(tail)) ==
                                      *(new_lines->rbegin() + static_cast<std::ptrdiff_t>(tail))) {
    ++tail;
  }
  const auto removed = old_lines->size() - head - tail;
  const auto added = new_lines->size() - head - tail;
  if (std::max(removed, added) * 4 > old_lines->size()) return std::nullopt;

  std::string out = fmt::format(
      "---\n+++ {}\n@@ -{} +{} @@", sha256_hex(after), range(head, removed), range(head, added));
  for (std::size_t i = 0; i < removed; ++i) out += fmt::format("\n-{}", (*old_lines)[head + i]);
  for (std::size_t i = 0; i < added; ++i) out += fmt::format("\n+{}", (*new_lines)[head + i]);
  if (out.size() > after.size()) return std::nullopt;
  return out;
}

}  // namespace headwater::org
