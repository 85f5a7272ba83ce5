#include "connectors/salesforce/credit.hpp"

#include <gtest/gtest.h>

namespace headwater::salesforce {
namespace {

TEST(Credit, AsksForAWholeWindowAtFirst) { EXPECT_EQ(Credit().request(1000), 100u); }

TEST(Credit, NeverAsksForMoreThanThereIsRoomFor) { EXPECT_EQ(Credit().request(7), 7u); }

TEST(Credit, AsksForNothingWithoutRoom) { EXPECT_EQ(Credit().request(0), 0u); }

TEST(Credit, TopsUpOnceHalfTheWindowIsLeft) {
  Credit credit;
  credit.requested(100);
  // 49 events come: more than half is still on its way, one request more would only cost.
  credit.received(49);
  EXPECT_EQ(credit.request(1000), 0u);
  // The fiftieth: we ask while 50 are still to come, so the stream never runs dry.
  credit.received(1);
  EXPECT_EQ(credit.request(1000), 50u);
}

TEST(Credit, NeverHasMoreThanAHundredOutstanding) {
  for (std::size_t step = 1; step <= 100; ++step) {
    Credit credit;
    for (int i = 0; i < 50; ++i) {
      const auto events = credit.request(1000);
      credit.requested(events);
      ASSERT_LE(credit.outstanding(), kEventsRequestedMax);
      ASSERT_GT(credit.outstanding(), kEventsRequestedMax / 2) << "stop and wait at step " << step;
      credit.received(std::min(step, credit.outstanding()));
    }
  }
}

TEST(Credit, AShrinkingRoomWaitsForWhatIsOutstanding) {
  Credit credit;
  credit.requested(100);
  credit.received(30);
  EXPECT_EQ(credit.request(40), 0u);
  credit.received(50);
  EXPECT_EQ(credit.outstanding(), 20u);
  EXPECT_EQ(credit.request(40), 20u);
}

TEST(Credit, MoreThanWasAskedForCountsAsAll) {
  Credit credit;
  credit.requested(10);
  credit.received(50);
  EXPECT_EQ(credit.outstanding(), 0u);
}

TEST(CreditDeathTest, AskingForMoreThanAHundredIsOurBug) {
  Credit credit;
  credit.requested(60);
  EXPECT_DEATH(credit.requested(41), "broken invariant");
}

}  // namespace
}  // namespace headwater::salesforce
