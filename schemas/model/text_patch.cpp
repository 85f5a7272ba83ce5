#include "schemas/model/text_patch.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "schemas/core/sha256.hpp"

namespace headwater {
namespace {

constexpr std::size_t kBytesMax = 1 << 20;
constexpr std::size_t kHashDigits = 64;

/// How a line of a text ends. None: the last one, or one that the diff brings.
enum class Break : std::uint8_t { None, Lf, CrLf, Cr };
constexpr std::array<std::string_view, 4> kBreaks{"", "\n", "\r\n", "\r"};

struct Line {
  std::string_view text;
  Break end = Break::None;
};
using Lines = std::vector<Line>;

Lines lines_of(std::string_view text) {
  Lines out;
  while (!text.empty()) {
    const auto at = text.find_first_of("\r\n");
    if (at == std::string_view::npos) break;
    const Break end = text[at] == '\n'               ? Break::Lf
                      : text.substr(at, 2) == "\r\n" ? Break::CrLf
                                                     : Break::Cr;
    out.push_back({text.substr(0, at), end});
    text.remove_prefix(at + kBreaks[static_cast<std::size_t>(end)].size());
    if (text.empty()) out.push_back({});  // a text that ends in a break has an empty last line
  }
  if (!text.empty()) out.push_back({text, Break::None});
  return out;
}

/// The diff's own lines. What a line says may hold a CR, its end is LF or CRLF.
std::vector<std::string_view> rows_of(std::string_view diff) {
  std::vector<std::string_view> out;
  while (!diff.empty()) {
    const auto at = diff.find('\n');
    auto row = diff.substr(0, at);
    if (row.ends_with('\r')) row.remove_suffix(1);
    out.push_back(row);
    diff.remove_prefix(at == std::string_view::npos ? diff.size() : at + 1);
  }
  while (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

/// The hash that stands after `+++`, in lower case; empty if there is none.
std::string hash_of(std::string_view row) {
  std::string out;
  if (!row.starts_with("+++")) return out;
  const auto digits = trimmed(row.substr(3));
  if (digits.size() != kHashDigits) return out;
  for (const char c : digits) out += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

struct Hunk {
  std::size_t line = 0;  ///< of the old text, from 1; 0 stands before the first
  std::span<const std::string_view> rows;
  bool inserts_only() const {
    return std::ranges::none_of(
        rows, [](auto row) { return row.empty() || row[0] == '-' || row[0] == ' '; });
  }
};

/// `@@ -12,3 +12,4 @@`: 12. The counts say nothing that the rows do not say.
std::optional<std::size_t> line_of(std::string_view row) {
  row = trimmed(row.substr(2));
  if (!row.starts_with('-')) return std::nullopt;
  std::size_t line = 0;
  const auto [end, error] = std::from_chars(row.data() + 1, row.data() + row.size(), line);
  if (error != std::errc{}) return std::nullopt;
  return line;
}

std::optional<std::vector<Hunk>> hunks_of(std::span<const std::string_view> rows) {
  std::vector<Hunk> out;
  while (!rows.empty() && rows.front().empty()) rows = rows.subspan(1);
  while (!rows.empty()) {
    if (!rows.front().starts_with("@@")) return std::nullopt;
    const auto line = line_of(rows.front());
    if (!line) return std::nullopt;
    rows = rows.subspan(1);
    std::size_t size = 0;
    while (size < rows.size() && !rows[size].starts_with("@@")) ++size;
    std::size_t said = size;  // without blank lines before the next hunk
    while (said > 0 && rows[said - 1].empty()) --said;
    out.push_back({*line, rows.first(said)});
    rows = rows.subspan(size);
  }
  return out;
}

/// Where a hunk that only inserts puts its lines: behind the line that it names, or before it.
enum class Insert : std::uint8_t { Behind, Before };

/// Takes the hunk's rows in turn, from line `at` of the base on. False: the base differs.
bool take_rows(const Hunk& hunk, const Lines& base, std::size_t& at, Lines& out) {
  for (const auto row : hunk.rows) {
    const char kind = row.empty() ? ' ' : row[0];
    const auto text = row.empty() ? row : row.substr(1);
    if (kind == '+') {
      out.push_back({text, Break::None});
    } else if (kind == '-' || kind == ' ') {
      if (at == base.size() || base[at].text != text) return false;
      if (kind == ' ') out.push_back(base[at]);
      ++at;
    } else if (kind != '\\') {  // "\ No newline at end of file" says nothing that the hash does not
      return false;
    }
  }
  return true;
}

bool apply_hunks(std::span<const Hunk> hunks, const Lines& base, Insert insert, Lines& out) {
  out.clear();
  std::size_t at = 0;
  for (const Hunk& hunk : hunks) {
    std::size_t first = hunk.line;
    if (!hunk.inserts_only() || insert == Insert::Before) {
      if (first == 0) return false;
      --first;
    }
    if (first < at || first > base.size()) return false;
    out.insert(out.end(),
               base.begin() + static_cast<std::ptrdiff_t>(at),
               base.begin() + static_cast<std::ptrdiff_t>(first));
    at = first;
    if (!take_rows(hunk, base, at, out)) return false;
  }
  out.insert(out.end(), base.begin() + static_cast<std::ptrdiff_t>(at), base.end());
  return true;
}

/// `every`: how all lines end; None: as they did, new ones as the base's first.
void join(const Lines& lines, Break every, Break usual, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out.append(lines[i].text);
    if (i + 1 == lines.size()) break;
    Break end = every != Break::None ? every : lines[i].end;
    if (end == Break::None) end = usual;
    out.append(kBreaks[static_cast<std::size_t>(end)]);
  }
}

}  // namespace

Patched patch_text(std::string_view base, std::string_view diff, std::string& out) {
  if (base.size() > kBytesMax || diff.size() > kBytesMax) return Patched::Mismatch;
  const auto rows = rows_of(diff);
  if (rows.size() < 2 || !rows[0].starts_with("---")) return Patched::Mismatch;
  const std::string hash = hash_of(rows[1]);
  if (hash.empty()) return Patched::Mismatch;
  if (sha256_hex(base) == hash) return Patched::Already;
  const auto hunks = hunks_of(std::span(rows).subspan(2));
  if (!hunks) return Patched::Mismatch;

  const Lines old_lines = lines_of(base);
  const Break usual =
      old_lines.empty() || old_lines[0].end == Break::None ? Break::Lf : old_lines[0].end;
  const bool uniform = std::ranges::all_of(
      old_lines, [&](const Line& line) { return line.end == usual || line.end == Break::None; });
  const bool inserts = std::ranges::any_of(*hunks, &Hunk::inserts_only);
  Lines lines;
  for (const Insert insert : {Insert::Behind, Insert::Before}) {
    if (insert == Insert::Before && !inserts) break;
    if (!apply_hunks(*hunks, old_lines, insert, lines)) continue;
    for (const Break every : {Break::None, Break::CrLf, Break::Lf, Break::Cr}) {
      if (uniform && every == usual) continue;  // was the first
      join(lines, every, usual, out);
      if (sha256_hex(out) == hash) return Patched::Applied;
    }
  }
  out.clear();
  return Patched::Mismatch;
}

}  // namespace headwater
