#include "connectors/kafka/tail.hpp"

#include <gtest/gtest.h>

#include <string>

namespace headwater::kafka {
namespace {

TEST(KafkaKnownTail, AChangeIsKnownByKeyAndRevOnly) {
  KnownTail tail;
  tail.add_change("a", 5);
  tail.finish();
  EXPECT_TRUE(tail.has_change("a", 5));
  EXPECT_FALSE(tail.has_change("a", 4));
  EXPECT_FALSE(tail.has_change("b", 5));
}

TEST(KafkaKnownTail, ALaterImageOnTheTopicMakesAnEarlierOneUnneeded) {
  KnownTail tail;
  tail.add_record("a", 5);
  tail.add_record("a", 7);
  tail.finish();
  EXPECT_TRUE(tail.has_record("a", 6));
  EXPECT_TRUE(tail.has_record("a", 7));
  EXPECT_FALSE(tail.has_record("a", 8));
}

TEST(KafkaKnownTail, TheLastMessageOfAKeyCountsNotItsHighestRev) {
  // Compaction keeps the last one, so 7 has to be sent again.
  KnownTail tail;
  tail.add_record("a", 7);
  tail.add_record("a", 5);
  tail.finish();
  EXPECT_FALSE(tail.has_record("a", 7));
}

TEST(KafkaKnownTail, OverItsBoundItKeepsTheLowestRevsUpToTheCeiling) {
  KnownTail tail(10, 10);
  for (std::uint64_t rev = 100; rev > 0; --rev) tail.add_change("k" + std::to_string(rev), rev);
  tail.finish();
  EXPECT_LE(tail.pairs(), 10U);
  const std::uint64_t ceiling = tail.ceiling();
  ASSERT_LT(ceiling, 100U);
  ASSERT_GE(ceiling, 1U);
  for (std::uint64_t rev = 1; rev <= ceiling; ++rev) {
    EXPECT_TRUE(tail.has_change("k" + std::to_string(rev), rev)) << rev;
  }
  EXPECT_EQ(tail.last(), 100U);
}

TEST(KafkaKnownTail, OverItsBoundWhatOtherPartitionsHoldUpToTheCeilingIsTakenToo) {
  KnownTail tail(10, 10);
  for (std::uint64_t rev = 1; rev <= 21; ++rev) {
    if (rev != 11) tail.add_change("k", rev);  // the twentieth cuts: 11 is the ceiling
  }
  tail.add_change("k", 11);
  EXPECT_EQ(tail.ceiling(), 11U);
  EXPECT_TRUE(tail.has_change("k", 11));
}

TEST(KafkaKnownTail, OverItsBoundAKeyIsLeftOutWhole) {
  KnownTail tail(10, 2);
  for (const char* key : {"a", "b", "c"}) tail.add_record(key, 5);
  tail.add_record("a", 9);
  tail.add_record("c", 9);
  tail.finish();
  EXPECT_TRUE(tail.has_record("a", 9));
  EXPECT_TRUE(tail.has_record("b", 5));
  EXPECT_FALSE(tail.has_record("c", 5));
}

TEST(KafkaKnownTail, WithinItsBoundThereIsNoCeiling) {
  KnownTail tail(10, 10);
  for (std::uint64_t rev = 1; rev <= 10; ++rev) tail.add_change("k", rev);
  tail.finish();
  EXPECT_EQ(tail.ceiling(), KnownTail::kNoCeiling);
}

TEST(KafkaKnownTail, ADeliveryOfOurOwnCanBeRemembered) {
  KnownTail tail;
  tail.finish();
  tail.remember_change("b", 2);
  tail.remember_change("a", 1);
  EXPECT_TRUE(tail.has_change("a", 1));
  EXPECT_TRUE(tail.has_change("b", 2));
}

}  // namespace
}  // namespace headwater::kafka
