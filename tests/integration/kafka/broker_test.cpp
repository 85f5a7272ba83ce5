// The sink against Apache Kafka itself: topics, read-back, transactions, fencing. One node for the
// program.
#include <random>
#include <thread>

#include "tests/integration/kafka/sink_fixture.hpp"

namespace headwater::kafka {
namespace {

using testing::Test;

test::KafkaServer* broker() {
  static const std::unique_ptr<test::KafkaServer> server = test::KafkaServer::start();
  return server.get();
}

/// Each case has a topic prefix of its own on the shared node.
std::string fresh_prefix() {
  static int count = 0;
  return "t" + std::to_string(++count) + ".";
}

class KafkaBroker : public Test {
 protected:
  void SetUp() override {
    if (broker() == nullptr) GTEST_SKIP() << "kafka: no broker";
    kafka.emplace(broker()->brokers(), fresh_prefix());
  }
  std::string topic(const std::string& name) const { return kafka->config.topic_prefix + name; }

  std::optional<SinkFixture> kafka;
};

TEST_F(KafkaBroker, TopicsAreMadeWithTheirPoliciesAndPartitions) {
  kafka->options.entities = {"contact", "custom:Invoice__c"};
  auto sink = kafka->sink();
  const auto opened = sink->open(kafka->orgs);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_TRUE(sink->warnings().empty());
  const auto setting = [&](const std::string& name, const char* key) {
    return broker()->topic_setting(topic(name), key);
  };
  EXPECT_EQ(setting("changes.contact", "cleanup.policy"), "delete");
  EXPECT_EQ(setting("changes.custom.Invoice__c", "retention.ms"), "604800000");
  EXPECT_EQ(setting("records.custom.Invoice__c", "cleanup.policy"), "compact");
  EXPECT_EQ(setting("records.contact", "delete.retention.ms"), "345600000");
  EXPECT_EQ(setting("cursors", "cleanup.policy"), "compact");
  EXPECT_EQ(setting("quarantine", "retention.ms"), "2592000000");
}

TEST_F(KafkaBroker, ANewEntityGetsItsTopicsAtFirstSight) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  kafka->maker.add({.rev = 1, .object = "Foo__c", .entity = "custom:Foo__c"});
  const auto written = kafka->write(*sink, kafka->maker.entries());
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(kafka->revs("changes.custom.Foo__c"), range(1, 1));
  EXPECT_EQ(broker()->topic_setting(topic("records.custom.Foo__c"), "cleanup.policy"), "compact");
}

TEST_F(KafkaBroker, KeysGoToThePartitionsThatJavaProducersChoose) {
  // Utils.toPositive(Utils.murmur2(key)) % 6 and % 50 of kafka-clients 3.9.1.
  struct Vector {
    const char* key;
    int of_12, of_50;
  };
  constexpr Vector kVectors[] = {{"emea:Contact:0035f00000ABCDeAAP", 0, 4},
                                 {"emea:Account:0015f00002JUXA8AAP", 0, 4},
                                 {"apac:Invoice__c:a015f00000Zz9yXAAR", 6, 6},
                                 {"emea:Case:5005f00000AbCdEAAZ", 3, 13},
                                 {"emea:User:0055f000005mc66AAA", 6, 6},
                                 {"na-1:Order:8015f000000XYZaAAO", 9, 37}};
  for (const int partitions : {12, 50}) {
    const std::string name = topic("p" + std::to_string(partitions));
    broker()->create_topic(name, partitions);
    TopicEnds ends{{name, std::vector<std::int64_t>(static_cast<std::size_t>(partitions))}};
    auto producer = Producer::create(kafka->config, {}, ends);
    ASSERT_TRUE(producer.ok());
    const auto until = std::chrono::steady_clock::now() + kafka->config.timeout;
    for (const Vector& one : kVectors) {
      ASSERT_TRUE((*producer)->produce((*producer)->topic(name), one.key, "v", {}, until).ok());
    }
    ASSERT_TRUE((*producer)->wait(until).ok());
    for (const auto& message : test::read_topic(kafka->config.brokers, name)) {
      for (const Vector& one : kVectors) {
        if (message.key != one.key) continue;
        EXPECT_EQ(message.partition, partitions == 12 ? one.of_12 : one.of_50) << message.key;
      }
    }
  }
}

TEST_F(KafkaBroker, EveryChangeLandsOnceAndInOrderHoweverOftenTheSinkIsReopened) {
  // The loop as it would run: 40 batches; the sink dies at every third, sometimes after a write
  // whose outcome the loop never learned, so that it repeats from the cursor that open() returns,
  // cut differently.
  std::uint64_t cursor = 0;
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  constexpr std::uint64_t kLast = 400;
  for (int step = 0; cursor < kLast; ++step) {
    const std::uint64_t to = std::min(cursor + 7 + static_cast<std::uint64_t>(step % 5), kLast);
    const auto written = kafka->write(*sink, kafka->updates(cursor + 1, to, 11));
    ASSERT_TRUE(written.ok()) << written.error().message;
    cursor = to;
    if (step % 3 != 2) continue;
    if (step % 2 == 0) sink->close();
    sink = kafka->sink();
    const auto cursors = sink->open(kafka->orgs);
    ASSERT_TRUE(cursors.ok()) << cursors.error().message;
    ASSERT_LE(cursors->front().rev.value, cursor);
    cursor = cursors->front().rev.value;
  }
  EXPECT_EQ(kafka->revs("changes.contact"), range(1, kLast));
  std::map<std::string, std::uint64_t> last;
  for (const auto& message : kafka->read("changes.contact")) {
    const std::uint64_t rev = std::stoull(message.headers.at("rev"));
    EXPECT_GT(rev, last[message.key]);
    last[message.key] = rev;
  }
  std::map<std::string, std::uint64_t> records;
  for (const auto& message : kafka->read("records.contact")) {
    records[message.key] = std::stoull(message.headers.at("rev"));
  }
  EXPECT_EQ(records, last);
}

TEST_F(KafkaBroker, WhatATopicWouldTakeIsToldByItsLimit) {
  TopicSpec narrow{topic("changes.contact"), 6, 1, {{"max.message.bytes", "20000"}}};
  auto client = Client::create(kafka->config, {});
  ASSERT_TRUE((*client)->create_topics({&narrow, 1}, kafka->config.timeout).refused.empty());
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 1)).ok());
  const EntryView& held = kafka->maker.entries().front();
  const Error refusal = rejected("too large", "MSG_SIZE_TOO_LARGE");
  EXPECT_EQ(*sink->would_take(held, refusal), true);
  EXPECT_EQ(*sink->would_take(held, rejected("invalid", "INVALID_RECORD")), std::nullopt);

  test::EntryMaker large;
  std::string text;  // that no compression makes small
  std::minstd_rand random(7);
  for (int i = 0; i < 60'000; ++i) text += static_cast<char>('0' + random() % 75);
  large.add({.id = SinkFixture::id(8), .rev = 2, .fields = {{"description", text}}});
  EXPECT_EQ(kafka->write(*sink, large.entries()).error().code, refusal.code);
  EXPECT_EQ(*sink->would_take(held, refusal), true) << "so that one is at fault";
  EXPECT_EQ(*sink->would_take(large.entries().front(), refusal), false)
      << "a topic that does not take what it holds is";
}

TEST_F(KafkaBroker, ReadBackStartsAtTheOffsetsThatTheCursorNames) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 50)).ok());
  sink->close();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(51, 60)).ok());
  sink = kafka->sink();  // without close(): 51..60 are above the cursor
  const auto cursors = sink->open(kafka->orgs);
  ASSERT_TRUE(cursors.ok());
  EXPECT_EQ(cursors->front().rev.value, 50U);
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(51, 70)).ok());
  // 10 changes, and the records of three keys: their last images on the topic are older
  // than 68..70.
  EXPECT_EQ(sink->skipped(), 10U);
  EXPECT_EQ(kafka->revs("changes.contact"), range(1, 70));
}

TEST_F(KafkaBroker, ATopicMadeAnewIsFilledAgain) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 9)).ok());
  sink->close();
  broker()->delete_topic(topic("changes.contact"));
  const auto cursors = sink->open(kafka->orgs);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ(cursors->front().rev.value, 0U);
  ASSERT_FALSE(sink->warnings().empty());
  EXPECT_NE(sink->warnings().back().find("truncated or made anew"), std::string::npos);
  const auto written = kafka->write(*sink, kafka->updates(1, 9));
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(kafka->revs("changes.contact"), range(1, 9));
}

TEST_F(KafkaBroker, ATopicMadeAnewBehindALivingSinkIsNoticedByItsFirstDelivery) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 9)).ok());
  ASSERT_TRUE(sink->idle().ok());
  broker()->delete_topic(topic("changes.contact"));
  broker()->create_topic(topic("changes.contact"), kafka->config.partitions);
  // More than stood there before: its length alone would not tell any more.
  const auto written = kafka->write(*sink, kafka->updates(10, 60));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::Transient) << written.error().message;
  const auto cursors = sink->open(kafka->orgs);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ(cursors->front().rev.value, 0U);
  ASSERT_FALSE(sink->warnings().empty());
  EXPECT_NE(sink->warnings().back().find("truncated or made anew"), std::string::npos);
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 60)).ok());
  EXPECT_EQ(kafka->revs("changes.contact"), range(1, 60)) << "what had arrived is not doubled";
  sink = kafka->sink();
  EXPECT_EQ(sink->open(kafka->orgs)->front().rev.value, 0U) << "nor taken for lost again";
  EXPECT_TRUE(sink->warnings().empty());
}

TEST_F(KafkaBroker, AMissingBrokerIsTransientAndTheSinkGoesOnAfterwards) {
  kafka->config.timeout = Millis(15'000);
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 9)).ok());
  kafka->config.timeout = Millis(1'000);
  auto impatient = kafka->sink();
  ASSERT_TRUE(impatient->open(kafka->orgs).ok());
  broker()->kill();
  const auto written = kafka->write(*impatient, kafka->updates(10, 19));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::Transient);
  broker()->restart();
  // The loop opens again until it works.
  Result<std::vector<Cursor>> opened = transient("not yet");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!opened && std::chrono::steady_clock::now() < until) {
    opened = impatient->open(kafka->orgs);
    if (!opened) {
      EXPECT_EQ(opened.error().kind, ErrorKind::Transient) << opened.error().message;
    }
  }
  ASSERT_TRUE(opened.ok());
  const auto again = kafka->write(*impatient, kafka->updates(opened->front().rev.value + 1, 25));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(kafka->revs("changes.contact"), range(1, 25));
}

TEST_F(KafkaBroker, APlatformEventThatIsRetriedStandsBehindLaterOnesAndSaysSo) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  kafka->maker.add(test::platform_event(4, "later"));
  ASSERT_TRUE(kafka->write(*sink, kafka->maker.entries()).ok());
  kafka->maker.clear();
  kafka->maker.add(test::platform_event(3, "refused at its turn"));
  const CursorMove stay{"emea", Rev(4), 1'700'000'000'000};
  ASSERT_TRUE(sink->write({kafka->maker.entries(), {&stay, 1}, Mode::Rewrite, true}).ok());
  kafka->maker.clear();
  kafka->maker.add(test::platform_event(5, "the next one"));
  ASSERT_TRUE(kafka->write(*sink, kafka->maker.entries()).ok());
  const auto told = kafka->read("events.Order_Event__e");
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].headers.at("rev"), "4");
  EXPECT_EQ(told[1].headers.at("rev"), "3");
  EXPECT_EQ(told[2].headers.at("rev"), "5");
  EXPECT_EQ(told[0].headers.count("retried"), 0U);
  EXPECT_EQ(told[1].headers.at("retried"), "true");
  EXPECT_EQ(told[2].headers.count("retried"), 0U);
}

TEST_F(KafkaBroker, AnEventThatMayStandBehindAnotherLedgersSaysSo) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  for (const std::uint64_t rev : {2, 4, 6}) kafka->maker.add(test::platform_event(rev, "one"));
  const CursorMove move{"emea", Rev(6), 1'700'000'000'000, Rev(5), Rev(3)};
  ASSERT_TRUE(sink->write({kafka->maker.entries(), {&move, 1}, Mode::Follow, true}).ok());
  const auto told = kafka->read("events.Order_Event__e");
  ASSERT_EQ(told.size(), 2U) << "2 was told before";
  EXPECT_EQ(told[0].headers.at("rev"), "4");
  EXPECT_EQ(told[0].headers.at("retried"), "true");
  EXPECT_EQ(told[1].headers.at("rev"), "6");
  EXPECT_EQ(told[1].headers.count("retried"), 0U);
}

// ---- transactions

class KafkaTransactions : public KafkaBroker {
 protected:
  void SetUp() override {
    KafkaBroker::SetUp();
    if (kafka) kafka->config.transactions = true;
  }
};

TEST_F(KafkaTransactions, ABatchAndItsCursorAreVisibleTogether) {
  auto sink = kafka->sink();
  const auto opened = sink->open(kafka->orgs);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 9)).ok());
  sink = kafka->sink();
  const auto cursors = sink->open(kafka->orgs);
  ASSERT_TRUE(cursors.ok());
  EXPECT_EQ(cursors->front().rev.value, 9U);
  EXPECT_EQ(cursors->front().epoch, 2U);
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 9));
}

TEST_F(KafkaTransactions, ARefusedBatchIsInvisibleToCommittedReaders) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  kafka->updates(1, 2);
  kafka->maker.add({.id = SinkFixture::id(7), .rev = 3, .fields = many_small_fields()});
  EXPECT_EQ(kafka->write(*sink, kafka->maker.entries()).error().kind, ErrorKind::Rejected);
  ASSERT_TRUE(kafka->write(*sink, kafka->maker.entries().subspan(0, 2)).ok());
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 2));
}

TEST_F(KafkaTransactions, ARecordThatTheCursorPassedIsWrittenAgainAndTheCursorStays) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 1)).ok());
  ASSERT_TRUE(kafka->touch(*sink, 5).ok());  // past rev 3, which was refused
  kafka->maker.clear();
  kafka->maker.add({.id = SinkFixture::id(7), .rev = 3, .fields = {{"name", "Ann"}}});
  const CursorMove stay{"emea", Rev(5), 1'700'000'000'000};
  const Batch again{kafka->maker.entries(), {&stay, 1}, Mode::Rewrite, true};
  ASSERT_TRUE(sink->write(again).ok());
  EXPECT_EQ(kafka->revs("changes.contact", true), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(kafka->revs("records.contact", true), (std::vector<std::uint64_t>{1, 3}));
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(6, 6)).ok()) << "and the journal goes on";
  sink = kafka->sink();
  EXPECT_EQ(sink->open(kafka->orgs)->front().rev.value, 6U);
}

TEST_F(KafkaTransactions, WhatACrashLeftOpenIsAbortedByTheNextOpen) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 3)).ok());
  sink.reset();
  {
    // A predecessor that dies between its messages and the commit.
    TopicEnds ends{{topic("changes.contact"), std::vector<std::int64_t>(6)}};
    auto dying = Producer::create(kafka->config, topic("headwater.emea"), ends);
    const auto until = std::chrono::steady_clock::now() + kafka->config.timeout;
    ASSERT_TRUE((*dying)->init_transactions(until).ok());
    ASSERT_TRUE((*dying)->begin().ok());
    HeaderList headers;
    headers.add("rev", "4");
    ASSERT_TRUE((*dying)
                    ->produce((*dying)->topic(topic("changes.contact")), "k", "v", headers, until)
                    .ok());
    ASSERT_TRUE((*dying)->wait(until).ok());
  }
  sink = kafka->sink();
  const auto cursors = sink->open(kafka->orgs);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ(cursors->front().rev.value, 3U);
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(4, 6)).ok());
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 6));
}

TEST_F(KafkaTransactions, AZombieIsFencedAndWritesNothing) {
  auto zombie = kafka->sink("here");
  ASSERT_TRUE(zombie->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*zombie, kafka->updates(1, 3)).ok());
  kafka->clock.advance_ms(31'000);
  auto heir = kafka->sink("there", "L2");
  const auto opened = heir->open(kafka->orgs);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->front().ledger, "L1");

  const auto late = kafka->write(*zombie, kafka->updates(4, 6));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::Fatal) << late.error().message;
  EXPECT_EQ(zombie->open(kafka->orgs).error().kind, ErrorKind::Fatal);
  ASSERT_TRUE(kafka->write(*heir, kafka->updates(100, 102)).ok());
  EXPECT_EQ(kafka->revs("changes.contact", true),
            (std::vector<std::uint64_t>{1, 2, 3, 100, 101, 102}));
}

TEST_F(KafkaTransactions, ALivingHolderIsNotFencedByTheLookOfARival) {
  auto sink = kafka->sink("here");
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  EXPECT_EQ(kafka->sink("there", "L2")->open(kafka->orgs).error().kind, ErrorKind::Blocked);
  EXPECT_TRUE(kafka->write(*sink, kafka->updates(1, 3)).ok());
}

TEST_F(KafkaTransactions, ATopicMadeAnewIsFilledAgainBySinksThatCommittedItsEntries) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 9)).ok());
  broker()->delete_topic(topic("changes.contact"));
  const auto cursors = sink->open(kafka->orgs);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ(cursors->front().rev.value, 0U);
  const auto written = kafka->write(*sink, kafka->updates(1, 9));
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 9));
}

TEST_F(KafkaTransactions, WhatOtherTopicsStillHoldIsNotCommittedTwiceWhenOneIsMadeAnew) {
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 9)).ok());
  const auto images = kafka->revs("records.contact", true);
  broker()->delete_topic(topic("changes.contact"));
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 4)).ok());
  sink = kafka->sink();
  ASSERT_EQ(sink->open(kafka->orgs)->front().rev.value, 4U) << "a crash on the way";
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(5, 9)).ok());
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 9));
  EXPECT_EQ(kafka->revs("records.contact", true), images);
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(10, 12)).ok());
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 12));
}

TEST_F(KafkaTransactions, ATouchKeepsTheClaimFresh) {
  auto sink = kafka->sink("here");
  ASSERT_TRUE(sink->open(kafka->orgs).ok());
  ASSERT_TRUE(kafka->write(*sink, kafka->updates(1, 3)).ok());
  kafka->clock.advance_ms(31'000);
  ASSERT_TRUE(kafka->touch(*sink, 3).ok());
  const auto rival = kafka->sink("there", "L2")->open(kafka->orgs);
  ASSERT_FALSE(rival.ok());
  EXPECT_EQ(rival.error().kind, ErrorKind::Blocked);
}

TEST_F(KafkaTransactions, OrgsAreOneTransactionEach) {
  const std::vector<std::string> two{"apac", "emea"};
  auto sink = kafka->sink();
  ASSERT_TRUE(sink->open(two).ok());
  kafka->maker.add({.rev = 1, .org = "emea"});
  kafka->maker.add({.rev = 2, .org = "apac"});
  const CursorMove moves[] = {{"emea", Rev(2), 0}, {"apac", Rev(2), 0}};
  const auto written = sink->write({kafka->maker.entries(), moves, Mode::Follow});
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(kafka->revs("changes.contact", true), range(1, 2));
  const auto again = kafka->sink()->open(two);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)[0].rev.value, 2U);
  EXPECT_EQ((*again)[1].rev.value, 2U);
}

}  // namespace
}  // namespace headwater::kafka
