// What an heir finds on the topics: tails of orgs and topics that no cursor names, tails that are
// passed in part, cut topics, late images in several places. Against librdkafka's mock cluster.
#include <set>

#include "connectors/kafka/records_reader.hpp"
#include "tests/integration/kafka/sink_fixture.hpp"

namespace headwater::kafka {
namespace {

class KafkaReadBack : public testing::Test {
 protected:
  KafkaReadBack()
      : broker({{"crm.cursors", 1},
                {"crm.quarantine", 2},
                {"crm.changes.contact", 3},
                {"crm.records.contact", 3}}),
        kafka(broker.brokers(), "crm.") {}

  std::unique_ptr<KafkaSink> opened(const std::string& ledger = "L1",
                                    std::vector<std::string> orgs = {"emea"}) {
    auto sink = kafka.sink("here", ledger);
    const auto cursors = sink->open(orgs);
    EXPECT_TRUE(cursors.ok()) << cursors.error().message;
    return sink;
  }
  static std::string key(std::uint64_t number) { return "emea:Contact:" + SinkFixture::id(number); }
  /// The newest cursor record of the org.
  CursorRecord cursor() const { return *parse_cursor_json(*kafka.read("cursors").back().value); }
  /// A message of ours that a predecessor wrote, whatever else it did.
  void produce(const std::string& topic,
               const std::string& message_key,
               const std::string& value,
               std::uint64_t rev) {
    TopicEnds ends{{"crm." + topic, std::vector<std::int64_t>(3)}};
    auto producer = Producer::create(kafka.config, {}, ends);
    HeaderList headers;
    headers.add("org", "emea");
    headers.add("op", "u");
    headers.add("rev", std::to_string(rev));
    headers.add("epoch", "1");
    const auto until = std::chrono::steady_clock::now() + kafka.config.timeout;
    ASSERT_TRUE(
        (*producer)
            ->produce((*producer)->topic("crm." + topic), message_key, value, headers, until)
            .ok());
    ASSERT_TRUE((*producer)->wait(until).ok());
  }
  /// The cursor that the next open finds, and the first thing that it warns of.
  std::pair<std::uint64_t, std::string> reopened_after(const CursorRecord& record) {
    std::string json;
    append_cursor_json(json, record);
    produce("cursors", cursor_key(kafka.options.name, "emea"), json, 0);
    auto sink = kafka.sink();
    const auto cursors = sink->open(kafka.orgs);
    EXPECT_TRUE(cursors.ok()) << cursors.error().message;
    return {cursors->front().rev.value, sink->warnings().empty() ? "" : sink->warnings().front()};
  }

  test::MockKafka broker;
  SinkFixture kafka;
};

TEST_F(KafkaReadBack, AnHeirThatDiesBeforeItHasPassedTheTailLeavesItToBeReadBackAgain) {
  ASSERT_TRUE(kafka.write(*opened(), kafka.updates(1, 9)).ok());  // and dies: no cursor
  auto heir = opened();
  ASSERT_TRUE(kafka.write(*heir, kafka.updates(1, 3)).ok());
  ASSERT_TRUE(heir->idle().ok());  // its cursor is told: 3
  heir.reset();
  heir = opened();
  ASSERT_TRUE(kafka.write(*heir, kafka.updates(4, 9)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 9));
}

TEST_F(KafkaReadBack, TheLastOfTheTailIsNotSentAgainThoughItComesAlone) {
  ASSERT_TRUE(kafka.write(*opened(), kafka.updates(1, 9)).ok());
  auto heir = opened();
  ASSERT_TRUE(kafka.write(*heir, kafka.updates(1, 8)).ok());
  ASSERT_TRUE(kafka.write(*heir, kafka.updates(9, 9)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 9));
}

TEST_F(KafkaReadBack, ATopicThatNoCursorNamesYetIsReadFromItsBeginning) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 3)).ok());
  ASSERT_TRUE(sink->idle().ok());
  broker.create_topic("crm.changes.account", 3);
  broker.create_topic("crm.records.account", 3);
  kafka.maker.clear();
  kafka.maker.add({.rev = 4, .object = "Account", .entity = "account"});
  kafka.maker.add({.rev = 5, .object = "Account", .entity = "account"});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  sink.reset();
  ASSERT_TRUE(kafka.write(*opened(), kafka.maker.entries()).ok());
  EXPECT_EQ(kafka.revs("changes.account"), range(4, 5));
}

TEST_F(KafkaReadBack, TheTailOfEachOrgIsReadFromWhereItsOwnCursorNamesTheEnds) {
  ASSERT_TRUE(kafka.write(*opened(), kafka.updates(1, 3)).ok());
  auto other = opened("L1", {"us"});
  ASSERT_TRUE(kafka.touch(*other, 3, "us").ok());
  other.reset();
  auto both = opened("L1", {"emea", "us"});
  ASSERT_TRUE(kafka.write(*both, kafka.updates(1, 3)).ok());
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 3));
}

TEST_F(KafkaReadBack, ImagesOfAnotherLedgerAreReplacedHoweverHighTheirRevs) {
  auto old = opened("L1");
  ASSERT_TRUE(kafka.write(*old, kafka.updates(101, 103)).ok());
  ASSERT_TRUE(old->idle().ok());
  ASSERT_TRUE(kafka.write(*old, kafka.updates(201, 203)).ok());  // above its cursor
  old.reset();
  auto born = opened("L2");
  const CursorMove move{"emea", Rev(53), 0};
  ASSERT_TRUE(born->write({kafka.updates(51, 53), {&move, 1}, Mode::Materialize}).ok());
  EXPECT_NE(kafka.last_record(key(0))->find(R"("rev":51,)"), std::string::npos);
  EXPECT_NE(kafka.last_record(key(2))->find(R"("rev":53,)"), std::string::npos);
}

TEST_F(KafkaReadBack, AnImageIsItsOwnThoughItsChangeStoodThereAlready) {
  auto sink = opened();
  ASSERT_TRUE(sink->idle().ok());
  sink.reset();
  produce("changes.contact", key(2), "{}", 2);  // its record never arrived
  ASSERT_TRUE(kafka.write(*opened(), kafka.updates(1, 2)).ok());
  EXPECT_NE(kafka.last_record(key(2))->find(R"("name":"N2")"), std::string::npos);
  EXPECT_EQ(kafka.revs("changes.contact"), range(1, 2));
}

TEST_F(KafkaReadBack, AQuarantineRowStandsThereOnce) {
  auto entry = kafka.maker.add({.rev = 4, .kind = EntryKind::Quarantine});
  entry.row = R"({"subject":"emea:/data/ChangeEvents","reason_code":"bad_value"})";
  ASSERT_TRUE(kafka.write(*opened(), {&entry, 1}).ok());
  ASSERT_TRUE(kafka.write(*opened(), {&entry, 1}).ok());
  EXPECT_EQ(kafka.read("quarantine").size(), 1U);
}

TEST_F(KafkaReadBack, WhatWouldBeFoundAfterACrashIsTheCursorThatWasTold) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  EXPECT_EQ(sink->recorded("emea", Rev(9)), Rev(0));
  ASSERT_TRUE(sink->idle().ok());
  EXPECT_EQ(sink->recorded("emea", Rev(9)), Rev(9));
}

TEST_F(KafkaReadBack, ATopicThatLacksAMessageInAnyPartitionHasLostTheCursor) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 30, 10)).ok());
  ASSERT_TRUE(sink->idle().ok());
  sink.reset();
  auto record = cursor();
  EXPECT_EQ(reopened_after(record), (std::pair<std::uint64_t, std::string>{30, ""}));
  auto& ends = record.ends.at("crm.changes.contact");
  ASSERT_EQ(ends.size(), 3U);
  ++ends[2];
  record.epoch += 2;  // that of the open before is taken
  const auto [rev, warning] = reopened_after(record);
  EXPECT_EQ(rev, 0U);
  EXPECT_NE(warning.find("crm.changes.contact ends at "), std::string::npos) << warning;
  EXPECT_NE(warning.find(" in partition 2, had "), std::string::npos) << warning;
}

TEST_F(KafkaReadBack, ACursorThatIsFoundLostInTheMiddleOfAWriteIsToldToTheLoop) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  ASSERT_TRUE(sink->idle().ok());
  auto record = cursor();
  ++record.ends.at("crm.changes.contact")[0];  // more than the topic holds by now
  std::string json;
  append_cursor_json(json, record);
  produce("cursors", cursor_key(kafka.options.name, "emea"), json, 0);
  broker.fail_produce(10 /* MSG_SIZE_TOO_LARGE */, 2);
  EXPECT_EQ(kafka.write(*sink, kafka.updates(10, 10)).error().kind, ErrorKind::Rejected);
  const auto lost = kafka.write(*sink, kafka.updates(11, 11));
  ASSERT_FALSE(lost.ok()) << "it would go on behind a hole";
  EXPECT_EQ(lost.error().kind, ErrorKind::Transient);
  EXPECT_NE(lost.error().message.find("cursor of emea was lost"), std::string::npos);
}

TEST_F(KafkaReadBack, WhatWasOwedBeforeTheTopicsWereLostIsNotToldAfter) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  ASSERT_TRUE(sink->idle().ok());
  auto record = cursor();
  record.ends.at("crm.changes.contact")[0] += 100;              // more than the topic holds by then
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(10, 12)).ok());  // its cursor is owed
  std::string json;
  append_cursor_json(json, record);
  produce("cursors", cursor_key(kafka.options.name, "emea"), json, 0);
  const auto cursors = sink->open(kafka.orgs);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  ASSERT_EQ(cursors->front().rev, Rev{0});
  ASSERT_TRUE(sink->idle().ok());
  EXPECT_EQ(cursor().rev, Rev{0}) << "a crash now would take the topics for whole";
}

TEST_F(KafkaReadBack, ACursorSaysWhenItsEntryWasCommittedUnlessItIsLost) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  ASSERT_TRUE(sink->idle().ok());
  EXPECT_EQ(sink->open(kafka.orgs).value().front().commit_ts, 1'700'000'000'000);
  auto record = cursor();
  record.ends.at("crm.changes.contact")[0] += 100;
  std::string json;
  append_cursor_json(json, record);
  produce("cursors", cursor_key(kafka.options.name, "emea"), json, 0);
  EXPECT_EQ(sink->open(kafka.orgs).value().front().commit_ts, 0);
}

TEST_F(KafkaReadBack, ATopicWithMorePartitionsThanBeforeHasLostTheCursor) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 9)).ok());
  ASSERT_TRUE(sink->idle().ok());
  sink.reset();
  auto record = cursor();
  record.ends.at("crm.records.contact").pop_back();
  const auto [rev, warning] = reopened_after(record);
  EXPECT_EQ(rev, 0U) << "keys stand in other partitions now";
  EXPECT_NE(warning.find("crm.records.contact has 3 partitions, had 2"), std::string::npos)
      << warning;
}

TEST_F(KafkaReadBack, ARecordThatMovesToAnotherEntityLeavesATombstoneWhereItWas) {
  broker.create_topic("crm.changes.account", 3);
  broker.create_topic("crm.records.account", 3);
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 1)).ok());
  kafka.maker.clear();
  kafka.maker.add({.op = Op::Delete, .id = SinkFixture::id(1), .rev = 2});
  kafka.maker.add({.op = Op::Read, .id = SinkFixture::id(1), .rev = 3, .entity = "account"});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  EXPECT_EQ(kafka.last_record(key(1)), std::nullopt);
  ASSERT_EQ(kafka.read("records.account").size(), 1U);
  EXPECT_TRUE(kafka.read("records.account")[0].value.has_value());
}

TEST_F(KafkaReadBack, AnImageThatLivesOnInAnotherTopicIsWhatStandsThere) {
  broker.create_topic("crm.records.account", 3);
  produce("records.account", key(1), R"({"is":"old"})", 5);
  produce("records.contact", key(1), R"({"is":"new"})", 9);
  RecordsReader reader(kafka.config, kafka.options.name);
  ASSERT_TRUE(reader.open().ok());
  const std::vector<RecordName> names{{key(1), ""}};
  const auto held = reader.read(names);
  ASSERT_TRUE(held.ok() && (*held)[0]);
  EXPECT_EQ((*held)[0]->text, R"({"is":"old"})") << "its tombstone is missing";
}

TEST_F(KafkaReadBack, HeadersAreThoseOfTheEntryNotOfTheOneBefore) {
  auto sink = opened("L1", {"emea", "us"});
  kafka.maker.clear();
  kafka.maker.add({.id = SinkFixture::id(1), .rev = 1});
  kafka.maker.add({.id = SinkFixture::id(2), .rev = 2, .org = "us"});
  kafka.maker.add({.id = SinkFixture::id(3), .rev = 3, .org = "us"});
  kafka.maker.add({.op = Op::Delete, .id = SinkFixture::id(4), .rev = 4});
  kafka.maker.add(
      {.op = Op::Delete, .id = SinkFixture::id(5), .rev = 5, .merged_into = SinkFixture::id(1)});
  std::vector<EntryView> entries(kafka.maker.entries().begin(), kafka.maker.entries().end());
  entries[2].bu = "de";
  entries[4].origin.type = ChangeType::Merge;
  const CursorMove moves[] = {{"emea", Rev(5), 0}, {"us", Rev(5), 0}};
  ASSERT_TRUE(sink->write({entries, moves, Mode::Follow}).ok());
  std::map<std::string, std::map<std::string, std::string>> headers;
  for (const auto& message : kafka.read("changes.contact"))
    headers[message.headers.at("rev")] = message.headers;
  EXPECT_EQ(headers["1"].at("bu"), "uk");
  EXPECT_EQ(headers["1"].at("org"), "emea");
  EXPECT_EQ(headers["2"].at("bu"), "uk");
  EXPECT_EQ(headers["2"].at("org"), "us");
  EXPECT_EQ(headers["3"].at("bu"), "de");
  EXPECT_EQ(headers["4"].at("ce_type"), "com.headwater.contact.deleted.v1");
  EXPECT_EQ(headers["5"].at("ce_type"), "com.headwater.contact.merged.v1");
}

TEST_F(KafkaReadBack, ARivalThatClaimsBetweenTwoCursorsOfOursIsSeen) {
  auto sink = opened();
  ASSERT_TRUE(kafka.write(*sink, kafka.updates(1, 3)).ok());
  ShiftedClock later;
  later.advance_ms(31'000);
  KafkaSink rival(kafka.config, {"L2", "there"}, kafka.options, later);
  ASSERT_TRUE(rival.open(kafka.orgs).ok());
  const auto told = kafka.touch(*sink, 3);  // stands behind the rival's claim
  kafka.clock.advance_ms(1'100);
  const auto after = sink->idle();
  const auto& seen = told.ok() ? after : told;
  ASSERT_FALSE(seen.ok());
  EXPECT_EQ(seen.error().kind, ErrorKind::Fatal) << seen.error().message;
}

/// Late images of two records in one partition, each seen by a gap of its own.
class KafkaLateImages : public KafkaReadBack {
 protected:
  void SetUp() override {
    auto first = opened();
    ASSERT_TRUE(kafka.write(*first, kafka.updates(1, 12, 12)).ok());
    ASSERT_TRUE(first->idle().ok());
    first.reset();
    sink = opened();
    ASSERT_TRUE(kafka.write(*sink, kafka.updates(13, 24, 12)).ok());
    std::map<int, std::vector<std::string>> by_partition;
    for (const auto& message : kafka.read("records.contact")) {
      auto& keys = by_partition[message.partition];
      if (std::find(keys.begin(), keys.end(), message.key) == keys.end())
        keys.push_back(message.key);
    }
    for (const auto& [partition, keys] : by_partition) {
      if (keys.size() >= 2) late = keys;
    }
    ASSERT_GE(late.size(), 2U);
  }
  /// Messages into every partition, so that what stands before them shows as a gap.
  void write_others(std::uint64_t from) {
    kafka.maker.clear();
    for (std::uint64_t rev = from; rev < from + 40; ++rev)
      kafka.maker.add({.id = SinkFixture::id(100 + rev), .rev = rev});
    ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  }
  void expect_mended() {
    for (const auto& record : {late[0], late[1]}) {
      const auto last = kafka.last_record(record);
      ASSERT_TRUE(last.has_value());
      EXPECT_NE(*last, "an old image") << record;
    }
  }

  std::unique_ptr<KafkaSink> sink;
  std::vector<std::string> late;
};

TEST_F(KafkaLateImages, InTwoGapsOfOnePartitionAreBothMended) {
  kafka.late_image(late[0], 1, 1);
  write_others(100);
  kafka.late_image(late[1], 1, 1);
  write_others(200);
  kafka.clock.advance_ms(1'100);
  ASSERT_TRUE(sink->idle().ok());
  expect_mended();
}

TEST_F(KafkaLateImages, InAGapThatNobodyLookedIntoAreMendedByTheNextOpen) {
  kafka.late_image(late[0], 1, 1);
  kafka.late_image(late[1], 1, 1);
  write_others(100);
  ASSERT_TRUE(kafka.touch(*sink, 139).ok());  // the cursor is told, and then it dies
  sink.reset();
  sink = opened();
  expect_mended();
}

TEST_F(KafkaLateImages, DoNotBringBackADeletedRecord) {
  kafka.maker.clear();
  kafka.maker.add({.op = Op::Delete, .id = late[0].substr(late[0].rfind(':') + 1), .rev = 50});
  ASSERT_TRUE(kafka.write(*sink, kafka.maker.entries()).ok());
  kafka.late_image(late[0], 1, 1);
  write_others(100);
  kafka.clock.advance_ms(1'100);
  ASSERT_TRUE(sink->idle().ok());
  EXPECT_EQ(kafka.last_record(late[0]), std::nullopt);
  EXPECT_EQ(sink->mended(), 1U);
}

}  // namespace
}  // namespace headwater::kafka
