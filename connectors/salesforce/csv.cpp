#include "connectors/salesforce/csv.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/salesforce/http.hpp"

namespace headwater::salesforce {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

CsvParser::CsvParser(std::span<const std::string> columns, std::size_t page_bytes_max)
    : columns_(columns.begin(), columns.end()), bytes_max_(page_bytes_max) {
  page_.columns_ = columns_.size();
}

Error CsvParser::torn(std::string_view what) const {
  return transient(fmt::format("line {}: {}; reading the page again", line_, what), "CSV_TORN");
}

Result<void> CsvParser::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    // The bulk of a text is inside cells: taken in one piece up to the next character that matters.
    if (at_ == At::Quoted || at_ == At::Plain) {
      const auto end =
          at_ == At::Quoted ? bytes.find_first_of("\"\n") : bytes.find_first_of(",\"\r\n");
      const auto run = bytes.substr(0, end);
      page_.text_ += run;
      bytes.remove_prefix(run.size());
      if (page_.text_.size() - cell_begin_ > kCsvCellBytesMax)
        return transient(
            fmt::format("line {}: a cell is longer than {} bytes", line_, kCsvCellBytesMax),
            "CSV_CELL_TOO_LARGE");
      if (page_.bytes() > bytes_max_)
        return transient(fmt::format("the page is larger than {} bytes", bytes_max_),
                         std::string(kBodyTooLarge));
      if (bytes.empty()) break;
    }
    if (auto done = put(bytes.front()); !done) return done;
    bytes.remove_prefix(1);
  }
  return {};
}

Result<void> CsvParser::put(char c) {
  if (c == '\n') ++line_;
  switch (at_) {
    case At::RowStart:
    case At::CellStart:
      if (c == '"') return at_ = At::Quoted, Result<void>{};
      if (c == ',') return end_cell();
      if (c == '\r') return at_ = At::CarriageReturn, Result<void>{};
      if (c == '\n') return end_row();
      page_.text_ += c;
      at_ = At::Plain;
      return {};
    case At::Plain:
      if (c == ',') return end_cell();
      if (c == '\r') return at_ = At::CarriageReturn, Result<void>{};
      if (c == '\n') return end_row();
      return torn("a quote inside a cell that is not quoted");
    case At::Quoted:
      if (c == '"') return at_ = At::QuoteInQuoted, Result<void>{};
      page_.text_ += c;
      return {};
    case At::QuoteInQuoted:
      if (c == '"') {
        page_.text_ += c;
        at_ = At::Quoted;
        return {};
      }
      if (c == ',') return end_cell();
      if (c == '\r') return at_ = At::CarriageReturn, Result<void>{};
      if (c == '\n') return end_row();
      return torn("text behind a closing quote");
    case At::CarriageReturn:
      if (c == '\n') return end_row();
      return torn("a carriage return inside a cell that is not quoted");
  }
  return {};
}

Result<void> CsvParser::end_cell() {
  page_.cells_.push_back({cell_begin_, page_.text_.size() - cell_begin_});
  cell_begin_ = page_.text_.size();
  at_ = At::CellStart;
  if (page_.cells_.size() - row_begin_ > columns_.size())
    return transient(fmt::format("line {}: a row has more than {} cells", line_, columns_.size()),
                     "CSV_SHAPE");
  return {};
}

Result<void> CsvParser::end_row() {
  // A blank line is no row, unless a row may be one empty cell.
  const bool blank = at_ != At::QuoteInQuoted && page_.cells_.size() == row_begin_ &&
                     page_.text_.size() == cell_begin_;
  if (blank && columns_.size() != 1) return at_ = At::RowStart, Result<void>{};
  if (auto done = end_cell(); !done) return done;
  at_ = At::RowStart;
  const auto cells = page_.cells_.size() - row_begin_;
  if (cells != columns_.size())
    return transient(
        fmt::format("line {}: a row has {} cells, not {}", line_, cells, columns_.size()),
        "CSV_SHAPE");
  if (first_ && is_header()) {
    page_.cells_.clear();
    page_.text_.clear();
    cell_begin_ = 0;
  }
  first_ = false;
  row_begin_ = page_.cells_.size();
  return {};
}

bool CsvParser::is_header() const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (!same_name(page_.cell(0, i), columns_[i])) return false;
  return true;
}

Result<CsvPage> CsvParser::finish() {
  if (at_ == At::QuoteInQuoted) {
    // A last line without its end, but with its last quote: nothing is missing of it.
    if (auto done = end_row(); !done) return done.error();
  }
  if (at_ != At::RowStart || page_.cells_.size() != row_begin_)
    return torn("the text ends inside a row");
  return std::move(page_);
}

}  // namespace headwater::salesforce
