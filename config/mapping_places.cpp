#include "config/mapping_places.hpp"

namespace headwater::config {
namespace {

/// Bytes of the source that make the scalar's next byte; 0 where a line ends, since folding is not
/// followed. Escapes of double-quoted scalars count as one byte: right for all but the numeric
/// ones.
std::size_t step(std::string_view source, char quote) {
  if (source.empty() || source.front() == '\n') return 0;
  if (quote == '\'' && source.starts_with("''")) return 2;
  if (quote == '"' && source.front() == '\\') return 2;
  return 1;
}

}  // namespace

void Places::add(const Node& node, std::string_view key, std::size_t offset, std::string what) {
  node.problem(key, std::move(what));
  offsets_[problems_.list().size() - 1] = offset;
}

std::vector<Problem> Places::placed() const {
  std::vector<Problem> out = problems_.list();
  for (const auto& [index, offset] : offsets_) move(out[index], offset);
  return out;
}

void Places::move(Problem& problem, std::size_t offset) const {
  if (problem.line == 0) return;
  std::size_t from = 0;
  for (int line = 1; line < problem.line && from != std::string::npos; ++line) {
    from = text_.find('\n', from);
    if (from != std::string::npos) ++from;
  }
  const auto column = static_cast<std::size_t>(problem.column - 1);
  if (from == std::string::npos || from + column >= text_.size()) return;
  std::string_view source = std::string_view(text_).substr(from + column);
  const char quote = source.front();
  std::size_t moved = 0;
  if (quote == '\'' || quote == '"') moved = 1;
  const bool block = quote == '|' || quote == '>';
  for (std::size_t i = 0; i < offset; ++i) {
    const std::size_t bytes = block ? 0 : step(source.substr(moved), quote);
    if (bytes == 0) {  // over several lines: count in the expression instead
      problem.what += " (at byte " + std::to_string(offset + 1) + " of the expression)";
      return;
    }
    moved += bytes;
  }
  problem.column += static_cast<int>(moved);
}

}  // namespace headwater::config
