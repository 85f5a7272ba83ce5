#include "daemon/mapping_reload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/mapping_file.hpp"

namespace headwater {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> refusals(const std::string& now, const std::string& next) {
  config::Problems problems;
  const auto before = config::parse_mapping({{"now.yaml", "version: 1\n" + now}}, problems);
  const auto after = config::parse_mapping({{"next.yaml", "version: 1\n" + next}}, problems);
  EXPECT_EQ(problems.str(), "");
  return reload_refusals(*before, *after);
}
std::string with_tier(const std::string& rev, const std::string& how) {
  return "mapping_rev: " + rev +
         "\nentities: {account: {object: Account, base: builtin, fields: {tier: {expr: "
         "'Tier__c', " +
         how + "}}}}\n";
}

TEST(MappingReload, TheRevMustGrowWithEveryEdit) {
  EXPECT_THAT(refusals("mapping_rev: 7\n", "mapping_rev: 8\n"), IsEmpty());
  for (const char* rev : {"mapping_rev: 7\n", "mapping_rev: 6\n"}) {
    EXPECT_THAT(refusals("mapping_rev: 7\n", rev),
                ElementsAre(HasSubstr("the one in force is 7: it must grow with every edit")));
  }
}

TEST(MappingReload, WhatTypeAColumnHasTheMappingInForceDoesNotSay) {
  EXPECT_THAT(refusals(with_tier("7", "type: decimal, column: true"),
                       with_tier("8", "type: text, column: true")),
              IsEmpty());
}

}  // namespace
}  // namespace headwater
