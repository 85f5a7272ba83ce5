#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"

namespace headwater::salesforce {

/// Longest cell: 131,072 characters of a long text area, as UTF-8 of at most 4 bytes each.
/// Source: Salesforce Help, "Custom Field Types", Long Text Area.
inline constexpr std::size_t kCsvCellBytesMax = 131'072 * 4;
/// A query names at most as many columns as an object has fields (800 custom ones and its own).
inline constexpr std::size_t kCsvColumnsMax = 2'000;

/// Rows of one answer. Each row has as many cells as there are columns. Null and the empty text
/// cannot be told apart in a Bulk result, and Salesforce stores no empty text: an empty cell is
/// null (salesforce.md section 11.5; `#N/A` means null in ingest jobs only, and is plain text
/// here).
class CsvPage {
 public:
  std::size_t rows() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  std::size_t columns() const { return columns_; }
  /// REQUIRES: row < rows(), column < columns(). Borrowed from the page.
  std::string_view cell(std::size_t row, std::size_t column) const {
    const auto& at = cells_[row * columns_ + column];
    return std::string_view(text_).substr(at.from, at.size);
  }
  std::size_t bytes() const { return text_.size() + cells_.size() * sizeof(Cell); }

 private:
  friend class CsvParser;
  struct Cell {
    std::size_t from = 0, size = 0;
  };
  std::size_t columns_ = 0;
  std::string text_;         // of all cells, one after the other
  std::vector<Cell> cells_;  // row by row
};

/// Reads RFC 4180 as Bulk API 2.0 writes it, in pieces as they arrive: quoted cells with commas,
/// quotes (doubled) and line breaks of any kind in them, lines ended by LF or CRLF.
///
/// Bounded: cells, columns and the page have a greatest size. The first line is the header: it must
/// name `columns`, in that order and in any case of letters; a first line that does not is the
/// first row, since not every page is promised to repeat the header.
class CsvParser {
 public:
  CsvParser(std::span<const std::string> columns, std::size_t page_bytes_max);

  /// Transient: not such a text (code CSV_TORN, CSV_SHAPE), or too large (code kBodyTooLarge, or
  /// CSV_CELL_TOO_LARGE). Messages name lines and counts, never content.
  Result<void> feed(std::string_view bytes);
  /// The end of the text. Transient, code CSV_TORN: it ends inside a row.
  Result<CsvPage> finish();

 private:
  enum class At : std::uint8_t {
    RowStart,
    CellStart,
    Plain,
    Quoted,
    QuoteInQuoted,
    CarriageReturn
  };
  Result<void> put(char c);
  Result<void> end_cell();
  Result<void> end_row();
  bool is_header() const;
  Error torn(std::string_view what) const;

  const std::vector<std::string> columns_;
  const std::size_t bytes_max_;
  At at_ = At::RowStart;
  bool first_ = true;           // no row is complete yet
  std::size_t row_begin_ = 0;   // index of the row's first cell
  std::size_t cell_begin_ = 0;  // in the page's text
  std::uint64_t line_ = 1;
  CsvPage page_;
};

}  // namespace headwater::salesforce
