#include "daemon/status.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "daemon/answer.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;
using test::account;

class StatusTest : public test::PipelineTest {
 protected:
  audit::Desk desk;

  StatusSources sources() const {
    return {*ledger, health, {}, {{"emea", test::kTopic}}, "1.2.3", clock.now_ms()};
  }
  std::vector<std::string> reasons() const { return not_ready(sources(), clock); }
  boost::json::value ask(const std::string& line, runtime::Peer peer = {0, "root", true}) {
    std::string said;
    Orders orders(*ledger, clock, [this](RetryRequest& request) { return try_again(request); });
    AuditOrders audits(desk, *ledger, health, {"emea"});
    answer({line, std::move(peer)},
           sources(),
           *ledger,
           clock,
           orders,
           audits,
           [&](std::string document) { said = std::move(document); });
    boost::json::parse_options deep;
    deep.max_depth = 256;
    return boost::json::parse(said, {}, deep);
  }
  std::string error(const std::string& line, runtime::Peer peer = {0, "root", true}) {
    return text(ask(line, std::move(peer)).at("error"));
  }
  static runtime::Peer reader() { return {1000, "eve", false}; }
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
  /// An entry that a sink refused, with a record in its bytes; `json`: the text of a value in it.
  /// Gives its number.
  std::string refuse_account(const std::string& json = {}) {
    create_accounts(1, 1);
    EntryBatch batch;
    EXPECT_TRUE(ledger->read(Rev{0}, 1, 1 << 20, batch));
    EntryView entry = batch.entries()[0];
    const Member member{0, ValueView::of_text(json, Tag::Json)};
    if (!json.empty()) entry.after.sections[0] = {&member, 1};
    ledger::QuarantineRow row;
    row.org = "emea";
    row.object = "Account";
    row.id = account(1);
    row.stage = "sink.postgres";
    row.reason_code = "23514";
    row.reason = "a check constraint is violated";
    row.entry_rev = batch.entries()[0].meta.rev;
    put_entry(row.payload, entry);
    EXPECT_TRUE(ledger->quarantine({&row, 1}));
    return std::to_string(ledger->quarantined().at(0).rev.value);
  }

  TryAgain try_again = [](RetryRequest& request) -> Result<void> {
    request.done(std::string("went through"));
    return {};
  };
};

TEST_F(StatusTest, ReadyIsADaemonWithoutAnythingAmiss) {
  health.add("a", Millis(1'000)).set(PartState::Ok);
  health.add("b", Millis(1'000)).set(PartState::Waiting, "tries again");
  EXPECT_TRUE(reasons().empty()) << "what mends itself is no reason";
}

TEST_F(StatusTest, AnObjectWhoseFirstReadingIsNotOverKeepsItFromBeingReady) {
  StatusSources with = sources();
  with.snapshots = {{"emea", "Account"}, {"emea", "Lead"}};
  ledger::ReadJob job;
  job.org = "emea";
  job.object = "Account";
  job.why = ledger::ReadJob::Why::Snapshot;
  const auto added = ledger->add_job(job);
  ASSERT_TRUE(added);
  const auto reading = [&](const std::string& error) {
    ASSERT_TRUE(ledger->change_job(added->number, [&](ledger::ReadJob& it) {
      it.state = ledger::ReadJob::State::Reading;
      it.rows = 12;
      it.expected = 400;
      it.error = error;
    }));
  };
  reading("");
  EXPECT_EQ(not_ready(with, clock),
            (std::vector<std::string>{
                "org emea: Account is not read in yet: job 1, reading, 12 of 400 records",
                "org emea: Lead is not read in yet: it waits for its streams to begin"}));
  reading("HTTP 503");
  EXPECT_EQ(not_ready(with, clock).at(0),
            "org emea: Account is not read in yet: job 1, reading, 12 of 400 records; HTTP 503");
  ASSERT_TRUE(ledger->change_job(added->number, [](ledger::ReadJob& it) {
    it.state = ledger::ReadJob::State::Settling;
    it.settling = ledger::ReadJob::Settling::Waiting;
  }));
  ASSERT_TRUE(*ledger->settle_job(added->number, 10));
  EXPECT_EQ(not_ready(with, clock).size(), 1U) << "Account is read in, Lead is not";
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

TEST_F(StatusTest, ARowWithAnyValueIsShown) {
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_TRUE(ask("quarantine show " + refuse_account(deep)).as_object().contains("record"));
}

TEST_F(StatusTest, ARowWhoseValueIsNoJsonIsSaidToBeUnreadable) {
  EXPECT_TRUE(ask("quarantine show " + refuse_account("[")).as_object().contains("unreadable"));
}

TEST_F(StatusTest, AnObjectThatTheOrgHasNotIsNotReadAgain) {
  EXPECT_TRUE(ask("resync - Early").as_object().contains("done")) << "the org was not asked yet";
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {{"003", "Contact"}}}));
  create_accounts(1, 1);
  for (const char* line :
       {"resync - Nope", "resync emea Nope confirm", "resync - Nope ids 0015f"}) {
    EXPECT_EQ(error(line),
              "org emea has no object Nope: give its API name, such as Account or Invoice__c, as "
              "the org writes it; the org is asked for its list again now, so if the object is "
              "new, say it again in ten seconds");
  }
  EXPECT_EQ(ledger::AuditBook(*ledger).kept("wanted:emea:")->size(), 1U);
  EXPECT_EQ(ledger->jobs().size(), 1U);
  EXPECT_TRUE(ask("resync - Contact").as_object().contains("done")) << "the org has it";
  EXPECT_TRUE(ask("resync - Account").as_object().contains("done")) << "we have records of it";
}

TEST_F(StatusTest, ACommandThatIsNoUtf8IsRefusedAndNotQuoted) {
  EXPECT_EQ(ask("get emea:Acc\xffunt:" + account(9)).at("error"),
            "a command is UTF-8 text, and this is not");
}

TEST_F(StatusTest, AnAuditWhoseOrgHasStoppedForGoodDoesNotLetOneWait) {
  auto& worker = health.add("org emea", std::chrono::seconds{60});
  EXPECT_EQ(ask("audit start by=ada org=* object=*").at("run").as_int64(), 1);
  EXPECT_FALSE(ask("audit show 1").at("done").as_bool());
  worker.fail(fatal("ledger: scan: Corruption"));
  EXPECT_EQ(error("audit show 1"),
            "audit 1 does not end: org emea is fatal: ledger: scan: Corruption");
  desk.finished(1, "emea");
  EXPECT_TRUE(ask("audit show 1").at("done").as_bool()) << "it was through before";
}

TEST_F(StatusTest, WhatCannotBeAnsweredIsSaidAsAnError) {
  EXPECT_EQ(ask("reboot").at("error"),
            "unknown command; known are status, get, holes, quarantine, resync, jobs, audit");
  EXPECT_EQ(ask("get emea:Account:" + account(9)).at("error"),
            "the ledger has never seen this record; if org emea has it, `headwater resync Account "
            "--ids FILE` reads it");
  EXPECT_EQ(ask("get apac:Account:" + account(9)).at("error"),
            "no org apac is configured; there are: emea");
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

TEST_F(StatusTest, ShowTellsNamesAndOnlyAnOperatorSeesValues) {
  const std::string number = refuse_account();
  for (const auto& peer : {runtime::Peer{0, "root", true}, reader()}) {
    const auto row = ask("quarantine show " + number, peer);
    EXPECT_EQ(text(row.at("record").at("key")), "emea:Account:" + account(1));
    EXPECT_EQ(text(row.at("record").at("fields").at("name")), "***");
    EXPECT_EQ(boost::json::serialize(row).find("N1"), std::string::npos);
  }
  EXPECT_EQ(error("quarantine show " + number + " values", reader()),
            "field values: user eve may read but not operate: ask as root, or as the user that "
            "headwaterd runs as");
  const auto row = ask("quarantine show " + number + " values");
  EXPECT_EQ(text(row.at("record").at("fields").at("name")), "N1");
}

TEST_F(StatusTest, BytesOfAnEventAreValuesToo) {
  ledger::QuarantineRow event;
  event.org = "emea";
  event.topic = test::kTopic;
  event.stage = "decode";
  event.reason_code = "undecodable";
  event.replay_id = "r1";
  event.payload = "\x01\xff";
  ASSERT_TRUE(ledger->quarantine({&event, 1}));
  const std::string number = std::to_string(ledger->quarantined().at(0).rev.value);
  EXPECT_TRUE(ask("quarantine show " + number, reader()).at("payload_hex").is_null());
  EXPECT_EQ(text(ask("quarantine show " + number + " values").at("payload_hex")), "01ff");
}

TEST_F(StatusTest, DiscardKeepsWhoWhenAndWhyAndIsShownAmongAll) {
  const std::string number = refuse_account();
  EXPECT_EQ(error("quarantine discard " + number + " by=alice"),
            "give a reason: it is kept with your name for those who ask later");
  EXPECT_EQ(ledger->quarantine_open(), 1U);
  const auto said = ask("quarantine discard " + number + " by=alice test data of ours");
  EXPECT_EQ(text(said.at("done")), "row " + number + " is discarded by alice, as root");
  EXPECT_TRUE(ask("quarantine").as_array().empty());
  const auto row = ask("quarantine list all").at(0);
  EXPECT_EQ(text(row.at("status")), "discarded");
  EXPECT_EQ(text(row.at("closed_by")), "alice, as root");
  EXPECT_EQ(text(row.at("evidence")), "test data of ours");
  EXPECT_EQ(text(row.at("closed_at")), "2026-03-01T12:00:00.000Z");
  EXPECT_EQ(error("quarantine discard " + number + " again"),
            "row " + number + " is discarded since 2026-03-01T12:00:00.000Z");
  EXPECT_EQ(error("quarantine retry " + number),
            "row " + number + " is discarded since 2026-03-01T12:00:00.000Z");
}

TEST_F(StatusTest, RetryHandsTheRowOnAndTellsWhatCameOfIt) {
  const std::string number = refuse_account();
  ledger::QuarantineRow seen;
  std::string by;
  try_again = [&](RetryRequest& request) -> Result<void> {
    seen = request.row;
    by = request.by;
    request.done(rejected("refused again"));
    return {};
  };
  EXPECT_EQ(error("quarantine retry " + number + " by=root"),
            "row " + number + " stays: refused again");
  EXPECT_EQ(std::to_string(seen.rev.value), number);
  EXPECT_FALSE(seen.payload.empty());
  EXPECT_EQ(by, "root") << "a claim that the kernel confirms is said once";
  try_again = [](RetryRequest& request) -> Result<void> {
    request.done(std::string("postgres accepted it"));
    return {};
  };
  EXPECT_EQ(text(ask("quarantine retry " + number).at("done")),
            "row " + number + " is closed: postgres accepted it");
  try_again = [](RetryRequest&) -> Result<void> { return rejected("no sink.x is configured"); };
  EXPECT_EQ(error("quarantine retry " + number),
            "row " + number + " stays: no sink.x is configured");
}

TEST_F(StatusTest, AHoleThatAPersonAcceptsIsNeverShownAsRepaired) {
  open_hole(ledger::Hole::Scope::Stretch, "", "undecodable");
  ASSERT_EQ(reasons().size(), 1U);
  const auto open = ask("holes").at(0);
  EXPECT_EQ(text(open.at("status")), "open");
  const std::string number = boost::json::serialize(open.at("number"));
  EXPECT_EQ(error("holes close " + number + " by=alice"),
            "give a reason: it is kept with your name for those who ask later");
  ASSERT_EQ(reasons().size(), 1U);
  const auto said = ask("holes close " + number + " by=alice a load test of ours");
  EXPECT_EQ(text(said.at("done")),
            "hole " + number +
                " is accepted by alice, as root, not repaired: what it may hide stays unknown");
  EXPECT_TRUE(reasons().empty()) << "/readyz is well again";
  EXPECT_TRUE(ask("holes").as_array().empty());
  const auto closed = ask("holes all").at(0);
  EXPECT_EQ(text(closed.at("status")), "accepted");
  EXPECT_EQ(text(closed.at("closed_by")), "alice, as root");
  EXPECT_EQ(text(closed.at("evidence")), "a load test of ours");
  EXPECT_EQ(error("holes close " + number + " again"), "there is no open hole " + number);
}

TEST_F(StatusTest, WhoMayOnlyReadChangesNothing) {
  const std::string number = refuse_account();
  open_hole(ledger::Hole::Scope::Stretch, "", "undecodable");
  const std::string hole = std::to_string(ledger->holes().at(0).rev.value);
  for (const std::string& line : {"quarantine retry " + number,
                                  "quarantine discard " + number + " by=root because",
                                  "holes close " + hole + " by=root because"}) {
    EXPECT_EQ(error(line, reader()),
              "user eve may read but not operate: ask as root, or as the user that headwaterd runs "
              "as")
        << line;
  }
  EXPECT_EQ(ledger->quarantine_open(), 1U);
  EXPECT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ask("quarantine", reader()).as_array().size(), 1U);
}

TEST_F(StatusTest, NumbersThatAreNoneAreSaidSo) {
  EXPECT_EQ(error("quarantine show 77"), "there is no quarantine row 77");
  EXPECT_EQ(error("quarantine retry 77"), "there is no quarantine row 77");
  EXPECT_EQ(error("quarantine discard 77 because"), "there is no quarantine row 77");
  for (const char* number : {"", "x", "7x", "-1", "0", "99999999999999999999999"}) {
    EXPECT_EQ(error(std::string("quarantine show ") + number),
              "which row? give its number, as `quarantine list` shows it")
        << number;
    EXPECT_TRUE(error(std::string("holes close ") + number).starts_with("which hole? give its"))
        << number;
  }
  EXPECT_EQ(error("quarantine eat 7"),
            "unknown command; known are quarantine list, show, retry, discard");
}

}  // namespace
}  // namespace headwater
