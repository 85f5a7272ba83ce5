#include "daemon/ledger/state_cache.hpp"

#include <gtest/gtest.h>

namespace headwater::ledger {
namespace {

TEST(StateCache, HoldsWhatReplacedAState) {
  StateCache cache(1000);
  EXPECT_EQ(cache.find("a"), nullptr);
  cache.add("a", "one");
  ASSERT_NE(cache.find("a"), nullptr);
  cache.replace(*cache.find("a"), "two");
  EXPECT_EQ(*cache.find("a"), "two");
  cache.clear();
  EXPECT_EQ(cache.find("a"), nullptr);
}

TEST(StateCache, KeepsWhatIsUsedAndDropsWhatIsNot) {
  StateCache cache(1000);
  cache.add("used", std::string(100, 'u'));
  cache.add("idle", std::string(100, 'i'));
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(cache.find("used"), nullptr) << "after " << i << " others";
    cache.add("other" + std::to_string(i), std::string(100, 'o'));
    cache.trim();
  }
  EXPECT_EQ(cache.find("idle"), nullptr);
}

TEST(StateCache, AFoundStateStaysInPlaceUntilTheBatchIsOver) {
  StateCache cache(1000);
  cache.add("a", std::string(400, 'a'));
  cache.add("b", std::string(400, 'b'));
  cache.trim();  // both are old now
  const std::string* a = cache.find("a");
  const char* bytes = a->data();
  for (int i = 0; i < 50; ++i) cache.add("other" + std::to_string(i), std::string(100, 'o'));
  EXPECT_EQ(cache.find("a"), a);
  EXPECT_EQ(a->data(), bytes);
  EXPECT_EQ(*a, std::string(400, 'a'));
}

}  // namespace
}  // namespace headwater::ledger
