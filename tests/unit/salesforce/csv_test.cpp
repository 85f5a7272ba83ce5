#include "connectors/salesforce/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "connectors/salesforce/http.hpp"

namespace headwater::salesforce {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kColumns{"Id", "Name", "Description"};
constexpr std::size_t kRoom = 16u << 20;

Result<CsvPage> parse(std::string_view text,
                      std::size_t piece = 1u << 20,
                      const std::vector<std::string>& columns = kColumns,
                      std::size_t room = kRoom) {
  CsvParser parser(columns, room);
  for (std::size_t at = 0; at < text.size(); at += piece)
    if (auto fed = parser.feed(text.substr(at, piece)); !fed) return fed.error();
  return parser.finish();
}

std::vector<std::string> row(const CsvPage& page, std::size_t i) {
  std::vector<std::string> out;
  for (std::size_t c = 0; c < page.columns(); ++c) out.emplace_back(page.cell(i, c));
  return out;
}

TEST(Csv, CellsMayHoldCommasQuotesAndLineBreaks) {
  const auto page = parse(
      "\"Id\",\"Name\",\"Description\"\n"
      "\"1\",\"a,b\",\"first\nsecond\r\nthird\"\n"
      "\"2\",\"say \"\"hi\"\"\",\"\"\"\"\n");
  ASSERT_TRUE(page.ok()) << page.error().message;
  ASSERT_EQ(page->rows(), 2u);
  EXPECT_THAT(row(*page, 0), ElementsAre("1", "a,b", "first\nsecond\r\nthird"));
  EXPECT_THAT(row(*page, 1), ElementsAre("2", "say \"hi\"", "\""));
}

TEST(Csv, NullIsAnEmptyCellQuotedOrNot) {
  const auto page = parse("Id,Name,Description\n1,,\"\"\n2,#N/A,x\n");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_THAT(row(*page, 0), ElementsAre("1", "", ""));
  // That word means null in ingest jobs only.
  EXPECT_THAT(row(*page, 1), ElementsAre("2", "#N/A", "x"));
}

TEST(Csv, APageWithoutAHeaderLosesNoRow) {
  const auto page = parse("\"1\",\"a\",\"b\"\n\"2\",\"c\",\"d\"\n");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->rows(), 2u);
}

TEST(Csv, AHeaderInOtherCaseIsOne) {
  const auto page = parse("id,NAME,Description\r\n1,a,b\r\n");
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows(), 1u);
  EXPECT_THAT(row(*page, 0), ElementsAre("1", "a", "b"));
}

TEST(Csv, NoRowsIsAPage) {
  EXPECT_EQ(parse("\"Id\",\"Name\",\"Description\"\n")->rows(), 0u);
  EXPECT_EQ(parse("")->rows(), 0u);
}

TEST(Csv, TheLongestTextFits) {
  const std::string longest(131'072, 'x');
  const auto page = parse("\"1\",\"a\",\"" + longest + "\"\n", 1'000);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->cell(0, 2), longest);
}

TEST(Csv, ALongerOneIsRefusedBeforeItFillsTheMemory) {
  const std::string text = "\"1\",\"a\",\"" + std::string(kCsvCellBytesMax + 2'000, 'x');
  const auto page = parse(text, 1'000);
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().code, "CSV_CELL_TOO_LARGE");
  EXPECT_EQ(page.error().kind, ErrorKind::Transient);
}

TEST(Csv, APageAboveItsBoundIsRefused) {
  std::string text;
  for (int i = 0; i < 1'000; ++i) text += "\"1\",\"a\",\"" + std::string(100, 'x') + "\"\n";
  const auto page = parse(text, 4'096, kColumns, 50'000);
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().code, kBodyTooLarge);
}

TEST(Csv, ATornTextIsNoPage) {
  const std::string whole =
      "\"Id\",\"Name\",\"Description\"\n\"1\",\"a\nb\",\"c\"\n\"2\",\"d\",\"e\"\n";
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto page = parse(std::string_view(whole).substr(0, size));
    if (page.ok()) {
      // Only where a row ends, with or without its line end: the count in the header tells the
      // rest.
      EXPECT_TRUE(whole[size] == '\n' || whole[size - 1] == '\n') << size;
      EXPECT_LE(page->rows(), 2u);
    } else {
      EXPECT_EQ(page.error().kind, ErrorKind::Transient) << size;
    }
  }
}

TEST(Csv, ACellWithoutQuotesThatTheTextEndsInMayBeCutShort) {
  ASSERT_TRUE(parse("1,a,whole\n").ok());
  const auto page = parse("1,a,who");
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().code, "CSV_TORN");
}

TEST(Csv, ARowOfAnotherShapeIsToldByItsLineAlone) {
  for (const auto* text : {"1,secret\n", "1,2,secret,4\n", "\"\"\n"}) {
    const auto page = parse(text);
    ASSERT_FALSE(page.ok()) << text;
    EXPECT_EQ(page.error().code, "CSV_SHAPE");
    EXPECT_THAT(page.error().message, HasSubstr("line "));
    EXPECT_THAT(page.error().message, testing::Not(HasSubstr("secret")));
  }
  EXPECT_EQ(parse("1,a\"b,c\n").error().code, "CSV_TORN");
  EXPECT_EQ(parse("1,\"a\"b,c\n").error().code, "CSV_TORN");
}

TEST(Csv, WhereTheTextIsCutIntoPiecesDoesNotMatter) {
  std::mt19937 random(7);
  const std::string alphabet = "ab,\"\n\r ";
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<std::string>> rows(1 + random() % 5);
    std::string text;
    for (auto& cells : rows) {
      for (int c = 0; c < 3; ++c) {
        auto& cell = cells.emplace_back();
        for (auto n = random() % 8; n > 0; --n) cell += alphabet[random() % alphabet.size()];
        text += c == 0 ? "\"" : ",\"";
        for (const char x : cell) text += x == '"' ? "\"\"" : std::string(1, x);
        text += '"';
      }
      text += random() % 2 == 0 ? "\n" : "\r\n";
    }
    const auto page = parse(text, 1 + random() % 7);
    ASSERT_TRUE(page.ok()) << page.error().message << "\n" << text;
    ASSERT_EQ(page->rows(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(row(*page, i), rows[i]) << text;
  }
}

}  // namespace
}  // namespace headwater::salesforce
