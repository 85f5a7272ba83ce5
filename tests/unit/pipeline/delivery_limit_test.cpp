#include "daemon/pipeline/delivery_limit.hpp"

#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

class DeliveryLimitTest : public test::PipelineTest {
 protected:
  ledger::StreamKey stream{"emea", test::kTopic};
};

TEST_F(DeliveryLimitTest, IsAHoleThatSaysUntilWhenNothingIsLostAndClosesWhenTheStreamGoesOn) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  DeliveryLimit limit(stream, *ledger, clock);
  clock.ms += 3'600'000;
  ASSERT_TRUE(limit.reached(blocked("used up", "subscription.limit.exceeded")));
  ASSERT_TRUE(limit.reached(blocked("used up", "subscription.limit.exceeded")));
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].detail,
            "used up; events wait on the bus, nothing is lost until 2026-03-04T12:00:00.000Z");
  // Open across a restart, and closed by what the stream then does.
  DeliveryLimit next(stream, *ledger, clock);
  ASSERT_TRUE(next.over());
  EXPECT_EQ(ledger->holes_open(), 0U);
  EXPECT_EQ(ledger->closed_holes().at(0).closing.evidence,
            "the stream went on after its stored position at 2026-03-01T13:00:00.000Z: what waited "
            "on the bus comes in order");
}

TEST_F(DeliveryLimitTest, OfOneStreamSaysNothingOfAnother) {
  DeliveryLimit limit(stream, *ledger, clock), other({"emea", "/data/X"}, *ledger, clock);
  ASSERT_TRUE(limit.reached(blocked("used up", "subscription.limit.exceeded")));
  ASSERT_TRUE(other.over());
  EXPECT_EQ(ledger->holes_open(), 1U);
}

}  // namespace
}  // namespace headwater
