#include "daemon/pipeline/event_retry.hpp"

#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using ledger::Closing;
using test::account;

class EventRetryTest : public test::PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    schemas.emplace("emea", *ledger, source);
    retry.emplace(ledger::StreamKey{"emea", test::kTopic}, *ledger, *schemas, ready);
  }
  /// An event as ingest would have quarantined it.
  ledger::QuarantineRow put(const std::string& payload,
                            const std::string& replay_id,
                            const std::string& id = {},
                            const std::string& topic = test::kTopic) {
    ledger::QuarantineRow row;
    row.org = "emea";
    row.topic = topic;
    row.stage = "decode";
    row.reason_code = "undecodable";
    row.reason = "the datum ends too early";
    row.schema_id = "schema-1";
    row.replay_id = replay_id;
    row.payload = payload;
    row.first_seen = row.last_seen = clock.ms;
    if (!id.empty()) row.object = "Account";
    row.id = id;
    EXPECT_TRUE(ledger->quarantine({&row, 1}));
    for (auto& kept : ledger->quarantined()) {
      if (kept.replay_id == replay_id) return kept;
    }
    return {};
  }
  void open_stretch() {
    ledger::Hole hole;
    hole.scope = ledger::Hole::Scope::Stretch;
    hole.org = "emea";
    hole.topic = test::kTopic;
    hole.cause = "undecodable";
    ASSERT_TRUE(ledger->open_hole(hole));
  }
  Result<std::string> run(const ledger::QuarantineRow& row) {
    return retry->run({row, "alice", {}});
  }
  std::string name_of(int number) {
    EntryBatch batch;
    const auto found = ledger->get({"emea", "Account", *RecordId::parse(account(number))}, batch);
    if (!found || !*found) return "(none)";
    const ValueView* value = batch.entries()[0].after.find(Section::Fields, "name");
    return value == nullptr ? "(no name)" : std::string(value->text);
  }

  test::FakeSource source;
  std::optional<SchemaBook> schemas;
  std::atomic<bool> ready{true};
  std::optional<EventRetry> retry;
};

TEST_F(EventRetryTest, AnEventThatDecodesNowGoesTheWayOfEveryEvent) {
  const auto row = put(test::encode({account(1), 5, "Acme", true}), "r1", account(1));
  const auto said = run(row);
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(*said, "decoded as CREATE of Account and applied: 1 changes, 0 contained already");
  EXPECT_EQ(name_of(1), "Acme");
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  const auto closed = ledger->quarantine_row(row.rev);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->closing.how, Closing::How::Retried);
  EXPECT_EQ(closed->closing.by, "alice");
  EXPECT_EQ(closed->closing.evidence, *said);
  const auto position = ledger->position({"emea", test::kTopic});
  EXPECT_TRUE(!position || position->replay_id.empty()) << "the position is the stream's alone";
}

TEST_F(EventRetryTest, AnOldEventNeverTakesARecordBack) {
  apply({{account(1), 5, "Acme"}, {account(1), 9, "Newer", false}});
  const auto row = put(test::encode({account(1), 7, "Older", false}), "r1", account(1));
  const auto said = run(row);
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(name_of(1), "Newer");
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(EventRetryTest, OneThatStillCannotBeDecodedIsCountedWithItsReason) {
  const auto row = put("\x01", "r1");
  const auto said = run(row);
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().kind, ErrorKind::Rejected);
  const auto kept = ledger->quarantined().at(0);
  EXPECT_EQ(kept.attempts, 2U);
  EXPECT_EQ(kept.reason, said.error().message);
}

TEST_F(EventRetryTest, ARefusedSchemaIsAskedForOnceMore) {
  const auto row = put(test::encode({account(1), 5, "Acme", true}), "r1", account(1));
  source.schema = rejected("GetSchema: no such schema");
  ASSERT_FALSE(run(row));
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 2U);
  source.schema = test::account_schema();
  EXPECT_TRUE(run(row));
  EXPECT_EQ(name_of(1), "Acme");
}

TEST_F(EventRetryTest, AnUnavailableSchemaOrAnUnknownOrgIsNoTry) {
  const auto row = put(test::encode({account(1), 5, "Acme", true}), "r1", account(1));
  source.schema = transient("GetSchema: unavailable");
  EXPECT_EQ(run(row).error().message, "GetSchema: unavailable; not counted as a try");
  ready = false;
  EXPECT_EQ(run(row).error().message, "the org is not known yet; nothing was tried");
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 1U);
}

TEST_F(EventRetryTest, AStretchIsRepairedOnceEachOfItsEventsWasDecoded) {
  open_stretch();
  const auto first = put(test::encode({account(1), 5, "A", true}), "r1");
  const auto second = put(test::encode({account(2), 6, "B", true}), "r2");
  put("\x01", "r3", {}, "/data/OtherChangeEvent");
  ASSERT_TRUE(run(first));
  EXPECT_EQ(ledger->holes_open(), 1U) << "one event of it is still unknown";
  ASSERT_TRUE(run(second));
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto hole = ledger->closed_holes().at(0);
  EXPECT_EQ(hole.closing.how, Closing::How::Repaired);
  EXPECT_EQ(hole.closing.evidence, "each of its events was decoded later");
}

TEST_F(EventRetryTest, AnEventThatWasGivenUpLeavesItsStretchOpen) {
  open_stretch();
  const auto first = put(test::encode({account(1), 5, "A", true}), "r1");
  const auto second = put("\x01", "r2");
  ASSERT_TRUE(ledger->close_quarantined(second, {Closing::How::Discarded, "alice", "a test", 0}));
  ASSERT_TRUE(run(first));
  EXPECT_EQ(ledger->holes_open(), 1U);
}

}  // namespace
}  // namespace headwater
