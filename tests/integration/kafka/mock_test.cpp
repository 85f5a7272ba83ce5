// The sink against librdkafka's mock cluster: it proves the client's behaviour, nothing about a
// broker's.
#include <functional>
#include <set>
#include <utility>

#include "connectors/kafka/records_reader.hpp"
#include "tests/integration/kafka/sink_fixture.hpp"

namespace headwater::kafka {
namespace {

using testing::Test;

class KafkaMock : public Test {
 protected:
  KafkaMock()
      : broker({{"crm.cursors", 1},
                {"crm.quarantine", 2},
                {"crm.changes.contact", 3},
                {"crm.records.contact", 3}}),
        kafka(broker.brokers(), "crm.") {}

  test::MockKafka broker;
  SinkFixture kafka;
};

TEST_F(KafkaMock, EveryEntryGoesToChangesAndTheLastImageToRecords) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 9));
  EXPECT_EQ(kafka.revs("records.contact"), range(7, 9));
}

TEST_F(KafkaMock, TheOrgsIdIsToldFromTheWriteOnThatKnowsIt) {
  std::string known;
  kafka.options.org_id = [&known](std::string_view) { return known; };
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 1)).ok());
  known = "00D5f000000AbCdEAK";
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(2, 2)).ok());
  std::string told;
  for (const auto& message : kafka.read("changes.contact")) told += *message.value;
  EXPECT_NE(told.find(R"("org_id":null)"), std::string::npos);
  EXPECT_NE(told.find(R"("org_id":"00D5f000000AbCdEAK")"), std::string::npos);
}

TEST_F(KafkaMock, ADeletionIsAnEnvelopeOnChangesAndATombstoneOnRecords) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  kafka.maker.add({.op = Op::Delete, .rev = 5});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  const auto changes = kafka.read("changes.contact");
  const auto records = kafka.read("records.contact");
  ASSERT_EQ(changes.size(), 1U);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_NE(changes[0].value->find(R"("op":"d")"), std::string::npos);
  EXPECT_EQ(changes[0].headers.at("ce_type"), "com.headwater.contact.deleted.v1");
  EXPECT_FALSE(records[0].value.has_value());
}

TEST_F(KafkaMock, APurgeIsATombstoneAlone) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  kafka.maker.add({.op = Op::Delete, .rev = 5, .purge = true});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  EXPECT_TRUE(kafka.read("changes.contact").empty());
  EXPECT_EQ(kafka.revs("records.contact"), range(5, 5));
}

TEST_F(KafkaMock, WhatALostCursorAsksForAgainIsNotSentAgain) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  sink.reset();  // no close(): the cursor record of the batch was never sent

  auto second = kafka.sink();
  const auto cursors = second->open(kafka.orgs);
  ASSERT_TRUE(cursors.ok());
  EXPECT_EQ(cursors->front().rev.value, 0U);
  EXPECT_EQ(cursors->front().epoch, 2U);
  ASSERT_TRUE(kafka.write(*second, kafka.updates(1, 12)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 12));
  EXPECT_EQ(second->skipped(), 9U);
}

TEST_F(KafkaMock, ATailLargerThanMemoryIsReadBackPieceByPiece) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 30, 5)).ok());
  sink.reset();
  kafka.options.read_back_pairs_max = 6;
  auto second = kafka.sink();
  ASSERT_TRUE(second->open(kafka.orgs).ok());
  for (std::uint64_t rev = 1; rev <= 40; rev += 4) {
    ASSERT_TRUE(kafka.write(*second, kafka.updates(rev, rev + 3, 5)).ok());
  }
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 40));
}

TEST_F(KafkaMock, TheCursorComesBackAfterACleanClose) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  sink->close();
  const auto cursors = sink->open(kafka.orgs);
  ASSERT_TRUE(cursors.ok());
  EXPECT_EQ(cursors->front().ledger, "L1");
  EXPECT_EQ(cursors->front().rev.value, 9U);
}

TEST_F(KafkaMock, IdleSendsTheCursorStillOwed) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  EXPECT_EQ(kafka.read("cursors").size(), 1U);  // the claim alone
  ASSERT_TRUE(sink->idle().ok());
  const auto records = kafka.read("cursors");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(parse_cursor_json(*records[1].value)->rev.value, 9U);
}

TEST_F(KafkaMock, ANewEntityWithoutATopicBlocksWithTheCommand) {
  kafka.config.timeout = Millis(1'000);
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  kafka.maker.add({.rev = 1, .object = "Foo__c", .entity = "custom:Foo__c"});
  const auto written = kafka.write(*sink, kafka.maker.entries());
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::Blocked);
  EXPECT_NE(
      written.error().message.find("--create --topic crm.changes.custom.Foo__c --partitions 6"),
      std::string::npos)
      << written.error().message;

  broker.create_topic("crm.changes.custom.Foo__c", 2);
  broker.create_topic("crm.records.custom.Foo__c", 2);
  EXPECT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
}

TEST_F(KafkaMock, AMissingTopicThatNothingNeedsIsAWarning) {
  kafka.config.timeout = Millis(1'000);
  kafka.options.entities.emplace_back("account");
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_EQ(sink->warnings().size(), 2U);
  EXPECT_NE(sink->warnings()[0].find("--create --topic crm.changes.account"), std::string::npos);
  EXPECT_TRUE(kafka.write(*sink, kafka.updates(1, 3)).ok());
}

TEST_F(KafkaMock, AQuarantineEntryGoesToItsTopicWithItsReason) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  auto entry = kafka.maker.add({.rev = 4, .kind = EntryKind::Quarantine});
  entry.row =
      R"({"subject":"emea:/data/ChangeEvents","reason_code":"bad_value","stage":"decode","attempts":2})";
  ASSERT_TRUE(kafka.write(*sink, {&entry, 1}).ok());
  const auto rows = kafka.read("quarantine");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].headers.at("reason_code"), "bad_value");
  EXPECT_EQ(rows[0].headers.at("attempts"), "2");
  EXPECT_EQ(rows[0].headers.at("status"), "open");
  EXPECT_EQ(rows[0].key, "emea:/data/ChangeEvents") << "in one partition with all of its stream";
}

TEST_F(KafkaMock, BelowTheBeginningOfHistoryARecordIsAnImageAlone) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  const Entries states = kafka.updates(1, 6, 6);
  const CursorMove move{"emea", Rev(6), 1'700'000'000'000, Rev(5)};
  ASSERT_TRUE(sink->write({states, {&move, 1}, Mode::Materialize, true}).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), (std::vector<std::uint64_t>{5, 6}));
  ASSERT_TRUE(kafka.last_record("emea:Contact:" + SinkFixture::id(1)));
  const auto images = kafka.revs("records.contact");
  EXPECT_EQ(images.front(), 1U);
  EXPECT_EQ(images.back(), 6U);
}

TEST_F(KafkaMock, ATooLargeEntryIsRejectedAndItsNeighboursLandOnce) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  kafka.updates(1, 2);
  kafka.maker.add({.id = SinkFixture::id(7), .rev = 3, .fields = many_small_fields()});
  kafka.maker.add({.id = SinkFixture::id(8), .rev = 4});
  const Entries all = kafka.maker.entries();
  const auto written = kafka.write(*sink, all);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::Rejected);
  // The loop halves until the entry stands alone.
  EXPECT_TRUE(kafka.write(*sink, all.subspan(0, 2)).ok());
  EXPECT_EQ(kafka.write(*sink, all.subspan(2, 1)).error().kind, ErrorKind::Rejected);
  EXPECT_TRUE(kafka.write(*sink, all.subspan(3, 1)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), (std::vector<std::uint64_t>{1, 2, 4}));
}

TEST_F(KafkaMock, ATooLongEnvelopeLosesItsBeforeImageOnly) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  const std::string text(600'000, 'x');
  kafka.maker.add({.id = SinkFixture::id(7), .rev = 3, .fields = {{"text", text}}});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  const auto changes = kafka.read("changes.contact");
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_NE(changes[0].value->find(R"("before":null,"after":{"key")"), std::string::npos);
  EXPECT_NE(changes[0].value->find(R"("truncated":["before"]})"), std::string::npos);
  EXPECT_NE(changes[0].value->find(R"("text":")" + text + '"'), std::string::npos);
  EXPECT_NE(kafka.read("records.contact")[0].value->find(text), std::string::npos);
}

TEST_F(KafkaMock, TheRecordsTopicsAreReadAsATarget) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  kafka.maker.clear();
  kafka.maker.add({.op = Op::Delete, .id = SinkFixture::id(1), .rev = 10});
  kafka.maker.add(
      {.id = SinkFixture::id(7), .rev = 11, .fields = {{"large", std::string(1'200'000, 'l')}}});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  ASSERT_TRUE(sink->idle().ok());
  RecordsReader reader(kafka.config, kafka.options.name);
  ASSERT_TRUE(reader.open().ok());
  EXPECT_TRUE(reader.is_log());
  const auto cursor = reader.cursor("emea");
  ASSERT_TRUE(cursor.ok() && cursor->has_value());
  EXPECT_EQ((*cursor)->rev.value, 11U);
  EXPECT_EQ((*cursor)->ledger, "L1");
  EXPECT_FALSE(reader.cursor("us")->has_value());
  const auto key = [](std::uint64_t number) { return "emea:Contact:" + SinkFixture::id(number); };
  const std::vector<RecordName> names{{key(0), ""}, {key(1), ""}, {key(7), ""}, {key(8), ""}};
  const auto held = reader.read(names);
  ASSERT_TRUE(held.ok());
  ASSERT_TRUE((*held)[0] && (*held)[1] && (*held)[2]);
  EXPECT_EQ((*held)[0]->rev.value, 9U);
  EXPECT_FALSE((*held)[0]->deleted || (*held)[0]->shortened);
  EXPECT_NE((*held)[0]->text.find(R"("name":"N9")"), std::string::npos);
  EXPECT_TRUE((*held)[1]->deleted);
  EXPECT_EQ((*held)[1]->rev.value, 10U);
  EXPECT_TRUE((*held)[2]->shortened);
  EXPECT_FALSE((*held)[3]);
  std::set<std::string> keys;
  ASSERT_TRUE(reader
                  .each_key("emea",
                            [&](std::span<const std::string> some) -> Result<void> {
                              keys.insert(some.begin(), some.end());
                              return {};
                            })
                  .ok());
  for (const std::uint64_t number : {0, 2, 7}) EXPECT_TRUE(keys.contains(key(number)));
  EXPECT_FALSE(keys.contains(key(8)));
}

TEST_F(KafkaMock, LargeTextsOfATooLongRecordBecomePointersLargestFirst) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  const std::string middle(500'000, 'm');
  kafka.maker.add({.id = SinkFixture::id(7),
                   .rev = 3,
                   .fields = {{"large", std::string(700'000, 'l')},
                              {"middle", middle},
                              {"small", std::string(900, 's')}}});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  const std::string pointer =
      R"("large":{"$ref":"/v1/records/emea/Contact/)" + SinkFixture::id(7) + R"("},"middle":"mmm)";
  const auto changes = kafka.read("changes.contact");
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_NE(changes[0].value->find(pointer), std::string::npos);
  EXPECT_NE(changes[0].value->find(R"("truncated":["before","fields.large"]})"), std::string::npos);
  const auto records = kafka.read("records.contact");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_NE(records[0].value->find(pointer), std::string::npos);
  EXPECT_NE(records[0].value->find(middle), std::string::npos);
}

TEST_F(KafkaMock, ARefusalToldLateIsRejectedAndTheSinkGoesOn) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 3)).ok());
  ASSERT_TRUE(kafka.touch(*sink, 3).ok());
  broker.fail_produce(10 /* MSG_SIZE_TOO_LARGE */, 2);
  EXPECT_EQ(kafka.write(*sink, kafka.updates(4, 4)).error().kind, ErrorKind::Rejected);
  EXPECT_TRUE(kafka.write(*sink, kafka.updates(5, 6)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), (std::vector<std::uint64_t>{1, 2, 3, 5, 6}));
}

TEST_F(KafkaMock, AMessageThatIsRefusedAtOnceGivesItsMemoryBack) {
  TopicEnds ends{{"crm.changes.contact", std::vector<std::int64_t>(3)}};
  auto producer = Producer::create(kafka.config, {}, ends);
  ASSERT_TRUE(producer.ok());
  HeaderPool& pool = (*producer)->header_pool();
  const auto value =
      (*producer)->values().keep(std::string(kafka.config.message_bytes_max + 1, 'x'));
  const auto refused = (*producer)->produce((*producer)->topic("crm.changes.contact"),
                                            "key",
                                            value,
                                            pool.take(pool.shape({}), {}),
                                            std::chrono::steady_clock::now());
  EXPECT_EQ(refused.error().kind, ErrorKind::Rejected);
  (*producer)->shrink();
  EXPECT_EQ((*producer)->values().chunks(), 0U);
}

TEST_F(KafkaMock, ARetriableErrorIsRiddenOut) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  broker.fail_produce(19 /* NOT_ENOUGH_REPLICAS */, 3);
  EXPECT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 9));
}

TEST_F(KafkaMock, ABrokerThatIsDownIsTransientAndNothingIsLostOrDoubled) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 5)).ok());
  kafka.config.timeout = Millis(20'000);
  broker.down();
  // The deadline of the sink under test is its own; a shorter one keeps the test short.
  KafkaConfig impatient = kafka.config;
  impatient.timeout = Millis(500);
  KafkaSink other(impatient, {"L1", "here"}, kafka.options, kafka.clock);
  const auto opened = other.open(kafka.orgs);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::Transient);
  broker.up();
  EXPECT_TRUE(kafka.write(*sink, kafka.updates(6, 9)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 9));
}

TEST_F(KafkaMock, AnotherHolderIsRefusedUntilTheCursorIsOld) {
  auto sink = kafka.sink("here");
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  auto rival = kafka.sink("there", "L2");
  const auto refused = rival->open(kafka.orgs);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  kafka.clock.advance_ms(31'000);
  EXPECT_TRUE(rival->open(kafka.orgs).ok());

  // The first holder wakes up: it sees the rival before it writes, and stays stopped.
  const auto late = kafka.write(*sink, kafka.updates(1, 1));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::Fatal);
  EXPECT_EQ(sink->open(kafka.orgs).error().kind, ErrorKind::Fatal);
  EXPECT_TRUE(kafka.read("changes.contact").empty());
}

TEST_F(KafkaMock, AHolderThatWasTakenOverNeverClaimsAgainThoughItsRivalFellSilent) {
  auto sink = kafka.sink("here");
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  kafka.clock.advance_ms(31'000);
  ASSERT_TRUE(kafka.sink("there", "L2")->open(kafka.orgs).ok());
  kafka.clock.advance_ms(31'000);
  const auto again = sink->open(kafka.orgs);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::Fatal);
}

/// Calls `between` once when it is first asked: while a sink opens, that is after its look at the
/// cursors topic and before its claim.
class MeetingClock final : public Clock {
 public:
  explicit MeetingClock(std::function<void()> between) : between_(std::move(between)) {}
  std::int64_t now_us() const override { return system_.now_us(); }
  std::int64_t monotonic_ms() const override {
    if (const auto once = std::exchange(between_, nullptr)) once();
    return system_.monotonic_ms();
  }

 private:
  SystemClock system_;
  mutable std::function<void()> between_;
};

TEST_F(KafkaMock, OfTwoThatClaimAtTheSameInstantExactlyOneWrites) {
  auto first = kafka.sink("there", "L2");
  const MeetingClock clock([&] { ASSERT_TRUE(first->open(kafka.orgs).ok()); });
  KafkaSink second(kafka.config, {"L1", "here"}, kafka.options, clock);
  const auto refused = second.open(kafka.orgs);
  ASSERT_EQ(kafka.read("cursors").size(), 2U) << "both have claimed";
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_NE(refused.error().message.find("held by there"), std::string::npos)
      << refused.error().message;

  kafka.clock.advance_ms(1'100);
  const auto written = kafka.write(*first, kafka.updates(1, 3));
  ASSERT_TRUE(written.ok()) << written.error().message;
  ASSERT_TRUE(first->idle().ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 3));
}

TEST_F(KafkaMock, OfTwoOfOneNameThatClaimAtTheSameInstantOneWritesAndTheOtherStops) {
  // A machine cloned with its id, its paths and its ledger.
  auto first = kafka.sink("here", "L1");
  const MeetingClock clock([&] { ASSERT_TRUE(first->open(kafka.orgs).ok()); });
  KafkaSink second(kafka.config, {"L1", "here"}, kafka.options, clock);
  const auto refused = second.open(kafka.orgs);
  ASSERT_EQ(kafka.read("cursors").size(), 2U) << "both have claimed";
  ASSERT_FALSE(refused.ok()) << "its claim stands second";
  EXPECT_EQ(refused.error().kind, ErrorKind::Transient);

  ASSERT_TRUE(second.open(kafka.orgs).ok()) << "what it sees is in its own name";
  ASSERT_TRUE(kafka.write(second, kafka.updates(1, 3)).ok());
  kafka.clock.advance_ms(1'100);
  const auto late = kafka.write(*first, kafka.updates(1, 3));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::Fatal);
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 3));
}

TEST_F(KafkaMock, AClaimThatLostIsNoOnesCursor) {
  auto first = kafka.sink("there", "L2");
  const MeetingClock clock([&] { ASSERT_TRUE(first->open(kafka.orgs).ok()); });
  KafkaSink second(kafka.config, {"L1", "here"}, kafka.options, clock);
  ASSERT_FALSE(second.open(kafka.orgs).ok());
  ASSERT_EQ(parse_cursor_json(*kafka.read("cursors").back().value)->holder, "here");
  EXPECT_EQ(second.open(kafka.orgs).error().kind, ErrorKind::Blocked)
      << "its own claim says nothing";

  kafka.clock.advance_ms(1'100);
  ASSERT_TRUE(first->idle().ok());
  EXPECT_EQ(parse_cursor_json(*kafka.read("cursors").back().value)->holder, "there")
      << "the winner writes its own on top";
}

TEST_F(KafkaMock, LateRepeatsAreCountedOnce) {
  auto sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 3)).ok());
  // A dead predecessor's request reaches the broker after our read-back: the same key and rev
  // again.
  TopicEnds ends{{"crm.changes.contact", {0, 0, 0}}};
  auto predecessor = Producer::create(kafka.config, {}, ends);
  HeaderList headers;
  headers.add("org", "emea");
  headers.add("rev", "2");
  const auto until = std::chrono::steady_clock::now() + kafka.config.timeout;
  ASSERT_TRUE((*predecessor)
                  ->produce((*predecessor)->topic("crm.changes.contact"),
                            kafka.maker.entries()[1].rkey,
                            "{}",
                            headers,
                            until)
                  .ok());
  ASSERT_TRUE((*predecessor)->wait(until).ok());
  EXPECT_EQ(sink->late_repeats(), 0U);
  kafka.clock.advance_ms(31'000);
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(4, 4)).ok());
  EXPECT_EQ(sink->late_repeats(), 1U);
}

/// Revs 1 to 9 on three records, written under epoch 2; the images of epoch 1 are on the topic too.
std::unique_ptr<KafkaSink> second_writer(SinkFixture& kafka) {
  auto first = kafka.sink();
  EXPECT_TRUE(first->open(kafka.orgs).ok());
  EXPECT_TRUE(kafka.write(*first, kafka.updates(1, 6)).ok());
  EXPECT_TRUE(first->idle().ok());
  first.reset();
  auto second = kafka.sink();
  EXPECT_TRUE(second->open(kafka.orgs).ok());
  EXPECT_TRUE(kafka.write(*second, kafka.updates(7, 9)).ok());
  return second;
}

TEST_F(KafkaMock, AnOldImageThatCameLateDoesNotStayTheLastOne) {
  auto sink = second_writer(kafka);
  const std::string key = "emea:Contact:" + SinkFixture::id(1);
  kafka.late_image(key, 4, 1);
  ASSERT_EQ(kafka.last_record(key), "an old image");
  // Other records, some in the same partition, show the gap.
  kafka.maker.clear();
  for (std::uint64_t rev = 10; rev < 50; ++rev) {
    kafka.maker.add({.id = SinkFixture::id(100 + rev), .rev = rev});
  }
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  kafka.clock.advance_ms(1'100);
  ASSERT_TRUE(sink->idle().ok());
  EXPECT_NE(kafka.last_record(key)->find(R"("rev":7,)"), std::string::npos);
  EXPECT_EQ(sink->mended(), 1U);
}

TEST_F(KafkaMock, ALateImageBehindTheLastMessageIsSeenByTheLateCheck) {
  auto sink = second_writer(kafka);
  const std::string key = "emea:Contact:" + SinkFixture::id(1);
  kafka.late_image(key, 4, 1);
  kafka.clock.advance_ms(31'000);
  ASSERT_TRUE(sink->idle().ok());
  EXPECT_NE(kafka.last_record(key)->find(R"("rev":7,)"), std::string::npos);
  EXPECT_EQ(sink->mended(), 1U);
}

TEST_F(KafkaMock, ALateImageThatNobodySawIsMendedByTheNextOpen) {
  auto sink = second_writer(kafka);
  ASSERT_TRUE(sink->idle().ok());
  sink.reset();
  const std::string key = "emea:Contact:" + SinkFixture::id(1);
  kafka.late_image(key, 4, 1);
  sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  EXPECT_NE(kafka.last_record(key)->find(R"("rev":7,)"), std::string::npos);
  EXPECT_EQ(sink->mended(), 1U);
  ASSERT_TRUE(sink->idle().ok());
  sink = kafka.sink();
  ASSERT_TRUE(sink->open(kafka.orgs).ok());
  EXPECT_EQ(sink->mended(), 0U) << "what was mended stays so";
}

TEST_F(KafkaMock, AFencedPredecessorsLateCursorDoesNotStopItsHeir) {
  auto zombie = kafka.sink("there");
  ASSERT_TRUE(zombie->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*zombie, kafka.updates(1, 3)).ok());
  kafka.clock.advance_ms(31'000);
  auto heir = kafka.sink("here");
  ASSERT_TRUE(heir->open(kafka.orgs).ok());
  ASSERT_TRUE(kafka.write(*heir, kafka.updates(4, 6)).ok());
  ASSERT_TRUE(heir->idle().ok());
  zombie->close();  // sends the cursor that it owed, without a look
  kafka.clock.advance_ms(1'100);
  const auto looked = heir->idle();
  ASSERT_TRUE(looked.ok()) << looked.error().message;
  heir.reset();
  heir = kafka.sink("here");
  const auto opened = heir->open(kafka.orgs);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->front().rev.value, 6U);
  EXPECT_EQ(opened->front().epoch, 3U);
}

}  // namespace
}  // namespace headwater::kafka
