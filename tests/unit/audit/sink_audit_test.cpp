#include "daemon/audit/sink_audit.hpp"

#include <boost/json.hpp>
#include <functional>
#include <set>
#include <utility>

#include "schemas/model/render.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater::audit {
namespace {

namespace json = boost::json;
using test::account;

/// A target in memory. It takes what a sink would write, and a test may spoil it.
struct Target {
  std::map<std::string, Held> held;
  std::optional<Cursor> cursor;
  std::optional<Error> refusal;
  int opened = 0, swept = 0;
  bool log = false;
  std::function<void()> on_read;  ///< before the next records are read
};

class Reader final : public TargetReader {
 public:
  explicit Reader(Target& target) : target_(target) {}
  Result<void> open() override {
    ++target_.opened;
    if (target_.refusal) return *target_.refusal;
    return {};
  }
  Result<std::optional<Cursor>> cursor(const std::string&) override { return target_.cursor; }
  Result<std::vector<std::optional<Held>>> read(std::span<const RecordName> names) override {
    if (target_.on_read) std::exchange(target_.on_read, nullptr)();
    std::vector<std::optional<Held>> out;
    for (const auto& name : names) {
      const auto at = target_.held.find(name.rkey);
      out.push_back(at == target_.held.end() ? std::nullopt : std::optional(at->second));
    }
    return out;
  }
  Result<void> each_key(const std::string&, const KeyVisitor& visit) override {
    ++target_.swept;
    for (const auto& [rkey, held] : target_.held) {
      if (held.deleted && !target_.log) continue;
      if (auto done = visit({&rkey, 1}); !done) return done;
    }
    return {};
  }
  bool is_log() const override { return target_.log; }

 private:
  Target& target_;
};

class SinkAuditTest : public test::PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    create_accounts(1, 500);
    write();
    restart();
  }
  void restart() {
    audit.emplace(SinkAudit::Parts{"redis",
                                   {"emea"},
                                   [this] { return std::make_unique<Reader>(target); },
                                   *ledger,
                                   audit_options,
                                   desk,
                                   clock,
                                   health.add("audit redis", Millis(60'000)),
                                   metrics,
                                   [this] { return snapshots; }});
  }
  /// What a sink does: every state that is new to it, and the cursor.
  void write() {
    EntryBatch batch;
    std::string last;
    ASSERT_TRUE(ledger->read_keys("", 10'000, 1U << 30, batch, last));
    for (const auto& entry : batch.entries()) {
      if (target.cursor && entry.meta.rev <= target.cursor->rev) continue;
      Held& held = target.held[std::string(entry.rkey)];
      if (held.rev >= entry.meta.rev) continue;
      held.rev = entry.meta.rev;
      held.deleted = entry.meta.deleted;
      held.text.clear();
      append_record_json(held.text, entry);
    }
    target.cursor = Cursor{"emea", ledger->id(), ledger->head(), 1, {}};
  }
  std::string key(int number) { return "emea:Account:" + account(number); }
  /// Until the next receipt.
  json::object run() {
    clock.ms += 24 * 3'600'000;
    return run_for(3'600'000);
  }
  json::object run_for(std::int64_t ms) {
    const auto count = [this] { return Receipts(*ledger).list("sinks", "redis")->size(); };
    const auto before = count();
    for (const auto until = clock.ms + ms; clock.ms <= until;) {
      const auto stepped = audit->step();
      if (stepped.next == Step::Next::Wait) clock.ms = std::max(clock.ms, stepped.until_ms);
      answer_strays();
      if (sink_back_at > 0 && clock.ms >= sink_back_at) sink_works = true;
      if (sink_works && target.cursor->rev < ledger->head()) write();
      if (count() > before)
        return json::parse(Receipts(*ledger).list("sinks", "redis")->back()).as_object();
    }
    ADD_FAILURE() << "no receipt";
    return {};
  }
  /// What the org says of those that are asked for by id: nothing is there.
  void answer_strays() {
    if (!org_answers) return;
    const auto due = ledger->due_refetches("emea", clock.now_ms(), 100);
    std::vector<ledger::Row> rows;
    for (const auto& hole : due) {
      ledger::Row row;
      row.id = *RecordId::parse(hole.id);
      row.present = false;
      rows.push_back(row);
    }
    if (rows.empty()) return;
    ledger::RowBatch batch;
    batch.org = "emea";
    batch.object = "Account";
    batch.noted = *ledger->note_version("emea");
    batch.rows = rows;
    ASSERT_TRUE(ledger->apply_rows(batch));
  }
  /// A record that an earlier ledger told, and that went before this one was born.
  void leave_behind(int number) {
    Held& held = target.held[key(number)];
    held.rev = Rev{7};
    held.text = "{}";
  }
  /// An event tells that it went.
  void remove(int number) {
    const std::string id = account(number);
    const std::string_view ids[] = {id};
    EventView view;
    view.type = ChangeType::Delete;
    view.entity = "Account";
    view.record_ids = ids;
    view.version.commit_number = 9'000;
    view.version.sequence = 1;
    view.commit_ts = 1'772'366'400'000 + 9'000'000;
    ledger::IngestBatch batch;
    batch.stream = {"emea", test::kTopic};
    batch.events = {&view, 1};
    ASSERT_TRUE(ledger->apply(batch));
  }
  static std::set<std::string> findings(const json::object& receipt) {
    std::set<std::string> out;
    for (const auto& finding : receipt.at("findings").as_array())
      out.emplace(finding.at("id").as_string());
    return out;
  }

  Target target;
  bool sink_works = true, org_answers = true;
  std::int64_t sink_back_at = 0;  ///< by the clock: it works from then on
  SinkAudit::Snapshots snapshots;
  AuditOptions audit_options;
  Desk desk;
  std::optional<SinkAudit> audit;
};

TEST_F(SinkAuditTest, WhatIsEqualIsLeftAlone) {
  audit->step();  // learns when it is due
  const Rev head = ledger->head();
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "equal");
  EXPECT_EQ(receipt.at("compared"), 500);
  EXPECT_EQ(ledger->head(), head);
}

TEST_F(SinkAuditTest, WhatIsSpoiledIsFoundAndToldAgain) {
  audit->step();
  auto& text = target.held[key(7)].text;
  text.replace(text.find("N7"), 2, "XX");
  target.held.erase(key(300));
  target.held[key(450)].deleted = true;
  const auto receipt = run();
  EXPECT_EQ(findings(receipt), (std::set{key(7), key(300), key(450)}));
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_EQ(receipt.at("healed"), 3);
  EXPECT_NE(target.held[key(7)].text.find("N7"), std::string::npos);
  EXPECT_FALSE(target.held[key(450)].deleted);
  EXPECT_EQ(run().at("result"), "equal");
}

TEST_F(SinkAuditTest, WhatTheSinkRefusedWaitsInQuarantineAndIsToldNoMore) {
  audit->step();
  sink_works = false;
  target.held.erase(key(7));
  EXPECT_EQ(run().at("proven"), 1);
  ASSERT_EQ(ledger->holes_open(), 1U);
  // It was told again, and refused: the cursor passes it.
  ledger::QuarantineRow row;
  row.org = "emea";
  row.object = "Account";
  row.id = account(7);
  row.stage = "sink.redis";
  row.reason_code = "refused";
  row.entry_rev = ledger->head();
  ASSERT_TRUE(ledger->quarantine({&row, 1}));
  sink_works = true;
  write();
  target.held.erase(key(7));
  target.held.erase(key(8));
  auto receipt = run();
  EXPECT_EQ(findings(receipt), std::set{key(8)});
  EXPECT_EQ(receipt.at("known"), 1);
  EXPECT_EQ(receipt.at("result"), "different");
  EXPECT_EQ(ledger->holes_open(), 0U) << "the row in quarantine has it";
  EXPECT_EQ(ledger->closed_holes().size(), 2U);
  target.held.erase(key(7));
  const Rev head = ledger->head();
  receipt = run();
  EXPECT_EQ(receipt.at("proven"), 0);
  EXPECT_EQ(receipt.at("known"), 1);
  EXPECT_EQ(receipt.at("drift_ppm"), 0.0);
  EXPECT_EQ(ledger->head(), head) << "nothing is told again";
}

TEST_F(SinkAuditTest, DriftIsAShareOfWhatWasCompared) {
  audit->step();
  for (int i = 1; i <= 5; ++i) target.held.erase(key(i));
  EXPECT_EQ(run().at("drift_ppm"), 10'000.0);
}

TEST_F(SinkAuditTest, ARevThatNobodyGaveIsFollowedSoThatTheRecordCanBeTold) {
  audit->step();
  auto& raised = target.held[key(7)];
  raised.rev.value += 1'000'000'000'000;
  raised.text.clear();
  const Rev strange = raised.rev;
  const auto receipt = run();
  EXPECT_EQ(findings(receipt), std::set{key(7)});
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_GT(target.held[key(7)].rev, strange);
  EXPECT_NE(target.held[key(7)].text.find("N7"), std::string::npos);
}

TEST_F(SinkAuditTest, ARevYearsAheadIsLeftToAPerson) {
  audit->step();
  auto& raised = target.held[key(7)];
  raised.rev.value = (1ULL << 53) - 1;
  const Rev head = ledger->head();
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "different");
  EXPECT_LT(ledger->head().value, head.value + 10'000'000);
  ASSERT_EQ(ledger->holes().size(), 1U);
  EXPECT_NE(ledger->holes()[0].detail.find("delete the record there (row or key)"),
            std::string::npos)
      << ledger->holes()[0].detail;
}

TEST_F(SinkAuditTest, ADeletedRecordThatLivesThereIsToldAgain) {
  remove(7);
  write();
  audit->step();
  target.held[key(7)].deleted = false;
  const auto receipt = run();
  EXPECT_EQ(findings(receipt), (std::set{key(7)}));
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_TRUE(target.held[key(7)].deleted);
}

TEST_F(SinkAuditTest, ATargetThatStillHoldsAnotherLedgersStatesIsOwedNothingYet) {
  audit->step();
  sink_works = false;
  target.cursor->ledger = "another";
  target.held.erase(key(7));
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "equal");
  EXPECT_EQ(receipt.at("suspects"), 0);
}

TEST_F(SinkAuditTest, ARecordThatChangesBetweenLedgerAndTargetIsNoFinding) {
  audit->step();
  target.on_read = [this] {
    apply({{account(7), 600, "New", false}});
    write();
  };
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "equal");
  EXPECT_EQ(receipt.at("suspects"), 0);
}

TEST_F(SinkAuditTest, WhatTheSinkHasYetToWriteIsNotMissing) {
  audit->step();
  sink_works = false;
  create_accounts(501, 520);
  apply({{account(3), 600, "New", false}});
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "equal");
  EXPECT_EQ(receipt.at("suspects"), 0);
}

TEST_F(SinkAuditTest, ARecordThatMovedOnInBetweenIsNoFinding) {
  audit->step();
  // Spoiled at the first look, written anew before the second.
  target.held.erase(key(7));
  clock.ms += 24 * 3'600'000;
  for (int i = 0; i < 20; ++i) {
    const auto stepped = audit->step();
    if (stepped.next == Step::Next::Wait) clock.ms = std::max(clock.ms, stepped.until_ms);
    if (i == 3) {
      target.cursor.reset();  // all of it
      write();
    }
  }
  const auto receipts = Receipts(*ledger).list("sinks", "redis");
  ASSERT_EQ(receipts->size(), 1U);
  const auto receipt = json::parse(receipts->back()).as_object();
  EXPECT_EQ(receipt.at("suspects"), 1);
  EXPECT_EQ(receipt.at("proven"), 0);
}

TEST_F(SinkAuditTest, ATargetThatIsAwayIsTriedAgainSoonerThanTheNextDay) {
  audit->step();
  target.refusal = transient("redis: connect: refused");
  auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "failed");
  EXPECT_EQ(receipt.at("note"), "redis: connect: refused");
  target.refusal.reset();
  const auto before = clock.ms;
  receipt = run();
  EXPECT_EQ(receipt.at("result"), "equal");
  EXPECT_GE(clock.ms, before);
}

TEST_F(SinkAuditTest, AHealThatDoesNotArriveIsSaid) {
  audit->step();
  sink_works = false;
  target.held.erase(key(7));
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "different");
  EXPECT_EQ(receipt.at("proven"), 1);
  EXPECT_EQ(receipt.at("healed"), 0);
}

TEST_F(SinkAuditTest, ASinkThatTakesAWhileIsWaitedFor) {
  audit->step();
  sink_works = false;
  sink_back_at = clock.ms + 24 * 3'600'000 + 20'000;  // 20 s after the audit began
  target.held.erase(key(7));
  const auto receipt = run();
  EXPECT_EQ(receipt.at("healed"), 1);
  EXPECT_EQ(receipt.at("result"), "repaired");
}

TEST_F(SinkAuditTest, WhatIsLostAgainAndAgainIsOneFindingOfEachAudit) {
  audit->step();
  const std::function<void()> lose = [&] {
    target.held.erase(key(7));
    target.on_read = lose;
  };
  target.on_read = lose;
  EXPECT_EQ(run().at("proven"), 1);
  const auto receipt = run_for(16 * 60'000);
  EXPECT_EQ(receipt.at("proven"), 1);
  EXPECT_EQ(receipt.at("result"), "different");
  EXPECT_EQ(ledger->holes_open(), 1U);
}

TEST_F(SinkAuditTest, EachFindingIsAHoleUntilItIsProvenHealed) {
  audit->step();
  sink_works = false;
  target.held.erase(key(7));
  target.held[key(9)].deleted = true;
  run();
  auto open = ledger->holes();
  ASSERT_EQ(open.size(), 2U);
  EXPECT_EQ(ledger->holes_open(), 2U);
  EXPECT_EQ(open[0].scope, ledger::Hole::Scope::Sink);
  EXPECT_EQ(open[0].cause, "sink_drift");
  EXPECT_EQ(open[0].sink, "redis");
  EXPECT_EQ(open[0].object, "Account");
  EXPECT_EQ(open[0].id, account(7));
  EXPECT_NE(open[0].detail.find("it is missing"), std::string::npos) << open[0].detail;
  EXPECT_NE(open[1].detail.find("it is deleted there"), std::string::npos) << open[1].detail;

  // Written, it is looked at again before the next audit is due: only then the holes close.
  sink_works = true;
  write();
  const auto receipt = run_for(16 * 60'000);
  EXPECT_EQ(receipt.at("result"), "equal");
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto closed = ledger->closed_holes();
  ASSERT_EQ(closed.size(), 2U);
  EXPECT_EQ(closed[0].closing.how, ledger::Closing::How::Repaired);
  EXPECT_EQ(closed[0].closing.by, "audit of redis");
  EXPECT_NE(closed[0].closing.evidence.find("read it anew"), std::string::npos);
}

TEST_F(SinkAuditTest, AnOpenHoleIsDueAtOnceAndNotWithTheNextAudit) {
  audit->step();
  target.held.erase(key(7));
  const auto hole = ledger::sink_hole("redis", *RecordKey::parse(key(3)), "by a person");
  const auto other = ledger::sink_hole("kafka", *RecordKey::parse(key(3)), "of another sink");
  ASSERT_TRUE(ledger::AuditBook(*ledger).open(std::array{hole, other}));
  // A start finds it, long before a day is over.
  restart();
  const auto from = clock.ms;
  EXPECT_EQ(run_for(60'000).at("result"), "repaired");
  EXPECT_LE(clock.ms, from + 60'000);
  ASSERT_EQ(ledger->holes().size(), 1U);
  EXPECT_EQ(ledger->holes()[0].sink, "kafka");
}

TEST_F(SinkAuditTest, WhatAnEarlierLedgerLeftBehindIsSweptOnceAllIsReadIn) {
  leave_behind(900);
  leave_behind(901);
  audit->step();
  for (int i = 0; i < 20; ++i) audit->step();
  EXPECT_EQ(target.swept, 0) << "Account is not read in";
  snapshots = {{"emea:Account"}, true, true};
  for (int i = 0; i < 20; ++i) {
    clock.ms += 60'000;
    audit->step();
  }
  EXPECT_EQ(target.swept, 0) << "the target is still being filled";
  snapshots = {{"emea:Account"}, true, false};
  const auto receipt = run_for(60'000);
  EXPECT_EQ(findings(receipt), (std::set{key(900), key(901)}));
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_EQ(receipt.at("healed"), 2);
  EXPECT_TRUE(target.held[key(900)].deleted);
  EXPECT_EQ(receipt.at("compared"), 502) << "and all that it holds is compared";
  for (const auto& hole : ledger->holes())  // what referred to them is asked later
    EXPECT_EQ(hole.scope, ledger::Hole::Scope::Deletion);
  // Once for a birth, also over a restart.
  const int swept = target.swept;
  restart();
  run();
  EXPECT_EQ(target.swept, swept);
}

TEST_F(SinkAuditTest, MoreThanOneLookHoldsAreSweptInOnePass) {
  options.sweep_share_max = 100;  // the brake is not what is looked at
  open();
  restart();
  for (int i = 10'001; i <= 12'100; ++i) leave_behind(i);
  snapshots = {{"emea:Account"}, true};
  const auto receipt = run_for(1'200'000);
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_EQ(receipt.at("healed"), 2'100);
  EXPECT_TRUE(target.held[key(10'001)].deleted);
  EXPECT_TRUE(target.held[key(12'100)].deleted);
}

TEST_F(SinkAuditTest, WhatWasSweptForAnEarlierBirthIsSweptAgain) {
  ASSERT_TRUE(ledger::AuditBook(*ledger).keep("swept:redis", "an earlier one\nemea:Account"));
  restart();
  leave_behind(900);
  snapshots = {{"emea:Account"}, true};
  EXPECT_EQ(findings(run_for(60'000)), (std::set{key(900)}));
  EXPECT_TRUE(target.held[key(900)].deleted);
}

TEST_F(SinkAuditTest, ABirthWhileItRunsIsSweptToo) {
  snapshots = {{"emea:Account"}, true};
  audit->step();
  run_for(60'000);  // of the first birth
  const auto id = ledger->id();
  ASSERT_TRUE(ledger->found_cursor("redis", "emea", id, Rev{ledger->head().value + 5'000'000}, {}));
  ASSERT_NE(ledger->id(), id);
  leave_behind(900);
  EXPECT_EQ(findings(run_for(1'200'000)), (std::set{key(900)}));
}

TEST_F(SinkAuditTest, AnAnswerFromBeforeTheSweepIsNone) {
  leave_behind(900);
  snapshots = {{"emea:Account"}, true};
  org_answers = false;
  ledger::RowBatch early;
  early.org = "emea";
  early.object = "Account";
  early.noted = *ledger->note_version("emea");
  create_accounts(501, 501);
  run_for(600'000);
  ASSERT_EQ(ledger->holes_open(), 1U);
  ledger::Row row;
  row.id = *RecordId::parse(account(900));
  row.present = false;
  early.rows = {&row, 1};
  ASSERT_TRUE(ledger->apply_rows(early));
  ASSERT_FALSE(ledger->holes().empty());
  EXPECT_EQ(ledger->holes()[0].cause, "sink_stray");
}

TEST_F(SinkAuditTest, AnObjectThatIsReadInLaterIsSweptThen) {
  leave_behind(900);
  snapshots = {{"emea:Lead"}, true};
  run_for(60'000);
  EXPECT_FALSE(target.held[key(900)].deleted);
  snapshots.read_in.insert("emea:Account");
  EXPECT_EQ(findings(run_for(60'000)), (std::set{key(900)}));
}

TEST_F(SinkAuditTest, WhileTheOrgDoesNotSayNothingIsDeletedAndItIsAskedAgain) {
  leave_behind(900);
  snapshots = {{"emea:Account"}, true};
  org_answers = false;
  auto receipt = run_for(600'000);
  EXPECT_EQ(receipt.at("result"), "different");
  EXPECT_FALSE(target.held[key(900)].deleted);
  ASSERT_EQ(ledger->holes().size(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "sink_stray");
  EXPECT_EQ(ledger->holes()[0].detail, "audit 1: redis alone holds it");
  org_answers = true;
  receipt = run_for(1'800'000);
  EXPECT_EQ(receipt.at("result"), "equal") << "the hole had been answered by then";
  EXPECT_TRUE(target.held[key(900)].deleted);
}

TEST_F(SinkAuditTest, ALogIsSweptAndNeverWalked) {
  target.log = true;
  restart();
  leave_behind(900);
  leave_behind(901);
  target.held[key(901)].deleted = true;  // it names what it held once, too
  target.held.erase(key(7));
  snapshots = {{"emea:Account"}, true};
  const auto receipt = run_for(60'000);
  EXPECT_EQ(findings(receipt), (std::set{key(900)}));
  EXPECT_TRUE(target.held[key(900)].deleted);
  EXPECT_EQ(receipt.at("compared"), 0);
}

TEST_F(SinkAuditTest, WhatIsOpenOfALogIsClosedWithoutAPerson) {
  target.log = true;
  restart();
  audit->step();
  target.held.erase(key(3));
  const auto hole = ledger::sink_hole("redis", *RecordKey::parse(key(3)), "by a person");
  ASSERT_TRUE(ledger::AuditBook(*ledger).open({&hole, 1}));
  const auto receipt = run_for(3'600'000);
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_EQ(ledger->holes_open(), 0U);
  EXPECT_TRUE(target.held.contains(key(3)));
  EXPECT_EQ(ledger->closed_holes().at(0).closing.by, "audit of redis");
  const auto opened = target.opened;
  clock.ms += 48 * 3'600'000;
  for (int i = 0; i < 100; ++i) audit->step();
  EXPECT_EQ(target.opened, opened) << "with nothing open it is not read";
}

TEST_F(SinkAuditTest, ATargetThatLostMoreThanOnePieceIsMendedInOnePass) {
  create_accounts(501, 5'000);
  write();
  audit->step();
  for (int i = 1; i <= 5'000; i += 2) target.held.erase(key(i));
  const auto receipt = run();
  EXPECT_EQ(receipt.at("result"), "repaired");
  EXPECT_EQ(receipt.at("proven"), 2'500);
  EXPECT_EQ(receipt.at("healed"), 2'500);
  EXPECT_EQ(receipt.at("compared"), 5'000);
  EXPECT_EQ(ledger->holes_open(), 0U);
}

}  // namespace
}  // namespace headwater::audit
