#include "daemon/pipeline/stream_doubts.hpp"

#include "daemon/pipeline/job_planner.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

class StreamDoubtsTest : public test::PipelineTest {
 protected:
  /// The position of the stream was refused.
  ledger::Hole lost_position() const {
    ledger::Hole hole;
    hole.scope = ledger::Hole::Scope::Stretch;
    hole.org = stream.org;
    hole.topic = stream.topic;
    hole.cause = kExpired;
    return hole;
  }
  ledger::StreamKey stream{"emea", test::kTopic};
  const Error limit = blocked("used up", "subscription.limit.exceeded");
  const Error gone = blocked("no such topic", "topic.not.found");
};

TEST_F(StreamDoubtsTest, AUsedUpLimitSaysUntilWhenNothingIsLostAndClosesWhenTheStreamGoesOn) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  StreamDoubts doubts(stream, *ledger, clock);
  clock.ms += 3'600'000;
  ASSERT_TRUE(doubts.refused(limit));
  ASSERT_TRUE(doubts.refused(limit));
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].detail,
            "used up; events wait on the bus, nothing is lost until 2026-03-04T12:00:00.000Z");
  EXPECT_TRUE(heals_otherwise(ledger->holes()[0]));
  // Open across a restart, and closed by what the stream then does.
  StreamDoubts next(stream, *ledger, clock);
  ASSERT_TRUE(next.works());
  EXPECT_EQ(ledger->holes_open(), 0U);
  EXPECT_EQ(ledger->closed_holes().at(0).closing.evidence,
            "the stream went on after its stored position at 2026-03-01T13:00:00.000Z: what waited "
            "on the bus comes in order");
}

TEST_F(StreamDoubtsTest, ALimitThatOutlivedThePositionSaysWhichHoleHasTheDoubtNow) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  StreamDoubts doubts(stream, *ledger, clock);
  ASSERT_TRUE(doubts.refused(limit));
  ASSERT_TRUE(ledger->open_hole(lost_position()));
  ASSERT_TRUE(doubts.works());
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U);
  EXPECT_EQ(ledger->closed_holes().at(0).closing.evidence,
            "deliveries were given again at 2026-03-01T12:00:00.000Z, but the stored position was "
            "lost by then: what may be missing is hole " +
                std::to_string(ledger->wide_holes("emea")[0].rev.value));
}

TEST_F(StreamDoubtsTest, OneStreamSaysNothingOfAnother) {
  StreamDoubts doubts(stream, *ledger, clock), other({"emea", "/data/X"}, *ledger, clock);
  ASSERT_TRUE(doubts.refused(limit));
  ASSERT_TRUE(other.works());
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(StreamDoubtsTest, AnObjectThatIsSwitchedOffIsAHoleThatIsRepairedOnceItIsOnAgain) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  StreamDoubts doubts(stream, *ledger, clock);
  ASSERT_TRUE(doubts.refused(gone));
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U);
  EXPECT_EQ(ledger->wide_holes("emea")[0].cause, "switched_off");
  EXPECT_TRUE(heals_otherwise(ledger->wide_holes("emea")[0])) << "reading it now would not end it";
  clock.ms += 60'000;
  ASSERT_TRUE(doubts.works());
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U) << "what happened meanwhile was told to nobody";
  EXPECT_EQ(ledger->wide_holes("emea")[0].to_ts, clock.ms);
  EXPECT_FALSE(heals_otherwise(ledger->wide_holes("emea")[0]));
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Account").empty()) << "the stream has yet to go on";
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("q")));
  EXPECT_EQ(holes_of_object(*ledger, "emea", "Account").size(), 1U);
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Contact").empty()) << "of one object";
}

TEST_F(StreamDoubtsTest, ALimitThatIsUsedUpAgainClosesAgain) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  StreamDoubts doubts(stream, *ledger, clock);
  for (int day = 0; day < 2; ++day) {
    ASSERT_TRUE(doubts.refused(limit));
    ASSERT_EQ(ledger->holes_open(), 1U);
    ASSERT_TRUE(doubts.works());
    EXPECT_EQ(ledger->holes_open(), 0U);
  }
}

TEST_F(StreamDoubtsTest, AnObjectThatIsOnAgainIsSoFromThenOnThoughTheDaemonStartsAnew) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  StreamDoubts doubts(stream, *ledger, clock);
  ASSERT_TRUE(doubts.refused(gone));
  ASSERT_TRUE(doubts.works());
  const EpochMs since = clock.ms;
  clock.ms += 3'600'000;
  ASSERT_TRUE(StreamDoubts(stream, *ledger, clock).works());
  EXPECT_EQ(ledger->wide_holes("emea").at(0).to_ts, since);
}

TEST_F(StreamDoubtsTest, WhatAStreamThatWasBehindHasNotToldIsInDoubtToo) {
  const std::string_view id = "0015f00002JUXA8AAP";
  EventView event;
  event.type = ChangeType::Delete;
  event.entity = "Account";
  event.record_ids = {&id, 1};
  event.version.commit_number = 1;
  event.commit_ts = clock.now_ms() - 3 * 3'600'000;
  ledger::IngestBatch batch;
  batch.stream = stream;
  batch.events = {&event, 1};
  batch.position = ReplayId("p");
  ASSERT_TRUE(ledger->apply(batch));
  StreamDoubts doubts(stream, *ledger, clock);
  ASSERT_TRUE(doubts.refused(gone));
  ASSERT_EQ(ledger->wide_holes("emea").size(), 1U);
  EXPECT_EQ(ledger->wide_holes("emea")[0].from_ts, event.commit_ts);
}

TEST_F(StreamDoubtsTest, AStretchIsReadOnceItsStreamGoesOnThoughTheClockWentBack) {
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("p")));
  ASSERT_TRUE(ledger->open_hole(lost_position()));
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Account").empty());
  clock.ms -= 86'400'000;
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("q")));
  EXPECT_EQ(holes_of_object(*ledger, "emea", "Account").size(), 1U);
  ASSERT_TRUE(ledger->open_hole(lost_position()));
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Account").empty()) << "it was lost once more";
}

TEST_F(StreamDoubtsTest, ATopicThatNeverWorkedIsNoHole) {
  StreamDoubts doubts(stream, *ledger, clock);
  ASSERT_TRUE(doubts.refused(gone));
  ASSERT_TRUE(doubts.refused(transient("network")));
  EXPECT_EQ(ledger->holes_open(), 0U);
}

}  // namespace
}  // namespace headwater
