#include "schemas/core/shown.hpp"

#include <gtest/gtest.h>

namespace headwater {
namespace {

TEST(Shown, IsOneLineOfUtf8) {
  EXPECT_EQ(shown("a\nb\x7f\x01"), "a b  ");
  EXPECT_EQ(shown("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(shown("a\xff\xc3"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Shown, IsCutBetweenCharacters) {
  EXPECT_EQ(shown("abcdef", 6), "abcdef");
  EXPECT_EQ(shown("abcdef", 3), "abc…");
  EXPECT_EQ(shown("ab\xc3\xa9", 3), "ab…");
  EXPECT_EQ(shown("ab\xff", 3), "ab…") << "what stands for a stray byte is longer than it";
}

}  // namespace
}  // namespace headwater
