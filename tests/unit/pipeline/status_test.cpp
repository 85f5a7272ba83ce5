#include "daemon/status.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "daemon/answer.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;
using test::account;

class StatusTest : public test::PipelineTest {
 protected:
  StatusSources sources() const {
    return {*ledger, health, {}, {{"emea", test::kTopic}}, "1.2.3", clock.now_ms()};
  }
  std::vector<std::string> reasons() const { return not_ready(sources(), clock); }
  boost::json::value ask(const std::string& line) {
    return boost::json::parse(answer(line, sources(), *ledger, clock));
  }
  static std::string text(const boost::json::value& value) {
    return boost::json::value_to<std::string>(value);
  }
  void open_hole(ledger::Hole::Scope scope, const std::string& object, const std::string& cause) {
    ledger::Hole hole;
    hole.scope = scope;
    hole.org = "emea";
    hole.object = object;
    if (scope == ledger::Hole::Scope::Stretch) hole.topic = test::kTopic;
    hole.cause = cause;
    ASSERT_TRUE(ledger->open_hole(hole));
  }
};

TEST_F(StatusTest, ReadyIsADaemonWithoutAnythingAmiss) {
  health.add("a", Millis(1'000)).set(PartState::Ok);
  health.add("b", Millis(1'000)).set(PartState::Waiting, "tries again");
  EXPECT_TRUE(reasons().empty()) << "what mends itself is no reason";
}

TEST_F(StatusTest, PartsThatStartOrNeedAPersonAreToldInASentence) {
  health.add("stream", Millis(1'000));
  health.add("sink kafka", Millis(1'000)).set(PartState::Blocked, "topic missing: create it");
  health.add("sink redis", Millis(1'000)).set(PartState::Fatal, "fenced");
  health.add("org", Millis(1'000)).set(PartState::Stopped);
  EXPECT_EQ(reasons(),
            (std::vector<std::string>{"stream is starting: not yet at work",
                                      "sink kafka is blocked: topic missing: create it",
                                      "sink redis is fatal: fenced"}));
}

TEST_F(StatusTest, StretchAndObjectHolesCountAtOnce) {
  open_hole(ledger::Hole::Scope::Stretch, "", "expired");
  open_hole(ledger::Hole::Scope::Object, "Contact", "overflow");
  auto told = reasons();
  std::ranges::sort(told);
  EXPECT_EQ(told,
            (std::vector<std::string>{
                "object hole open since 2026-03-01T12:00:00.000Z: overflow Contact",
                "stretch hole open since 2026-03-01T12:00:00.000Z: expired " + test::kTopic}));
}

TEST_F(StatusTest, ARecordHoleCountsAfterFiveMinutes) {
  apply({{account(1), 1, "A", false}});
  ASSERT_EQ(ledger->holes_open(), 1U);
  clock.ms += 5 * 60'000 - 1;
  EXPECT_TRUE(reasons().empty());
  clock.ms += 1;
  EXPECT_EQ(
      reasons(),
      (std::vector<std::string>{
          "record hole open since 2026-03-01T12:00:00.000Z: incomplete Account " + account(1)}));
}

TEST_F(StatusTest, StatusShowsEveryHoleAtOnce) {
  apply({{account(1), 1, "A", false}});
  const auto status = ask("status");
  EXPECT_TRUE(status.at("ready").as_bool());
  ASSERT_EQ(status.at("holes").as_array().size(), 1U);
  EXPECT_EQ(status.at("holes").at(0).at("scope"), "record");
  EXPECT_EQ(text(status.at("holes").at(0).at("id")), account(1));
  EXPECT_EQ(status.at("holes_open").to_number<int>(), 1);
}

TEST_F(StatusTest, StatusTellsPartsStreamsAndLedger) {
  auto& part = health.add("stream", Millis(1'000));
  part.set(PartState::Blocked, "say \"please\"");
  ASSERT_TRUE(ledger->save_position({"emea", test::kTopic}, ReplayId("\x01\xff")));
  clock.ms += 2'500;
  const auto status = ask("status");
  EXPECT_EQ(status.at("version"), "1.2.3");
  EXPECT_FALSE(status.at("ready").as_bool());
  EXPECT_EQ(status.at("parts").at(0).at("why"), "say \"please\"");
  EXPECT_EQ(status.at("parts").at(0).at("stuck_ms").to_number<int>(), 2'500);
  EXPECT_EQ(status.at("streams").at(0).at("position"), "01ff");
  EXPECT_EQ(status.at("streams").at(0).at("position_age_seconds"), 2.5);
  EXPECT_EQ(text(status.at("ledger").at("id")), ledger->id());
}

TEST_F(StatusTest, GetGivesTheRecord) {
  create_accounts(1, 1);
  const auto record = ask("get emea:Account:" + account(1));
  EXPECT_EQ(text(record.at("key")), "emea:Account:" + account(1));
}

TEST_F(StatusTest, WhatCannotBeAnsweredIsSaidAsAnError) {
  EXPECT_EQ(ask("reboot").at("error"), "unknown command; known are status, get, holes, quarantine");
  EXPECT_EQ(ask("get emea:Account:" + account(9)).at("error"),
            "the ledger has never seen this record");
  EXPECT_TRUE(ask("get").as_object().contains("error"));
  EXPECT_TRUE(ask("get \"\\").as_object().contains("error")) << "quotes stay valid JSON";
}

TEST_F(StatusTest, QuarantineTellsEverythingButTheBytes) {
  ledger::QuarantineRow row;
  row.org = "emea";
  row.stage = "decode";
  row.reason_code = "undecodable";
  row.replay_id = "\x01";
  row.payload = "secret value";
  ASSERT_TRUE(ledger->quarantine({&row, 1}));
  const auto rows = ask("quarantine");
  EXPECT_EQ(rows.at(0).at("reason_code"), "undecodable");
  EXPECT_EQ(rows.at(0).at("payload_bytes").to_number<int>(), 12);
  EXPECT_EQ(boost::json::serialize(rows).find("secret value"), std::string::npos);
}

}  // namespace
}  // namespace headwater
