// What Kafka's topics may not say: each of these is planted in a log that is right otherwise.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/verify/verifier.hpp"
#include "tests/unit/verify/fake_log.hpp"

namespace headwater::verify {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kA = "demo:Account:0015f0000000001AAA", kB = "demo:Account:0015f0000000002AAA";
const std::string kChanges = "crm.changes.account", kRecords = "crm.records.account";

std::string image(const std::string& key, std::uint64_t rev) {
  return fmt::format(
      R"({{"key":"{}","entity":"account","fields":{{"name":"n{}"}},"extra":{{}},"raw":{{}},)"
      R"("refs":{{}},"meta":{{"rev":{},"complete":true,"deleted":false}}}})",
      key,
      rev,
      rev);
}

/// Two records, each created and changed: A by revs 1 and 3, B by 2 and 4.
struct Log : testing::Test {
  std::unique_ptr<FakeLog> log = std::make_unique<FakeLog>();
  bool transactions = false;
  std::string events = "[]";  // in the journal

  Log() {
    for (const auto& [key, rev, before] :
         {std::tuple{kA, 1U, 0U}, {kB, 2U, 0U}, {kA, 3U, 1U}, {kB, 4U, 2U}}) {
      change(key, rev, before);
      record(key, rev);
    }
  }
  std::string envelope(const std::string& key, std::uint64_t rev, std::uint64_t before, char op) {
    return fmt::format(R"({{"op":"{}","before":{},"after":{}}})",
                       op,
                       before == 0 ? "null" : image(key, before),
                       image(key, rev));
  }
  void change(const std::string& key, std::uint64_t rev, std::uint64_t before) {
    const auto value = envelope(key, rev, before, before == 0 ? 'c' : 'u');
    log->messages.push_back({kChanges, key, value, rev});
  }
  void record(const std::string& key, std::uint64_t rev) {
    log->messages.push_back({kRecords, key, image(key, rev), rev});
  }
  /// The change of rev 1 to 4.
  FakeLog::Message& of(std::uint64_t rev) { return log->messages[(rev - 1) * 2]; }
  FakeLog::Message& record_of(std::uint64_t rev) { return log->messages[rev * 2 - 1]; }
  void again(std::uint64_t rev, std::uint64_t epoch) {
    log->messages.push_back(of(rev));
    log->messages.back().epoch = epoch;
  }
  void event(std::uint64_t rev, std::uint64_t epoch) {
    log->messages.push_back(
        {"crm.events.A__e",
         "demo:A__e",
         fmt::format(R"({{"source":{{"topic":"/event/A__e","replay_id":"{}","event_uuid":"u"}}}})",
                     rev),
         rev,
         epoch});
  }

  Result<std::string> answer(const std::string& line) {
    if (line == "status") return std::string(R"({"ledger":{"id":"L1","head_rev":9},"streams":[]})");
    if (line == "records")
      return "{\"last\":\"\",\"records\":[\n" + image(kA, 3) + ",\n" + image(kB, 4) + "\n]}\n";
    if (line.starts_with("get ")) return image(line.substr(4), line.ends_with(kA) ? 3 : 4);
    if (line.starts_with("heads ")) return std::string(R"([{"rev":3,"deleted":false}])");
    if (line.starts_with("facts ")) return std::string("{}");
    if (line.starts_with("journal "))
      return std::string(R"({"entries":[],"done":true,"read_to":0})");
    if (line.starts_with("events "))
      return fmt::format(R"({{"events":{},"first":0,"birth":0,"done":true,"read_to":0}})", events);
    return std::string("[]");
  }
  Outcome verify() {
    log->cursor_rev = 9;
    Places places;
    places.orgs.push_back({"demo", nullptr, {}, {}});
    places.platform_events = events != "[]";
    places.logs.push_back({"kafka", std::move(log), transactions, true});
    Patience patience;
    patience.wait = Millis(0);
    const SystemClock clock;
    const auto ask = [this](const std::string& line) { return answer(line); };
    auto outcome = Verifier(LedgerView(ask), std::move(places), patience, clock).run();
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    return std::move(outcome).value();
  }
  /// `check: what` of each difference.
  std::vector<std::string> differences() {
    std::vector<std::string> out;
    for (const auto& one : verify().differences) out.push_back(one.check + ": " + one.what);
    return out;
  }
};

TEST_F(Log, AHealthyOneIsEqual) { EXPECT_THAT(differences(), IsEmpty()); }

TEST_F(Log, ADeadWritersLateCopyIsCountedAndNoDifference) {
  of(3).epoch = of(4).epoch = 2;
  again(3, 1);
  again(4, 1);
  const auto outcome = verify();
  EXPECT_THAT(outcome.differences, IsEmpty());
  const auto changes = std::ranges::find(outcome.checks, "kafka changes", &Check::name);
  EXPECT_EQ(changes->note, "2 late repeats dropped by the consumer rule");
}

TEST_F(Log, AChangeThatItsWriterToldTwiceIsADifference) {
  again(4, 1);
  EXPECT_THAT(differences(),
              ElementsAre("kafka changes: changes: the change with rev 4 came twice, in epoch 1 "
                          "and in epoch 1"));
}

TEST_F(Log, OneThatADeadWriterToldTwiceIsADifferenceThoughItCameLate) {
  of(4).epoch = 2;
  again(3, 1);
  EXPECT_THAT(differences(), Contains(HasSubstr("rev 3 came twice, in epoch 1 and in epoch 1")));
}

TEST_F(Log, OneThatAnHeirFoundAndToldAgainIsADifference) {
  again(3, 2);
  EXPECT_THAT(differences(),
              ElementsAre("kafka changes: changes: the change with rev 3 came twice, in epoch 1 "
                          "and in epoch 2"));
}

TEST_F(Log, AChangeBehindLaterOnesIsADifferenceForReadersDropIt) {
  std::swap(of(3), of(4));
  EXPECT_THAT(differences(),
              ElementsAre("kafka changes: changes: the change with rev 3 came behind rev 4 of its "
                          "partition, where readers drop it"));
}

TEST_F(Log, AStateBehindLaterChangesIsOneUnlessThePartitionLostItsBeginning) {
  for (const bool cut : {false, true}) {
    log = std::make_unique<FakeLog>();
    log->begins_at = cut ? 7 : 0;
    change(kB, 2, 0);
    change(kB, 4, 2);
    log->messages.push_back({kChanges, kA, envelope(kA, 3, 0, 'r'), 3});
    record(kA, 3);
    record(kB, 4);
    EXPECT_EQ(differences().size(), cut ? 0U : 1U);
  }
}

TEST_F(Log, AChangeThatAStateOfItsRecordHoldsAlreadyIsNone) {
  // A materialization told A as rev 3 before it was cut short; then the journal was followed.
  log = std::make_unique<FakeLog>();
  change(kB, 2, 0);
  log->messages.push_back({kChanges, kA, envelope(kA, 3, 0, 'r'), 3});
  change(kA, 1, 0);
  change(kB, 4, 2);
  record(kA, 3);
  record(kB, 4);
  EXPECT_THAT(differences(), IsEmpty());
}

TEST_F(Log, WithTransactionsNothingComesLate) {
  transactions = true;
  of(3).epoch = of(4).epoch = 2;
  again(3, 1);
  EXPECT_THAT(differences(),
              ElementsAre("kafka changes: 1 messages came twice, though in transactions"));
}

TEST_F(Log, WhatIsNoEnvelopeIsNamed) {
  of(3).value = "{}";
  EXPECT_THAT(differences(), Contains(HasSubstr("the change with rev 3 is no envelope")));
}

TEST_F(Log, AFirstChangeThatBuildsOnAnotherIsNamed) {
  of(1).value = envelope(kA, 1, 7, 'u');
  EXPECT_THAT(differences(),
              Contains(HasSubstr("its first change, rev 1, builds on rev 7, which never came")));
}

TEST_F(Log, ARecordWithAnotherImageIsNamed) {
  record_of(3).value = image(kA, 8);
  EXPECT_THAT(differences(),
              Contains(HasSubstr("records: the message with the ledger's rev holds another")));
}

TEST_F(Log, ALastChangeWithAnotherImageIsNamed) {
  of(3).value = envelope(kA, 8, 1, 'u');
  EXPECT_THAT(differences(),
              Contains(HasSubstr("changes: the last change's image is not the ledger's")));
}

TEST_F(Log, ARecordThatLivesOnUnderItsObjectsEntityOfBeforeIsNamed) {
  log->messages.push_back({"crm.records.contact", kA, image(kA, 1), 1});
  EXPECT_THAT(differences(),
              Contains(HasSubstr("records: it lives on in crm.records.contact, the topic of the")));
}

TEST_F(Log, ARecordThatIsMissingIsNamed) {
  std::erase_if(log->messages, [](const auto& m) { return m.topic == kRecords && m.key == kA; });
  EXPECT_THAT(differences(), Contains(HasSubstr("kafka records = ledger: records: ")));
}

TEST_F(Log, ARecordThatIsGoneThoughItLivesIsNamed) {
  log->messages.push_back({kRecords, kA, std::nullopt, 3});
  EXPECT_THAT(differences(), Contains(HasSubstr("kafka records = ledger: records: ")));
}

TEST_F(Log, APlatformEventThatCameBehindLaterOnesIsADifference) {
  events = R"([{"org":"demo","topic":"/event/A__e","replay_id":"5","uuid":"u","rev":5}])";
  event(5, 1);
  event(5, 1);
  EXPECT_THAT(differences(),
              ElementsAre("platform events: kafka: the event with rev 5 at offset 1 of partition 0 "
                          "of crm.events.A__e came behind rev 5, where readers drop it"));
}

TEST_F(Log, APlatformEventsLateCopyIsADifferenceWithTransactionsAlone) {
  for (const bool with : {false, true}) {
    log = std::make_unique<FakeLog>();
    for (const auto& [key, rev] : {std::pair{kA, 3U}, {kB, 4U}}) {
      change(key, rev, 0);
      record(key, rev);
    }
    transactions = with;
    events = R"([{"org":"demo","topic":"/event/A__e","replay_id":"5","uuid":"u","rev":5}])";
    event(5, 2);
    event(5, 1);
    std::vector<std::string> expected;
    if (with)
      expected.emplace_back("platform events: kafka: 1 events came twice, though in transactions");
    EXPECT_EQ(differences(), expected);
  }
}

}  // namespace
}  // namespace headwater::verify
