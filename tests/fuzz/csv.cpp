// A page of a Bulk result: the same whole or in pieces; cells of any bytes come back as they were.

#include "connectors/salesforce/csv.hpp"

#include <algorithm>
#include <optional>

#include "tests/fuzz/fuzz.hpp"

using namespace headwater;
using salesforce::CsvPage;
using salesforce::CsvParser;

namespace {

constexpr std::size_t kPageBytesMax = 1 << 16;

/// Feeds pieces of at most `step` bytes; nothing: refused.
std::optional<CsvPage> read(const std::vector<std::string>& columns,
                            std::string_view text,
                            std::size_t step) {
  CsvParser parser(columns, kPageBytesMax);
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) {
    const auto fed = parser.feed(text.substr(0, step));
    if (!fed) {
      HEADWATER_ASSERT(fed.error().kind == ErrorKind::Transient && !fed.error().code.empty());
      return std::nullopt;
    }
  }
  auto page = parser.finish();
  if (!page) {
    HEADWATER_ASSERT(page.error().kind == ErrorKind::Transient);
    return std::nullopt;
  }
  return std::move(*page);
}

using Rows = std::vector<std::vector<std::string_view>>;

std::string written(const std::vector<std::string>& columns, const Rows& rows) {
  std::string out;
  const auto line = [&](const auto& cells) {
    char before = '"';
    for (const auto& cell : cells) {
      if (before == ',') out += before;
      out += '"';
      for (const char c : cell) out.append(c == '"' ? 2 : 1, c);
      out += '"';
      before = ',';
    }
    out += '\n';
  };
  line(columns);
  for (const auto& row : rows) line(row);
  return out;
}

Rows rows_of(const CsvPage& page) {
  Rows out(page.rows());
  for (std::size_t row = 0; row < page.rows(); ++row)
    for (std::size_t i = 0; i < page.columns(); ++i) out[row].push_back(page.cell(row, i));
  return out;
}

/// Cells of any bytes come back as they were.
void check_cells(const std::vector<std::string>& columns, std::string_view text) {
  Rows rows;
  for (fuzz::Pieces pieces(text); !pieces.empty();) {
    auto& row = rows.emplace_back();
    while (row.size() < columns.size()) row.push_back(pieces.until('|'));
  }
  const auto page = read(columns, written(columns, rows), kPageBytesMax);
  if (page) HEADWATER_ASSERT(rows_of(*page) == rows);
  HEADWATER_ASSERT(page || text.size() > 1'000);  // else: beyond the bound
}

}  // namespace

FUZZ_TARGET(csv) {
  fuzz::Pieces pieces(input);
  std::vector<std::string> columns{"Id", "Name", "Note__c"};
  columns.resize(1 + pieces.byte() % columns.size());
  const std::size_t step = 1 + pieces.byte() % 16;
  const fuzz::Exact text(pieces.rest());
  check_cells(columns, text.view());
  const auto whole = read(columns, text.view(), text.view().size() + 1);
  const auto cut = read(columns, text.view(), step);
  HEADWATER_ASSERT(whole.has_value() == cut.has_value());
  if (!whole) return;
  HEADWATER_ASSERT(rows_of(*whole) == rows_of(*cut) && whole->bytes() <= 2 * kPageBytesMax);
  const auto again = read(columns, written(columns, rows_of(*whole)), kPageBytesMax);
  if (again) HEADWATER_ASSERT(rows_of(*again) == rows_of(*whole));
}
