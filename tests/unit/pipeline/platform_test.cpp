#include "daemon/pipeline/ingest.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;

/// A stream of platform events, whose source gives each event the same uuid.
class PlatformTest : public test::PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    source.schema = std::string(
        R"({"type":"record","name":"Order_Event__e","namespace":"com.sforce.eventbus","fields":[
          {"name":"CreatedDate","type":"long","doc":"CreatedDate:DateTime"},
          {"name":"CreatedById","type":"string","doc":"CreatedBy:EntityId"},
          {"name":"Order__c","type":["null","string"],"doc":"Data:Text:00N000000000001"}]})");
    make();
  }
  void make() {
    ingest.emplace(Ingest::Parts{
        stream, salesforce::Start::Latest, source, *ledger, rows, ready, clock, part, metrics});
  }
  void run() {
    for (int i = 0; i < 100; ++i) {
      const bool silent = source.script.empty();
      const Step step = ingest->step(Millis(1'000));
      if (step.next == Step::Next::Wait) clock.ms = std::max(clock.ms, step.until_ms);
      if (step.next == Step::Next::Done || (silent && !source.subscribed.empty())) return;
    }
    ADD_FAILURE() << "ingest does not come to rest";
  }
  static test::FakeSource::Event event(const std::string& order) {
    avro::test::Bytes bytes;
    bytes.number(1'772'366'400'000).text("0055f000005mc66AAA").number(1).text(order);
    return {bytes.out, "r" + order};
  }
  /// Orders of all events in the journal, in order.
  std::string orders() {
    std::string out;
    EntryBatch batch;
    EXPECT_TRUE(ledger->read(Rev{0}, 1'000, 1 << 20, batch));
    for (const EntryView& entry : batch.entries()) {
      static constexpr std::string_view kField = "\"Order__c\":\"";
      const auto at = entry.row.find(kField);
      if (entry.kind == EntryKind::Event)
        out += entry.row.substr(at + kField.size(), entry.row.size() - at - kField.size() - 2);
    }
    return out;
  }
  void lose_position() {
    source.script.push_back({.what = salesforce::Fetched::What::Ended,
                             .end = Error{ErrorKind::Rejected,
                                          "salesforce: the position is gone",
                                          "subscription.fetch.replayid.corrupted"}});
  }

  const ledger::StreamKey stream{"emea", "/event/Order_Event__e"};
  test::FakeSource source;
  RowLane rows{4};
  std::atomic<bool> ready{true};
  observe::Part& part = health.add("stream", Millis(60'000));
  std::optional<Ingest> ingest;
};

TEST_F(PlatformTest, AnEventIsAnEntryAndThePositionMovesWithIt) {
  source.say({event("1"), event("2")});
  run();
  EXPECT_EQ(orders(), "12");
  EXPECT_EQ(ledger->position(stream)->replay_id.bytes(), "r2");
  EntryBatch batch;
  ASSERT_TRUE(ledger->read(Rev{0}, 1, 1 << 20, batch));
  EXPECT_EQ(batch.entries()[0].row,
            R"({"CreatedById":"0055f000005mc66AAA","CreatedDate":"2026-03-01T12:00:00.000Z",)"
            R"("Order__c":"1"})");
  EXPECT_EQ(batch.entries()[0].origin.schema_id, "schema-1");
  EXPECT_TRUE(ledger->counts().empty()) << "no record stands behind it";
  EXPECT_EQ(part.state(), PartState::Ok);
  EXPECT_NE(metrics.text().find("headwater_source_events_total{org=\"emea\","
                                "stream=\"/event/Order_Event__e\",type=\"PLATFORM\"} 2"),
            std::string::npos)
      << metrics.text();
}

TEST_F(PlatformTest, OneThatCannotBeDecodedIsKeptAndTheOthersGoOn) {
  auto bad = event("2");
  bad.payload.pop_back();
  source.say({event("1"), bad, event("3")});
  run();
  EXPECT_EQ(orders(), "13");
  const auto kept = ledger->quarantined();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].object, "Order_Event__e");
  EXPECT_EQ(kept[0].payload, bad.payload);
  const auto holes = ledger->holes();
  ASSERT_EQ(holes.size(), 1U);
  EXPECT_EQ(holes[0].scope, ledger::Hole::Scope::Stretch);
  EXPECT_EQ(holes[0].cause, "undecodable");
  EXPECT_EQ(holes[0].topic, stream.topic);
}

TEST_F(PlatformTest, OneThatIsDecodedLaterFollowsWhatCameSinceAndClosesItsHole) {
  const std::string schema = *source.schema;
  source.schema = test::account_schema();  // no platform event's
  source.say({event("1")});
  run();
  EXPECT_EQ(orders(), "");
  source.schema = schema;
  disk->crash();
  open();
  make();
  auto later = event("2");
  later.schema_id = "schema-2";
  source.say({later});
  run();
  // What the ledger keeps under schema-1 for ever is the wrong text: the event names the right one.
  auto row = ledger->quarantined().at(0);
  row.schema_id = "schema-2";
  std::string evidence;
  RetryRequest request{row, "alice", [&](Result<std::string> done) {
                         evidence = done ? *done : done.error().message;
                       }};
  ASSERT_TRUE(ingest->try_again(request));
  run();
  EXPECT_EQ(evidence, "decoded as Order_Event__e: it follows the events that came since");
  EXPECT_EQ(orders(), "21");
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(PlatformTest, WhatComesAgainAfterALostPositionProvesThatNothingIsMissing) {
  source.say({event("1"), event("2")});
  lose_position();
  source.say({event("1"), event("2"), event("3")});
  run();
  ASSERT_EQ(source.subscribed.size(), 2U);
  EXPECT_EQ(source.subscribed[1].start, salesforce::Start::Earliest);
  EXPECT_EQ(orders(), "123");
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto closed = ledger->closed_holes();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].cause, "expired");
  EXPECT_EQ(closed[0].closing.how, ledger::Closing::How::Repaired);
}

TEST_F(PlatformTest, WithoutSuchAProofTheStretchStaysOpen) {
  source.say({event("1"), event("2")});
  lose_position();
  source.say({event("5"), event("6")});
  run();
  EXPECT_EQ(ledger->holes_open(), 1U);
  // Lost once more: that these come again says nothing of the first time.
  lose_position();
  source.say({event("5"), event("6"), event("7")});
  run();
  EXPECT_EQ(orders(), "12567");
  EXPECT_EQ(ledger->holes_open(), 1U);
}

}  // namespace
}  // namespace headwater
