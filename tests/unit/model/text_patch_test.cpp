#include "schemas/model/text_patch.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "schemas/core/sha256.hpp"

namespace headwater {
namespace {

struct Result {
  Patched how;
  std::string text;
  friend bool operator==(const Result&, const Result&) = default;
};
void PrintTo(const Result& result, std::ostream* out) {
  *out << static_cast<int>(result.how) << " " << result.text;
}
Result patch(std::string_view base, std::string_view diff) {
  Result result;
  result.how = patch_text(base, diff, result.text);
  return result;
}
Result applied(std::string text) { return {Patched::Applied, std::move(text)}; }
const Result kMismatch{Patched::Mismatch, ""};

/// `rows`: from the first hunk on.
std::string diff_to(std::string_view after, std::string_view rows) {
  return "---\n+++ " + sha256_hex(after) + "\n" + std::string(rows);
}

const std::string kBase = "alpha\r\nbeta\r\ngamma";
const std::string kAfter = "alpha\r\nbeta two\r\ngamma";
const std::string kHash = "43d5fbee8a9bd9b96688979c331320b4910a344e8643b6e05739bda63d8db30f";
const std::string kHunk = "@@ -2,1 +2,1 @@\n-beta\n+beta two";

TEST(TextPatch, TheVectorOfTheReference) {
  EXPECT_EQ(sha256_hex(kAfter), kHash);
  EXPECT_EQ(patch(kBase, "---\n+++ " + kHash + "\n" + kHunk), applied(kAfter));
}

TEST(TextPatch, EveryLayoutThatIsLeftOpenIsRead) {
  std::string crlf = "---\r\n+++ " + kHash + "\r\n@@ -2,1 +2,1 @@\r\n-beta\r\n+beta two\r\n";
  std::string shouted = kHash;
  for (char& c : shouted) c = static_cast<char>(std::toupper(c));
  for (const std::string& diff : {
           "--- \n+++ " + kHash + " \n\n" + kHunk,
           "---\n+++ " + kHash + "\n\n\n" + kHunk + "\n\n",
           "---\n+++ " + kHash + "\n@@ -2 +2 @@\n-beta\n+beta two\n",
           "---\n+++ " + kHash + "\n@@ -1,3 +1,3 @@\n alpha\n-beta\n+beta two\n gamma",
           "---\n+++ " + kHash + "\n" + kHunk + "\n\\ No newline at end of file",
           "---\n+++ " + kHash + "\n@@ -2,999999999 +7,0 @@ a heading\n-beta\n+beta two",
           "---\n+++ " + shouted + "\n" + kHunk,
           crlf,
       }) {
    EXPECT_EQ(patch(kBase, diff), applied(kAfter)) << diff;
  }
}

TEST(TextPatch, NewLinesEndAsTheHashSays) {
  const std::string rows = "@@ -2,1 +2,2 @@\n-b\n+x\n+y";
  for (const std::string after : {"a\nx\ny\nc", "a\r\nx\r\ny\r\nc", "a\rx\ry\rc"}) {
    EXPECT_EQ(patch("a\nb\nc", diff_to(after, rows)), applied(after));
  }
  // What is not said keeps its own breaks, be they mixed.
  EXPECT_EQ(patch("a\nb\r\nc\rd", diff_to("a\nb\r\nc\rD", "@@ -4 +4 @@\n-d\n+D")),
            applied("a\nb\r\nc\rD"));
  EXPECT_EQ(patch("a\nb", diff_to("a", "@@ -2 +1,0 @@\n-b")), applied("a"));
  EXPECT_EQ(patch("a\nb\n", diff_to("a\nb\nc\n", "@@ -2,0 +3 @@\n+c")), applied("a\nb\nc\n"));
}

TEST(TextPatch, AnInsertionNamesTheLineBeforeOrAfterIt) {
  EXPECT_EQ(patch("a\nb", diff_to("a\nx\nb", "@@ -1,0 +2,1 @@\n+x")), applied("a\nx\nb"));
  EXPECT_EQ(patch("a\nb", diff_to("a\nx\nb", "@@ -2,0 +2,1 @@\n+x")), applied("a\nx\nb"));
  EXPECT_EQ(patch("a\nb", diff_to("x\na\nb", "@@ -0,0 +1,1 @@\n+x")), applied("x\na\nb"));
  EXPECT_EQ(patch("a\nb", diff_to("a\nb\nx", "@@ -3,0 +3,1 @@\n+x")), applied("a\nb\nx"));
}

TEST(TextPatch, EmptyTexts) {
  EXPECT_EQ(patch("", diff_to("a\nb", "@@ -0,0 +1,2 @@\n+a\n+b")), applied("a\nb"));
  EXPECT_EQ(patch("a\nb", diff_to("", "@@ -1,2 +0,0 @@\n-a\n-b")), applied(""));
  EXPECT_EQ(patch("", diff_to("", "")).how, Patched::Already);
  EXPECT_EQ(patch("", ""), kMismatch);
}

TEST(TextPatch, ATextThatIsTheResultAlreadyIsLeftAlone) {
  EXPECT_EQ(patch(kAfter, diff_to(kAfter, kHunk)).how, Patched::Already);
}

TEST(TextPatch, WhatTheHashDoesNotProveIsNotTaken) {
  EXPECT_EQ(patch("alpha\r\nbeta\r\nother", diff_to(kAfter, kHunk)), kMismatch);
  EXPECT_EQ(patch(kBase, diff_to("alpha\r\nbeta 2\r\ngamma", kHunk)), kMismatch);
  EXPECT_EQ(patch(kBase, "---\n+++ " + kHash.substr(1) + "\n" + kHunk), kMismatch);
  EXPECT_EQ(patch(kBase, kHunk), kMismatch);
}

TEST(TextPatch, HostileDiffsAreMismatches) {
  for (const std::string& rows : {
           std::string("@@ -3,1 +3,1 @@\n-beta\n+beta two"),                     // wrong line
           std::string("@@ -4,1 +4,1 @@\n-beta\n+beta two"),                     // behind the end
           std::string("@@ -0,1 +0,1 @@\n-beta\n+beta two"),                     // before the start
           std::string("@@ -18446744073709551615,1 +2,1 @@\n-beta\n+beta two"),  // greatest
           std::string("@@ -99999999999999999999,1 +2,1 @@\n-beta\n+beta two"),  // no number
           std::string("@@ --2,1 +2,1 @@\n-beta\n+beta two"),                    // negative
           std::string("@@ -2,1 +2,1 @@\n-beta\n+beta two\n?what"),              // no such row
           std::string("@@ -2,1 +2,1 @@\n-beta\n@@ -1,0 +1,1 @@\n+beta two"),    // backwards
           std::string("@@ -2,1 +2,1 @@\n-beta\n+beta two\n-gamma\n-more"),      // beyond the end
           std::string("@@"),
           std::string("-beta\n+beta two"),
           std::string("\0\xff", 2),
       }) {
    EXPECT_EQ(patch(kBase, diff_to(kAfter, rows)), kMismatch) << rows;
  }
  const std::string large((1 << 20) + 1, 'x');
  EXPECT_EQ(patch(large, diff_to("y", "@@ -1 +1 @@\n-x\n+y")), kMismatch);
  EXPECT_EQ(patch("x", diff_to("y", large)), kMismatch);
}

/// How a diff is written.
struct Layout {
  std::string separator;
  std::size_t context = 0;
  bool blank = false, counts = true, insert_before = false, no_newline = false;
};

/// A text as lines, what became of each, and both texts with one kind of break.
struct Edit {
  struct Row {
    char kind;
    std::string text;
  };
  std::vector<Row> rows;
  std::string text(char without, const std::string& breaks) const {
    std::string out;
    bool first = true;
    for (const Row& row : rows) {
      if (row.kind == without) continue;
      out += (first ? "" : breaks) + row.text;
      first = false;
    }
    return out;
  }
};

Edit random_edit(std::mt19937_64& random) {
  const std::vector<std::string> words{
      "", "a", "-b", "+c", "@@ d", "\\ e", " f", "grün", "猫", "--- g"};
  Edit edit;
  for (std::size_t i = 1 + random() % 30; i > 0; --i) {
    const auto word = [&] { return words[random() % words.size()] + std::to_string(random() % 3); };
    const auto kind = random() % 8;
    if (kind == 0) edit.rows.push_back({'+', word()});
    edit.rows.push_back({kind == 1 || kind == 2 ? '-' : ' ', word()});
    if (kind == 2 || kind == 3) edit.rows.push_back({'+', word()});
  }
  return edit;
}

std::string written(const Edit& edit, const std::string& after, const Layout& layout) {
  const std::string& next = layout.separator;
  std::string out = "---" + next + "+++ " + sha256_hex(after) + next + (layout.blank ? next : "");
  std::vector<bool> shown(edit.rows.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (edit.rows[i].kind == ' ') continue;
    const std::size_t from = i < layout.context ? 0 : i - layout.context;
    for (std::size_t k = from; k < std::min(shown.size(), i + layout.context + 1); ++k)
      shown[k] = true;
  }
  std::size_t old_line = 1;
  for (std::size_t i = 0; i < shown.size();) {
    if (!shown[i]) {
      old_line += edit.rows[i++].kind == '+' ? 0U : 1U;
      continue;
    }
    std::string rows;
    std::size_t olds = 0;
    for (; i < shown.size() && shown[i]; ++i) {
      rows += edit.rows[i].kind + edit.rows[i].text + next;
      olds += edit.rows[i].kind == '+' ? 0U : 1U;
    }
    const std::size_t at = olds == 0 && !layout.insert_before ? old_line - 1 : old_line;
    out +=
        "@@ -" + std::to_string(at) + (layout.counts ? "," + std::to_string(olds) : "") + " +1 @@";
    out += next + rows;
    old_line += olds;
  }
  return out + (layout.no_newline ? "\\ No newline at end of file" : "");
}

TEST(TextPatch, AnyEditInAnyLayoutComesBack) {
  std::size_t hunks = 0;
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    std::mt19937_64 random(seed);
    const Edit edit = random_edit(random);
    const std::string breaks = std::vector<std::string>{"\n", "\r\n", "\r"}[random() % 3];
    const std::string before = edit.text('+', breaks);
    const std::string after = edit.text('-', breaks);
    Layout layout;
    layout.separator = random() % 2 == 0 ? "\n" : "\r\n";
    layout.context = random() % 4;
    layout.blank = random() % 2 == 0;
    layout.counts = random() % 2 == 0;
    layout.insert_before = random() % 2 == 0;
    layout.no_newline = random() % 2 == 0;
    const std::string diff = written(edit, after, layout);
    hunks += diff.find("\n@@ -") != std::string::npos ? 1U : 0U;
    const Result result = patch(before, diff);
    ASSERT_NE(result.how, Patched::Mismatch) << "seed " << seed << "\n" << diff;
    ASSERT_EQ(result.how == Patched::Already ? before : result.text, after) << "seed " << seed;
    // A byte that is lost on the way is not the new text.
    if (after.size() > 2 && result.how == Patched::Applied) {
      std::string other = before;
      other.insert(random() % other.size(), "\x01");
      ASSERT_NE(patch(other, diff).how, Patched::Already) << "seed " << seed;
      ASSERT_TRUE(patch(other, diff).text.empty() || patch(other, diff).text == after);
    }
  }
  EXPECT_GT(hunks, 4'000U);
}

}  // namespace
}  // namespace headwater
