#include "schemas/core/json_text.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace headwater {
namespace {

std::string number(double value) {
  std::string out;
  append_json_number(out, value);
  return out;
}
std::string text(std::string_view value) {
  std::string out;
  append_json_string(out, value);
  EXPECT_EQ(json_string_size(value), out.size());
  return out;
}

TEST(JsonNumber, PrintsAsEcmaScriptDoes) {
  // RFC 8785 appendix B and the example of unified-model.md section 8.
  EXPECT_EQ(number(100000), "100000");
  EXPECT_EQ(number(-0.0), "0");
  EXPECT_EQ(number(41.5), "41.5");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e21), "1e+21");
  EXPECT_EQ(number(1e20), "100000000000000000000");
  EXPECT_EQ(number(333333333.33333329), "333333333.3333333");
  EXPECT_EQ(number(0.000001), "0.000001");
  EXPECT_EQ(number(1e-7), "1e-7");
  EXPECT_EQ(number(-1.5e-9), "-1.5e-9");
  EXPECT_EQ(number(4.5e15), "4500000000000000");
  EXPECT_EQ(number(9007199254740993.0), "9007199254740992");
  EXPECT_EQ(number(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(number(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(number(9.999999999999997e22), "9.999999999999997e+22");
}

TEST(JsonString, EscapesWhatItMustAndNothingElse) {
  EXPECT_EQ(text("a\"b\\c/\n\t\x01"), R"("a\"b\\c/\n\t\u0001")");
  EXPECT_EQ(text("Grüße 😀 \xE2\x80\xA8"), "\"Grüße 😀 \xE2\x80\xA8\"");
}

TEST(JsonString, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(text("a\xff z"), "\"a\xEF\xBF\xBD z\"");
  EXPECT_EQ(text("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // overlong
  EXPECT_EQ(text("\xED\xA0\x80").find("\xED"), std::string::npos);              // a surrogate
  EXPECT_EQ(text("\xF0\x9F\x98"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // cut short
}

}  // namespace
}  // namespace headwater
