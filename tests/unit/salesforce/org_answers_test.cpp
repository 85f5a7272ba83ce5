#include "connectors/salesforce/org_answers.hpp"

#include <gtest/gtest.h>

namespace headwater::salesforce {
namespace {

TEST(OrgAnswers, APageThatIsNotDoneNamesTheNextOne) {
  EXPECT_TRUE(read_query_page("q", R"({"totalSize":0,"done":true,"records":[]})").ok());
  const auto page = read_query_page("q", R"({"totalSize":4000,"done":false,"records":[]})");
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().kind, ErrorKind::Transient);
}

TEST(OrgAnswers, ALogOfDeletionsIsReadWholeOrNotAtAll) {
  const auto log = [](const std::string& second) {
    return read_deletions("d",
                          R"({"earliestDateAvailable":"2026-02-01T00:00:00.000+0000",)"
                          R"("latestDateCovered":"2026-03-01T00:00:00.000+0000","deletedRecords":[)"
                          R"({"id":"0015f00002JUXA8AAP"},{"id":")" +
                              second + "\"}]}");
  };
  ASSERT_TRUE(log("0015f00002JUXA9AAP").ok());
  EXPECT_EQ(log("0015f00002JUXA9AAP")->ids.size(), 2u);
  const auto torn = log("0015f0000");
  ASSERT_FALSE(torn.ok());
  EXPECT_EQ(torn.error().kind, ErrorKind::Transient);
}

}  // namespace
}  // namespace headwater::salesforce
