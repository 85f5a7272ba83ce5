#include "tests/org/text_diff.hpp"

#include <gtest/gtest.h>

#include <random>

#include "schemas/core/sha256.hpp"
#include "schemas/model/text_patch.hpp"

namespace headwater::org {
namespace {

/// 40 lines of 40 characters, the given one changed.
std::string text(std::size_t changed, const std::string& line, const std::string& breaks = "\r\n") {
  std::string out;
  for (std::size_t i = 1; i <= 40; ++i) {
    if (i > 1) out += breaks;
    out += i == changed ? line : std::string(40, static_cast<char>('a' + i % 26));
  }
  return out;
}

TEST(TextDiff, ChangedLineIsOneHunkUnderTheHashOfTheNewText) {
  const auto after = text(7, "beta two");
  EXPECT_EQ(unified_diff(text(7, "beta"), after),
            "---\n+++ " + sha256_hex(after) + "\n@@ -7,1 +7,1 @@\n-beta\n+beta two");
}

TEST(TextDiff, ShortMuchChangedOrMixedTextGoesOutWhole) {
  EXPECT_FALSE(unified_diff("a\nb", "a\nc").has_value());
  EXPECT_FALSE(unified_diff(text(7, "x"), std::string(1'600, 'y')).has_value());
  EXPECT_FALSE(unified_diff(text(7, "x"), text(7, "y") + text(7, "z")).has_value());
  EXPECT_FALSE(unified_diff(text(7, "one\ntwo"), text(7, "one\nthree")).has_value());
}

TEST(TextDiff, ThePatcherMakesTheNewTextOfTheOldOne) {
  std::size_t diffs = 0;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    std::mt19937_64 random(seed);
    const std::string breaks = random() % 2 == 0 ? "\n" : "\r\n";
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < 40; ++i) {
      lines.emplace_back(30 + random() % 20, static_cast<char>('a' + random() % 3));
    }
    const auto whole = [&] {
      std::string out;
      for (const auto& line : lines) out += (out.empty() ? "" : breaks) + line;
      return out;
    };
    const std::string before = whole();
    const auto at = static_cast<std::ptrdiff_t>(random() % 36);
    const auto kind = random() % 3;
    if (kind != 0) lines.erase(lines.begin() + at, lines.begin() + at + 1 + random() % 4);
    if (kind != 1) lines.insert(lines.begin() + at, 1 + random() % 4, "new");
    const std::string after = whole();
    const auto diff = unified_diff(before, after);
    if (!diff) continue;
    ++diffs;
    std::string patched;
    ASSERT_EQ(patch_text(before, *diff, patched), Patched::Applied) << *diff;
    ASSERT_EQ(patched, after);
  }
  EXPECT_GT(diffs, 1'500U);
}

}  // namespace
}  // namespace headwater::org
