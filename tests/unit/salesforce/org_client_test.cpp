#include "connectors/salesforce/org_client.hpp"

#include <gtest/gtest.h>

#include "connectors/salesforce/org_reader.hpp"

namespace headwater::salesforce {
namespace {

TEST(LimitInfo, ReadsTheOrgsUsage) {
  std::int64_t used = 0, max = 0;
  ASSERT_TRUE(read_limit_info("api-usage=25/15000", used, max));
  EXPECT_EQ(used, 25);
  EXPECT_EQ(max, 15000);
  ASSERT_TRUE(
      read_limit_info("per-app-api-usage=3/250(appName=hw); api-usage=26/15000", used, max));
  EXPECT_EQ(used, 26);
}

TEST(LimitInfo, IsNotReadFromAnythingElse) {
  std::int64_t used = 7, max = 7;
  for (const auto* header :
       {"", "api-usage=", "api-usage=25", "api-usage=25/", "per-app-api-usage=3/250"})
    EXPECT_FALSE(read_limit_info(header, used, max)) << header;
  EXPECT_EQ(used, 7);
}

TEST(PercentEncoded, LeavesOnlyWhatUrlsAllow) {
  EXPECT_EQ(percent_encoded("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encoded("a b&c=/\xc3\xa4"), "a%20b%26c%3D%2F%C3%A4");
}

TEST(SoqlQuoted, ALiteralEndsAtItsOwnQuoteWhateverItHolds) {
  EXPECT_EQ(soql_quoted("O'Neil \\ Co\r\n"), R"('O\'Neil \\ Co\r\n')");
  EXPECT_EQ(soql_quoted("\\"), R"('\\')") << "the quote behind it is not escaped";
}

}  // namespace
}  // namespace headwater::salesforce
