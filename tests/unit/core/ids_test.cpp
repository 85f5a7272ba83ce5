#include "schemas/core/ids.hpp"

#include <gtest/gtest.h>

namespace headwater {
namespace {

TEST(RecordId, WidensFifteenCharacters) {
  // salesforce.md section 13 and unified-model.md section 2.
  const std::pair<const char*, const char*> vectors[] = {{"001Dp00000JJkkH", "001Dp00000JJkkHIAT"},
                                                         {"0015f00002JUXA8", "0015f00002JUXA8AAP"},
                                                         {"a0D30000001n7Pi", "a0D30000001n7PiEAI"},
                                                         {"005Dp00000340bF", "005Dp00000340bFIAQ"},
                                                         {"000000000000000", "000000000000000AAA"},
                                                         {"00D5f000000AbCd", "00D5f000000AbCdEAK"}};
  for (const auto& [short_id, long_id] : vectors) {
    EXPECT_EQ(RecordId::parse(short_id)->view(), long_id);
    EXPECT_EQ(RecordId::parse(long_id)->view(), long_id);
  }
}

TEST(RecordId, RefusesWhatIsNotOne) {
  EXPECT_FALSE(RecordId::parse(""));
  EXPECT_FALSE(RecordId::parse("001*"));
  EXPECT_FALSE(RecordId::parse("0015f00002JUXA8AAQ"));  // suffix of another case pattern
  EXPECT_FALSE(RecordId::parse("0015f00002JUX'8AAP"));
}

TEST(RecordKey, ReadsWhatItWrites) {
  const auto key = RecordKey::parse("emea:ns__Invoice__c:0015f00002JUXA8");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->object, "ns__Invoice__c");
  EXPECT_EQ(key->str(), "emea:ns__Invoice__c:0015f00002JUXA8AAP");
  EXPECT_FALSE(RecordKey::parse("emea:Account"));
  EXPECT_FALSE(RecordKey::parse("EMEA:Account:0015f00002JUXA8"));
}

TEST(OrgName, IsASlug) {
  EXPECT_TRUE(OrgName::parse("emea-2"));
  EXPECT_FALSE(OrgName::parse("-emea"));
  EXPECT_FALSE(OrgName::parse("emea:x"));
  EXPECT_FALSE(OrgName::parse(std::string(25, 'a')));
}

}  // namespace
}  // namespace headwater
