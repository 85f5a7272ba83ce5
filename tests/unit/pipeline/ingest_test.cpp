#include "daemon/pipeline/ingest.hpp"

#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;
using salesforce::Start;
using test::account;

const std::string kReplayLost = "subscription.fetch.replayid.corrupted";

class IngestTest : public test::PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    make();
  }
  void make(Start start = Start::Latest) {
    ingest.emplace(
        Ingest::Parts{stream, start, source, *ledger, rows, ready, clock, part, metrics});
  }

  /// Steps until the source has nothing left to say, or the loop wants to wait.
  Step run() {
    for (int i = 0; i < 100; ++i) {
      const bool silent = source.script.empty();
      const Step step = ingest->step(Millis(1'000));
      if (step.next != Step::Next::Again) return step;
      if (silent && !source.subscribed.empty()) return step;
    }
    ADD_FAILURE() << "ingest does not come to rest";
    return Step::done();
  }
  /// Lets time pass as the thread would, until a pause of ingest is over.
  void wait_out(Millis most) {
    const auto calls = source.subscribed.size();
    const auto until = clock.ms + most.count();
    while (source.subscribed.size() == calls && clock.ms < until) {
      const Step step = ingest->step(Millis(1'000));
      if (step.next == Step::Next::Done || source.subscribed.size() != calls) return;
      if (step.next == Step::Next::Wait) clock.ms = step.until_ms;
    }
  }
  std::string position() const {
    const auto kept = ledger->position(stream);
    return kept ? kept->replay_id.bytes() : "";
  }
  static test::FakeSource::Event event(const test::AccountEvent& what, std::string replay_id) {
    return {test::encode(what), std::move(replay_id)};
  }
  std::uint64_t alive() const {
    std::uint64_t out = 0;
    for (const auto& count : ledger->counts()) out += count.alive;
    return out;
  }

  const ledger::StreamKey stream{"emea", test::kTopic};
  test::FakeSource source;
  RowLane rows{4};
  std::atomic<bool> ready{true};
  observe::Part& part = health.add("stream", Millis(60'000));
  std::optional<Ingest> ingest;
};

TEST_F(IngestTest, NothingIsAskedBeforeTheOrgIsReady) {
  ready = false;
  EXPECT_EQ(run().next, Step::Next::Wait);
  EXPECT_TRUE(source.subscribed.empty());
  ready = true;
  run();
  ASSERT_EQ(source.subscribed.size(), 1U);
  EXPECT_EQ(source.subscribed[0].start, Start::Latest) << "as configured: no position is stored";
}

TEST_F(IngestTest, ThePositionMovesWithTheDataAndOnlyThen) {
  source.say({event({account(1), 1, "A"}, "r1"), event({account(2), 2, "B"}, "r2")});
  source.script.back().latest = "far ahead";
  run();
  EXPECT_EQ(position(), "r2") << "of the last event, not the response's own word";
  EXPECT_EQ(alive(), 2U);

  disk->tear_write(1);
  source.say({event({account(3), 3, "C"}, "r3")});
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_EQ(position(), "r2") << "the write failed";
  EXPECT_EQ(part.state(), PartState::Fatal) << "a ledger that cannot write stops its streams";
  ingest->stop();
  EXPECT_EQ(part.state(), PartState::Fatal) << "what failed stays red after the thread has ended";
}

TEST_F(IngestTest, AKeepaliveStoresItsPosition) {
  source.keep_alive("k1");
  run();
  EXPECT_EQ(position(), "k1");
  EXPECT_EQ(part.state(), PartState::Ok);
  source.keep_alive("");
  run();
  EXPECT_EQ(position(), "k1") << "one without a position leaves it";
}

TEST_F(IngestTest, AStartAtTheLatestEventLosesNothingBeforeItsFirstResponse) {
  clock.ms += 3'600'000;  // the commits of the events are so many seconds after 12:00
  run();
  ASSERT_EQ(source.subscribed[0].start, Start::Latest);
  make();  // a crash: nothing came that says where the latest event was
  source.say({event({account(1), 1, "before"}, "r1"), event({account(2), 3'601, "missed"}, "r2")});
  run();
  ASSERT_EQ(source.subscribed.size(), 2U);
  EXPECT_EQ(source.subscribed[1].start, Start::Earliest);
  EXPECT_EQ(alive(), 2U) << "what lies before the start comes along";
  EXPECT_EQ(position(), "r2");
  make();
  run();
  EXPECT_EQ(source.subscribed[2].start, Start::After);
}

TEST_F(IngestTest, AFirstStartWithAClockThatIsADayAheadLosesNothing) {
  clock.ms += 24LL * 3'600'000;
  run();
  make();
  source.say({event({account(1), 1, "missed"}, "r1")});
  run();
  EXPECT_EQ(source.subscribed.back().start, Start::Earliest);
  EXPECT_EQ(alive(), 1U);
}

TEST_F(IngestTest, AFirstStartLongAgoWithoutAnyResponseIsAHole) {
  run();
  make();
  clock.ms += 73LL * 3'600'000;
  run();
  EXPECT_EQ(source.subscribed.back().start, Start::Earliest);
  const auto holes = ledger->holes();
  ASSERT_EQ(holes.size(), 1U);
  EXPECT_EQ(holes[0].cause, "expired");
  EXPECT_EQ(holes[0].from_ts, 1'772'366'400'000) << "since the first start";
}

TEST_F(IngestTest, AnUnavailableSchemaHoldsTheResponseAndQuarantinesNothing) {
  source.schema = transient("GetSchema: unavailable");
  source.say({event({account(1), 1, "A"}, "r1")});
  source.say({event({account(2), 2, "B"}, "r2")});
  EXPECT_EQ(run().next, Step::Next::Wait);
  EXPECT_EQ(part.state(), PartState::Waiting);
  EXPECT_EQ(source.script.size(), 1U) << "nothing is read past the event that waits";
  EXPECT_EQ(position(), "");

  source.schema = test::account_schema();
  clock.ms += 60'000;
  run();
  EXPECT_EQ(position(), "r2");
  EXPECT_EQ(alive(), 2U);
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(IngestTest, AWaitThatEndedWellIsForgottenByTheNext) {
  for (int i = 1; i < 12; ++i) {
    source.schema = transient("GetSchema: unavailable");
    auto waits = event({account(i), i, "A"}, "r");
    waits.schema_id = "schema-" + std::to_string(i);
    source.say({waits});
    const Step step = run();
    ASSERT_EQ(step.next, Step::Next::Wait);
    clock.ms += 1'000;  // the least pause is enough each time
    source.schema = test::account_schema();
    run();
    ASSERT_EQ(alive(), static_cast<std::uint64_t>(i));
  }
}

TEST_F(IngestTest, ARefusedSchemaSendsItsEventsToQuarantineWithBytesAndTheStreamGoesOn) {
  source.schema = rejected("GetSchema: no such schema");
  const auto lost = event({account(1), 1, "A"}, "r1");
  source.say({lost, event({account(1), 2, "B"}, "r2")});
  run();
  ASSERT_EQ(ledger->quarantine_open(), 2U);
  EXPECT_EQ(ledger->quarantined()[0].payload, lost.payload);
  EXPECT_EQ(ledger->quarantined()[0].stage, "decode");
  EXPECT_EQ(source.schema_calls, 1) << "the verdict is remembered";
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].scope, ledger::Hole::Scope::Stretch);
  EXPECT_EQ(position(), "r2");

  source.schema = test::account_schema();
  auto next = event({account(2), 3, "C"}, "r3");
  next.schema_id = "schema-2";
  source.say({next});
  run();
  EXPECT_EQ(position(), "r3");
  EXPECT_EQ(alive(), 1U);
}

TEST_F(IngestTest, AnEventWhoseHeaderDecodesIsAHoleOfItsRecords) {
  auto cut = event({account(7), 1, "A"}, "r1");
  cut.payload.resize(cut.payload.size() - 4);
  source.say({cut, event({account(2), 2, "B"}, "r2")});
  run();
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].scope, ledger::Hole::Scope::Record);
  EXPECT_EQ(ledger->holes()[0].id, account(7));
  EXPECT_EQ(ledger->holes()[0].object, "Account");
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  EXPECT_EQ(ledger->quarantined()[0].id, account(7));
  EXPECT_EQ(ledger->quarantined()[0].payload, cut.payload);
  EXPECT_EQ(alive(), 1U) << "its neighbour is applied";
  EXPECT_EQ(ledger->holes()[0].version.commit_number, 1)
      << "only a row that is asked for after it says what it changed";
}

TEST_F(IngestTest, EachOfItsRecordsThatCannotBeDecodedIsAHole) {
  const std::string whole = test::encode({account(7), 1, "A"});
  avro::test::Bytes ids;
  ids.text("Account").texts({account(7), account(8), account(9)});
  avro::test::Bytes id;
  id.text("Account").texts({account(7)});
  const std::string payload =
      ids.out + whole.substr(id.out.size(), whole.size() - id.out.size() - 4);
  source.say({{payload, "r1"}});
  run();
  EXPECT_EQ(ledger->holes_open(), 3U);
  EXPECT_EQ(ledger->quarantine_open(), 1U);
}

TEST_F(IngestTest, AnOverflowOrAWildcardThatCannotBeDecodedIsAHoleOfItsObject) {
  const auto with_ids = [](std::initializer_list<std::string_view> ids) {
    const std::string whole = test::encode({account(7), 1, "A"});
    avro::test::Bytes many, one;
    many.text("Account").texts(ids);
    one.text("Account").texts({account(7)});
    return many.out + whole.substr(one.out.size(), whole.size() - one.out.size() - 4);
  };
  source.say({{with_ids({"000000000000000AAA"}), "r1"}});
  run();
  ASSERT_EQ(ledger->holes_open(), 1U) << "the dummy is no record that could be asked for";
  EXPECT_EQ(ledger->holes()[0].scope, ledger::Hole::Scope::Object);
  EXPECT_EQ(ledger->holes()[0].object, "Account");
  EXPECT_EQ(ledger->holes()[0].cause, "overflow");
  EXPECT_EQ(ledger->quarantine_open(), 1U);

  source.say({{with_ids({account(7), "001*"}), "r2"}});
  run();
  EXPECT_EQ(ledger->holes_open(), 2U) << "the object's is renewed, the record's is new";
  EXPECT_EQ(ledger->due_refetches("emea", clock.now_ms(), 10).size(), 1U);
  EXPECT_EQ(ledger->wide_holes("emea").at(0).to_ts, ledger->holes()[1].to_ts);
}

TEST_F(IngestTest, AnEventWithoutAReadableHeaderIsAStretchHole) {
  source.say({{"\x01", "r1"}});
  run();
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].scope, ledger::Hole::Scope::Stretch);
  EXPECT_EQ(ledger->holes()[0].topic, test::kTopic);
  EXPECT_EQ(ledger->quarantine_open(), 1U);
  EXPECT_EQ(position(), "r1");
}

TEST_F(IngestTest, AStretchOfAnUnreadableEventIsNotShortenedByOneOfTheFuture) {
  const EpochMs stored_at = clock.now_ms();
  source.say({event({account(1), 5, "A"}, "r1")});
  source.say({{"\x01", "r2"}});
  run();
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].from_ts, stored_at);
}

TEST_F(IngestTest, AnEventOfAnotherObjectThanItsSchemaGoesToQuarantine) {
  auto text = test::account_schema();
  text.replace(text.find("AccountChangeEvent"), 18, "ContactChangeEvent");
  source.schema = text;
  source.say({event({account(1), 1, "A"}, "r1")});
  run();
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  EXPECT_EQ(ledger->quarantined()[0].reason_code, "entity");
  EXPECT_EQ(alive(), 0U);
}

TEST_F(IngestTest, EveryEndIsFollowedByASubscribeAfterTheStoredPosition) {
  for (const Error& end : {transient("reset by peer"),
                           transient("bus down", "service.unavailable"),
                           rejected("odd"),
                           blocked("no licence", "service.tenant.license")}) {
    source.say({event({account(1), 1, "A"}, "r" + end.message)});
    source.end(end);
    EXPECT_EQ(run().next, Step::Next::Wait) << end.message;
    const auto ended_at = clock.ms;
    wait_out(Millis(120'000));
    EXPECT_EQ(source.subscribed.back().start, Start::After) << end.message;
    EXPECT_EQ(source.subscribed.back().position, "r" + end.message);
    EXPECT_GE(clock.ms - ended_at, 500) << "not at once";
  }
  EXPECT_EQ(source.subscribed.size(), 5U);
}

TEST_F(IngestTest, PausesGrowUntilDataCameAndAMereConnectDoesNotShortenThem) {
  std::int64_t longest = 0;
  for (int i = 0; i < 12; ++i) {
    source.end(transient("reset by peer"));
    run();
    const auto ended_at = clock.ms;
    wait_out(Millis(120'000));
    longest = std::max(longest, clock.ms - ended_at);
  }
  EXPECT_GT(longest, 5'000);
  EXPECT_LE(longest, 60'000);
  source.keep_alive("k");
  source.end(transient("reset by peer"));
  run();
  const auto ended_at = clock.ms;
  wait_out(Millis(120'000));
  EXPECT_LE(clock.ms - ended_at, 1'000);
}

TEST_F(IngestTest, ALostPositionOpensOneStretchHoleAndStartsAtTheEarliestEvent) {
  clock.ms += 60'000;  // what comes was committed before
  source.say({event({account(1), 5, "A"}, "r1")});
  source.end(transient("too old", kReplayLost));
  source.end(transient("reset by peer"));
  run();
  wait_out(Millis(120'000));
  ASSERT_EQ(source.subscribed.size(), 3U);
  EXPECT_EQ(source.subscribed[1].start, Start::Earliest) << "never latest, though configured";
  EXPECT_EQ(source.subscribed[2].start, Start::Earliest) << "until a position is stored";
  ASSERT_EQ(ledger->holes_open(), 1U);
  const auto hole = ledger->holes()[0];
  EXPECT_EQ(hole.scope, ledger::Hole::Scope::Stretch);
  EXPECT_EQ(hole.cause, "expired");
  EXPECT_EQ(hole.from_ts, 1'772'366'405'000) << "since the newest commit that was applied";

  // A restart before anything came: refused again, the same hole.
  make();
  source.end(transient("too old", kReplayLost));
  run();
  EXPECT_EQ(source.subscribed.back().start, Start::Earliest);
  EXPECT_EQ(ledger->holes_open(), 1U);

  source.say({event({account(2), 9, "B"}, "r9")});
  source.end(transient("reset by peer"));
  run();
  wait_out(Millis(120'000));
  EXPECT_EQ(source.subscribed.back().start, Start::After);
  EXPECT_EQ(source.subscribed.back().position, "r9");
}

TEST_F(IngestTest, AnEventOfTheFutureDoesNotShortenTheStretch) {
  const EpochMs stored_at = clock.now_ms();
  source.say({event({account(1), 5, "A"}, "r1")});
  source.end(transient("too old", kReplayLost));
  run();
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].from_ts, stored_at);
}

TEST_F(IngestTest, AStretchEndsWhereTheStreamGoesOnNotWhereItsPositionWasRefused) {
  clock.ms += 60'000;  // what comes was committed before
  for (const bool quiet : {false, true}) {
    source.say({event({account(1), 5, "A"}, "r1")});
    source.end(transient("too old", kReplayLost));
    run();
    ASSERT_EQ(ledger->holes_open(), 1U);
    clock.ms += 3'600'000;  // in which the bus forgets more
    const EpochMs goes_on = clock.now_ms();
    quiet ? source.keep_alive("r9") : source.say({event({account(2), 9, "B"}, "r9")});
    run();
    ASSERT_EQ(position(), "r9");
    const auto hole = ledger->holes().at(0);
    EXPECT_GE(hole.to_ts, goes_on) << "quiet: " << quiet;
    EXPECT_EQ(hole.from_ts, 1'772'366'405'000);
    EXPECT_EQ(hole.detail, "too old");
  }
}

TEST_F(IngestTest, AKeepaliveBehindALostPositionIsAPositionToo) {
  source.say({event({account(1), 5, "A"}, "r1")});
  source.end(transient("too old", kReplayLost));
  source.keep_alive("k9");
  source.end(transient("reset by peer"));
  run();
  wait_out(Millis(120'000));
  ASSERT_EQ(source.subscribed.size(), 3U);
  EXPECT_EQ(source.subscribed[2].start, Start::After) << "else all that is kept comes once more";
  EXPECT_EQ(source.subscribed[2].position, "k9");
}

TEST_F(IngestTest, AnOrgThatRefusesTheEarliestEventTooIsGivenTime) {
  source.say({event({account(1), 5, "A"}, "r1")});
  for (int i = 0; i < 50; ++i) source.end(transient("too old", kReplayLost));
  EXPECT_EQ(run().next, Step::Next::Wait);
  EXPECT_EQ(source.subscribed.size(), 2U);
}

TEST_F(IngestTest, WithoutAHoleOnDiskNothingStartsAtTheEarliestEvent) {
  source.say({event({account(1), 1, "A"}, "r1")});
  run();
  disk->tear_write(1);
  source.end(transient("too old", kReplayLost));
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_EQ(source.subscribed.size(), 1U);
}

TEST_F(IngestTest, CreditIsNeverAboveOneHundredAndToppedUpAsEventsCome) {
  for (int i = 1; i <= 30; ++i) {
    std::vector<test::FakeSource::Event> events;
    for (int j = 0; j < 10; ++j) events.push_back(event({account(i), i * 100 + j, "A"}, "r"));
    source.say(std::move(events));
    ingest->step(Millis(1'000));
    ASSERT_LE(source.asked, 100U);
    ASSERT_GT(source.asked, 40U);
  }
}

TEST_F(IngestTest, AQuarantinedEventIsTriedAgainByItsOwnThread) {
  source.schema = rejected("GetSchema: no such schema");
  source.say({event({account(1), 1, "A"}, "r1")});
  run();
  const auto row = ledger->quarantined().at(0);
  EXPECT_EQ(row.topic, test::kTopic);
  source.schema = test::account_schema();
  std::string said;
  RetryRequest request{row, "alice", [&](const Result<std::string>& what) {
                         said = what ? *what : what.error().message;
                       }};
  ASSERT_TRUE(ingest->try_again(request));
  EXPECT_EQ(source.woken, 1);
  EXPECT_EQ(said, "") << "not by ours";
  ingest->step(Millis(1'000));
  EXPECT_EQ(said, "decoded as CREATE of Account and applied: 1 changes, 0 contained already");
  EXPECT_EQ(alive(), 1U);
  EXPECT_EQ(position(), "r1");
}

TEST_F(IngestTest, AFullJournalIsAskedForNothingUntilThereIsRoom) {
  options.journal_bytes_max = 64 << 10;
  disk = std::make_shared<ledger::MemoryDisk>();
  open();
  make();
  ledger->hold_journal("kafka", Rev{0});
  run();
  for (int i = 1; !ledger->journal().full; ++i) {
    ASSERT_LT(i, 10'000);
    const std::string name(200, static_cast<char>('a' + i % 26));
    source.say({event({account(1), i, name}, "r")});
    if (source.asked > 0) {
      run();
    } else {
      create_accounts(i + 10, i + 10);
    }
  }
  clock.ms += 5'000;
  run();
  EXPECT_EQ(part.state(), PartState::Waiting) << "health says so though the stream is up";
  EXPECT_NE(part.snapshot().sentence.find("journal.bytes_max"), std::string::npos);
  source.end(transient("reset by peer"));
  run();
  const auto calls = source.subscribed.size();
  for (int i = 0; i < 100; ++i) {
    const Step step = run();
    ASSERT_EQ(step.next, Step::Next::Wait);
    clock.ms = step.until_ms;
  }
  EXPECT_EQ(source.subscribed.size(), calls);
  EXPECT_EQ(part.state(), PartState::Waiting);

  ledger->hold_journal("kafka", ledger->head());
  clock.ms += 2 * 3'600'000;
  ASSERT_TRUE(ledger->trim());
  wait_out(Millis(120'000));
  EXPECT_EQ(source.subscribed.size(), calls + 1);
}

class IngestLaneTest : public IngestTest {
 protected:
  /// A row of an account, as repair would hand it over.
  void push(int number, const std::string& name) {
    OwnedRows owned;
    owned.batch.org = "emea";
    owned.batch.object = "Account";
    owned.batch.noted = *ledger->note_version("emea");
    ledger::Row& row = owned.rows.emplace_back();
    row.id = *RecordId::parse(account(number));
    row.stamp = clock.ms;
    auto& members = owned.members.emplace_back();
    members.push_back({ledger->names("emea", "Account").intern("Name"),
                       ValueView::of_text(owned.texts.emplace_back(name))});
    row.fields = members;
    ASSERT_TRUE(rows.try_push(owned));
  }
};

TEST_F(IngestLaneTest, RowsOfTheSecondLaneAreAppliedAndCloseTheirHoles) {
  source.say({event({account(1), 1, "A", false}, "r1")});
  run();
  ASSERT_EQ(ledger->holes_open(), 1U) << "an update of an unknown record";
  push(1, "A");
  run();
  EXPECT_TRUE(rows.empty());
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(IngestLaneTest, WhileTheJournalIsFullRowsWaitInTheirLaneAndNoneIsLost) {
  options.journal_bytes_max = 64 << 10;
  disk = std::make_shared<ledger::MemoryDisk>();
  open();
  make();
  ledger->hold_journal("kafka", Rev{0});
  for (int i = 10; !ledger->journal().full; ++i) create_accounts(i, i);
  const auto before = alive();
  push(1, "A");
  run();
  EXPECT_EQ(alive(), before);
  ledger->hold_journal("kafka", ledger->head());
  ASSERT_TRUE(ledger->trim());
  run();
  EXPECT_EQ(alive(), before + 1);
}

TEST_F(IngestLaneTest, RowsAreAppliedWhileTheStreamIsBlocked) {
  source.refusal = blocked("topic missing", "topic.not.found");
  EXPECT_EQ(run().next, Step::Next::Wait);
  for (int i = 1; i <= 4; ++i) push(i, "A");
  const auto until = clock.ms + 2'000;
  while (clock.ms < until) {
    const Step step = ingest->step(Millis(1'000));
    if (step.next == Step::Next::Wait) clock.ms = step.until_ms;
  }
  EXPECT_EQ(alive(), 4U);
  EXPECT_EQ(source.subscribed.size(), 1U);
}

TEST_F(IngestTest, ABlockedStreamIsTriedAgainAfterSixtySecondsOnly) {
  source.refusal = blocked("topic missing", "topic.not.found");
  run();
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_EQ(part.snapshot().sentence, "topic missing");
  const auto refused_at = clock.ms;
  wait_out(Millis(600'000));
  EXPECT_EQ(clock.ms - refused_at, 60'000);
}

TEST_F(IngestTest, AUsedUpQuotaIsTriedAgainAfterFifteenMinutesAndTheThreadIsNeverStuck) {
  source.refusal = blocked("quota", "subscription.limit.exceeded");
  run();
  const auto refused_at = clock.ms;
  for (int i = 0; i < 890; ++i) {
    const Step step = ingest->step(Millis(1'000));
    ASSERT_EQ(step.next, Step::Next::Wait);
    clock.ms = step.until_ms;
    ASSERT_FALSE(part.snapshot().stuck);
  }
  EXPECT_EQ(source.subscribed.size(), 1U);
  wait_out(Millis(600'000));
  EXPECT_EQ(clock.ms - refused_at, 15 * 60'000);
}

TEST_F(IngestTest, FatalStopsTheStream) {
  source.refusal = fatal("wrong org");
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_EQ(part.state(), PartState::Fatal);
}

TEST_F(IngestTest, AQuietStreamCountsAsWorkingBeforeItsFirstResponse) {
  run();
  EXPECT_EQ(part.state(), PartState::Starting);
  clock.ms += 5'000;
  run();
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(IngestTest, ThePositionsAgeIsToldWhileTheStreamIsDown) {
  source.say({event({account(1), 0, "A"}, "r1")});
  source.end(blocked("no licence", "service.tenant.license"));
  run();
  clock.ms += 30'000;
  run();
  const auto text = metrics.text();
  const std::string labels = R"({org="emea",stream="/data/AccountChangeEvent"} )";
  EXPECT_NE(text.find("headwater_source_position_age_seconds" + labels + "30\n"),
            std::string::npos);
  EXPECT_NE(text.find("headwater_source_retention_remaining_seconds" + labels + "259170\n"),
            std::string::npos);
}

TEST_F(IngestTest, AStopEndsTheStream) {
  run();
  ingest->stop();
  EXPECT_EQ(source.cancelled, 1);
  EXPECT_EQ(part.state(), PartState::Stopped);
}

}  // namespace
}  // namespace headwater
