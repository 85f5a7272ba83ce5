#include "daemon/verify/spool.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace headwater::verify {
namespace {

TEST(Spool, GivesKeysInOrderAndEachKeysValuesAsTheyCame) {
  std::mt19937 random(3);
  std::map<std::string, std::vector<std::string>> wanted;
  Spool spool(4'096);  // some forty runs
  for (int i = 0; i < 3'000; ++i) {
    const auto key = "emea:Account:" + std::to_string(random() % 500);
    const auto value = std::to_string(i) + std::string(random() % 30, '\0');
    wanted[key].push_back(value);
    ASSERT_TRUE(spool.add(key, value).ok());
  }
  ASSERT_TRUE(spool.finish().ok());
  Spool::Pair pair;
  for (const auto& [key, values] : wanted) {
    for (const auto& value : values) {
      ASSERT_TRUE(spool.next(pair));
      EXPECT_EQ(pair.key, key);
      EXPECT_EQ(pair.value, value);
    }
  }
  EXPECT_FALSE(spool.next(pair));
}

TEST(Spool, WithNothingInItGivesNothing) {
  Spool spool;
  ASSERT_TRUE(spool.finish().ok());
  Spool::Pair pair;
  EXPECT_FALSE(spool.next(pair));
}

}  // namespace
}  // namespace headwater::verify
