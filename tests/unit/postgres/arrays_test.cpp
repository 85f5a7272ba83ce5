#include "connectors/postgres/arrays.hpp"

#include <gtest/gtest.h>

namespace headwater::postgres {
namespace {

std::string clean(std::string_view text) {
  std::string out;
  append_clean_text(out, text);
  return out;
}

std::string clean_json(std::string json) {
  clean_json_tail(json, 0);
  return json;
}

TEST(Arrays, HaveDimensionNullFlagElementTypeCountAndLowerBoundInFront) {
  ArrayBuffer array(Element::Int4);
  array.add_null();
  array.add_int4(258);
  const std::string expected{
      "\0\0\0\1"
      "\0\0\0\1"
      "\0\0\0\x17"
      "\0\0\0\2"
      "\0\0\0\1"
      "\xff\xff\xff\xff"
      "\0\0\0\4"
      "\0\0\1\2",
      32};
  EXPECT_EQ(array.finish(), expected);
}

TEST(Arrays, EndWithTheirLastValue) {
  ArrayBuffer array(Element::Bool);
  array.add_bool(true);
  array.add_null();
  array.add_null();
  EXPECT_EQ(array.finish().substr(12), std::string_view("\0\0\0\1\0\0\0\1\0\0\0\1\1", 13));
  EXPECT_EQ(array.size(), 3U);
}

TEST(Arrays, OfNullsOnlyHaveNoDimension) {
  ArrayBuffer array(Element::Bool);
  array.add_null();
  EXPECT_EQ(array.finish(), std::string_view("\0\0\0\0\0\0\0\0\0\0\0\x10", 12));
}

TEST(Arrays, AreEmptyAgainAfterClear) {
  ArrayBuffer array(Element::Text);
  array.add_null();
  array.clear();
  array.add_text("ab");
  const std::string expected{
      "\0\0\0\1"
      "\0\0\0\0"
      "\0\0\0\x19"
      "\0\0\0\1"
      "\0\0\0\1"
      "\0\0\0\2"
      "ab",
      26};
  EXPECT_EQ(array.finish(), expected);
  EXPECT_EQ(array.size(), 1U);
}

TEST(Arrays, IntegersAreBigEndianAndSigned) {
  ArrayBuffer array(Element::Int8);
  array.add_int8(-2);
  EXPECT_EQ(array.finish().substr(24), std::string("\xff\xff\xff\xff\xff\xff\xff\xfe"));
}

TEST(CleanText, KeepsWhatPostgresCanHold) {
  for (const std::string_view text : {"",
                                      "a",
                                      "exactly8",
                                      "longer than eight",
                                      "K\xC3\xB6ln",
                                      "\xF0\x9F\x98\x80 and more text"}) {
    EXPECT_EQ(clean(text), text);
  }
}

TEST(CleanText, ReplacesEachNulAndEachBadByteByOneCharacter) {
  EXPECT_EQ(clean(std::string("a\0\0b", 4)), "a\uFFFD\uFFFDb");
  EXPECT_EQ(clean(std::string("12345678\0", 9)), "12345678\uFFFD");
  EXPECT_EQ(clean("\xff"), "\uFFFD");
  EXPECT_EQ(clean("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(clean("\xC3"), "\uFFFD");                      // cut in the middle
  EXPECT_EQ(clean("\xC0\x80"), "\uFFFD\uFFFD");            // a NUL in disguise
}

TEST(CleanJson, ReplacesEscapedNulsOnly) {
  EXPECT_EQ(clean_json(R"({"a":"x\u0000\u0000y"})"), R"({"a":"x\ufffd\ufffdy"})");
  EXPECT_EQ(clean_json(R"({"a":"\\u0000"})"),
            R"({"a":"\\u0000"})");  // a backslash, then plain text
  EXPECT_EQ(clean_json(R"({"a":"\\\u0000"})"), R"({"a":"\\\ufffd"})");  // a backslash, then a NUL
  EXPECT_EQ(clean_json(R"({"\u0000":"\u0001"})"), R"({"\ufffd":"\u0001"})");
}

TEST(CleanJson, LeavesWhatStandsBeforeItsStartAlone) {
  std::string json = R"(\u0000\u0000)";
  clean_json_tail(json, 6);
  EXPECT_EQ(json, R"(\u0000\ufffd)");
}

}  // namespace
}  // namespace headwater::postgres
