#include "tests/org/text_diff.hpp"

#include <gtest/gtest.h>

#include "schemas/core/sha256.hpp"

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

}  // namespace
}  // namespace headwater::org
