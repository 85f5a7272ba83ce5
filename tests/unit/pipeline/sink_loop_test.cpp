#include "daemon/pipeline/sink_loop.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "connectors/claim.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;
using test::account;

/// What a sink writes to; outlives the sinks that are made for it.
struct FakeTarget {
  struct Write {
    Mode mode = Mode::Follow;
    bool whole_relations = false;
    Rev history_from = {}, events_from = {};
    std::vector<std::string> keys;
    std::vector<Rev> revs;
    std::map<std::string, Rev> moves;
  };
  std::map<std::string, Cursor> cursors;
  std::vector<Write> writes;  ///< that went well
  std::function<std::optional<Error>(const Batch&)> fail = [](const Batch&) {
    return std::nullopt;
  };
  std::optional<Error> open_error;
  std::optional<bool> would_take;  ///< what it says of records that it holds
  std::size_t entries_max = 8, bytes_max = 1 << 20;
  bool history = false;
  bool events = false;          // it keeps platform events
  std::optional<Rev> recorded;  // what it would name if it were opened now
  int tries = 0, opened = 0, closed = 0, idled = 0;
  std::vector<std::string> made_for;

  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const Write& write : writes) {
      if (write.mode != Mode::Rewrite) out.insert(out.end(), write.keys.begin(), write.keys.end());
    }
    return out;
  }
  /// Records that were written though the cursor had passed them.
  std::vector<std::string> rewritten() const {
    std::vector<std::string> out;
    for (const Write& write : writes) {
      if (write.mode == Mode::Rewrite) out.insert(out.end(), write.keys.begin(), write.keys.end());
    }
    return out;
  }
};

class FakeSink final : public Sink {
 public:
  FakeSink(FakeTarget& target, std::string ledger) : target_(target), ledger_(std::move(ledger)) {}
  Result<std::vector<Cursor>> open(std::span<const std::string> orgs) override {
    ++target_.opened;
    if (target_.open_error) return *target_.open_error;
    std::vector<Cursor> out;
    for (const auto& org : orgs) {
      Cursor& cursor = target_.cursors[org];
      cursor.org = org;
      ++cursor.epoch;
      out.push_back(cursor);
    }
    return out;
  }
  Result<void> write(const Batch& batch) override {
    ++target_.tries;
    if (auto error = target_.fail(batch)) return *error;
    auto& kept = target_.writes.emplace_back();
    kept.mode = batch.mode;
    kept.whole_relations = batch.whole_relations;
    for (const EntryView& entry : batch.entries) {
      kept.keys.emplace_back(entry.rkey);
      kept.revs.push_back(entry.meta.rev);
    }
    for (const CursorMove& move : batch.cursors) {
      kept.moves[std::string(move.org)] = move.rev;
      kept.history_from = move.history_from;
      kept.events_from = move.events_from;
      target_.cursors[std::string(move.org)].ledger = ledger_;
      target_.cursors[std::string(move.org)].rev = move.rev;
    }
    return {};
  }
  Result<void> idle() override {
    ++target_.idled;
    return {};
  }
  void close() noexcept override { ++target_.closed; }
  std::size_t entries_max() const override { return target_.entries_max; }
  std::size_t bytes_max() const override { return target_.bytes_max; }
  bool needs_history() const override { return target_.history; }
  bool holds_journal() const override { return target_.history || target_.events; }
  Result<std::optional<bool>> would_take(const EntryView&, const Error&) override {
    return target_.would_take;
  }
  Rev recorded(std::string_view, Rev cursor) const override {
    return target_.recorded.value_or(cursor);
  }

 private:
  FakeTarget& target_;
  const std::string ledger_;
};

class SinkLoopTest : public test::PipelineTest {
 protected:
  /// One row that is of no record: an event that could not be decoded.
  void quarantine_event() {
    ledger::QuarantineRow row;
    row.org = "emea";
    row.stage = "decode";
    row.reason_code = "undecodable";
    row.replay_id = "r1";
    ASSERT_TRUE(ledger->quarantine({&row, 1}));
  }
  void make(std::vector<std::string> orgs = {"emea"}) {
    loop.emplace(SinkLoop::Parts{"target",
                                 std::move(orgs),
                                 [this](const std::string& ledger_id) {
                                   target.made_for.push_back(ledger_id);
                                   return std::make_unique<FakeSink>(target, ledger_id);
                                 },
                                 *ledger,
                                 clock,
                                 part,
                                 metrics});
  }
  /// Until the loop wants to wait or is done.
  Step run() {
    for (int i = 0; i < 1'000; ++i) {
      const Step step = loop->step();
      if (step.next != Step::Next::Again) return step;
    }
    ADD_FAILURE() << "the loop does not come to rest";
    return Step::done();
  }
  /// The target holds all up to the head and follows from there.
  void follow_from_head() { target.cursors["emea"] = {"emea", ledger->id(), ledger->head(), 0}; }
  void open_with_a_small_journal() {
    options.journal_bytes_max = 64 << 10;
    disk = std::make_shared<ledger::MemoryDisk>();
    open();
  }
  /// And time goes by, so that all that nobody is owed may be trimmed.
  void fill_the_journal_while_the_target_is_away() {
    target.open_error = transient("target: away");
    make();
    run();
    for (int i = 1; ledger->journal().bytes < options.journal_bytes_max && i < 5'000; ++i)
      create_accounts(i, i);
    clock.ms += 2 * 3'600'000;
    ASSERT_TRUE(ledger->trim());
  }
  /// Accounts until the journal has dropped some of them: how many there are.
  int outgrow_the_journal() {
    int last = 0;
    for (; ledger->journal().bytes < options.journal_bytes_max * 3 / 4; ++last)
      create_accounts(last + 1, last + 1);
    clock.ms += 2 * 3'600'000;
    EXPECT_TRUE(ledger->trim());
    EXPECT_LT(ledger->journal().entries, static_cast<std::uint64_t>(last));
    return last;
  }
  /// What another ledger left, from before this one was born.
  static Cursor foreign_cursor(const std::string& org) {
    return {org, "01ANOTHERLEDGER", Rev{1}, 0};
  }
  static std::string key(int number, const std::string& org = "emea") {
    return org + ":Account:" + account(number);
  }
  static std::vector<std::string> keys(int from, int to) {
    std::vector<std::string> out;
    for (int i = from; i <= to; ++i) out.push_back(key(i));
    return out;
  }
  static bool is_quarantine_row(const std::string& rkey) {
    return rkey.find(":sink.target:") != std::string::npos;
  }
  /// A target that refuses these records for good.
  void refuse(const std::vector<std::string>& rkeys) {
    target.fail = [rkeys](const Batch& batch) -> std::optional<Error> {
      for (const EntryView& entry : batch.entries) {
        if (std::ranges::count(rkeys, entry.rkey) > 0)
          return rejected("target: write: refused", "22003");
      }
      return std::nullopt;
    };
  }
  void refuse(const std::string& rkey) { refuse(std::vector{rkey}); }
  /// One record is told, the next one refused: the row of that.
  ledger::QuarantineRow refuse_second() {
    create_accounts(1, 1);
    make();
    run();
    refuse(key(2));
    create_accounts(2, 2);
    run();
    return ledger->quarantined().at(0);
  }
  void refuse_all_records() {
    target.fail = [](const Batch& batch) -> std::optional<Error> {
      for (const EntryView& entry : batch.entries) {
        if (entry.kind == EntryKind::Record) return rejected("target: write: refused", "23514");
      }
      return std::nullopt;
    };
  }
  void accept_all() {
    target.fail = [](const Batch&) { return std::nullopt; };
  }
  /// As run(), and health is never green on the way.
  Step run_never_green() {
    for (int i = 0; i < 1'000; ++i) {
      const Step step = loop->step();
      EXPECT_NE(part.state(), PartState::Ok);
      if (step.next != Step::Next::Again) return step;
    }
    ADD_FAILURE() << "the loop does not come to rest";
    return Step::done();
  }
  /// Asks for a row to be tried again, steps once, and tells what came of it.
  std::string try_again(const ledger::QuarantineRow& row) {
    std::string said;
    RetryRequest request{row, "alice", [&](const Result<std::string>& what) {
                           said = what ? *what : "error: " + what.error().message;
                         }};
    EXPECT_TRUE(loop->try_again(request));
    loop->step();
    return said;
  }

  FakeTarget target;
  observe::Part& part = health.add("sink target", Millis(60'000));
  std::optional<SinkLoop> loop;
};

TEST_F(SinkLoopTest, AWriteThatIsTooSlowForItsDeadlineShrinksUntilItGoesThrough) {
  target.entries_max = 1'000;
  create_accounts(1, 300);
  target.fail = [](const Batch& batch) -> std::optional<Error> {
    if (batch.entries.size() <= 80) return std::nullopt;
    return transient("target: write: timed out");
  };
  make();
  for (int i = 0; i < 20 && !(loop->caught_up()); ++i) {
    run();
    clock.ms += 60'000;
  }
  EXPECT_EQ(target.keys(), keys(1, 300));
}

TEST_F(SinkLoopTest, ANewTargetGetsTheWholeHistoryWhileTheJournalHasIt) {
  create_accounts(1, 3);
  apply({{account(2), 9, "changed", false}});
  make();
  run();
  EXPECT_EQ(target.keys(), (std::vector{key(1), key(2), key(3), key(2)}));
  EXPECT_EQ(target.writes.front().mode, Mode::Follow);
}

TEST_F(SinkLoopTest, ATargetOfImagesThatLostItsCursorAloneIsNotToldOlderImages) {
  create_accounts(1, 3);
  apply({{account(2), 9, "changed", false}});
  make();
  run();
  target.cursors["emea"] = {.org = "emea", .highest = ledger->head()};
  target.writes.clear();
  make();
  run();
  EXPECT_EQ(target.keys(), (std::vector{key(1), key(3), key(2)}));
}

TEST_F(SinkLoopTest, AForeignTargetIsToldWhatIsOpenBesideTheStates) {
  create_accounts(1, 2);
  quarantine_event();
  target.cursors["emea"] = foreign_cursor("emea");
  make();
  run();
  const auto rows = target.writes.front().keys;
  ASSERT_EQ(rows.size(), 1U) << "by itself: a row refused must not stand among states";
  EXPECT_NE(rows.front().find("decode"), std::string::npos);
  EXPECT_EQ(target.writes.front().moves.at("emea"), Rev{0}) << "no state is passed over";
  EXPECT_EQ(target.writes.at(1).keys, keys(1, 2));
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head());
}

TEST_F(SinkLoopTest, AForeignTargetGetsAllStatesThenFollowsWithoutASeam) {
  create_accounts(1, 20);
  target.cursors["emea"] = foreign_cursor("emea");
  bool grown = false;
  target.fail = [&](const Batch&) -> std::optional<Error> {
    if (!std::exchange(grown, true)) {  // meanwhile: a new record, and one whose turn is to come
      create_accounts(21, 21);
      apply({{account(20), 22, "changed", false}});
    }
    return std::nullopt;
  };
  make();
  run();
  auto got = target.keys();
  std::ranges::sort(got);
  EXPECT_EQ(got, keys(1, 21)) << "each once";
  EXPECT_EQ(target.writes.front().mode, Mode::Materialize);
  EXPECT_EQ(target.writes.back().mode, Mode::Follow);
  EXPECT_EQ(target.writes.back().keys, (std::vector{key(21), key(20)}));
  EXPECT_TRUE(target.writes.back().whole_relations) << "of the one that changed no state told";
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head());
  EXPECT_EQ(target.cursors["emea"].ledger, ledger->id());
  EXPECT_TRUE(loop->caught_up());
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(SinkLoopTest, WhatWasToldBeforeABirthIsToldNoMore) {
  const auto first_move = [this](Cursor found) {
    target = {};
    target.cursors["emea"] = found;
    make();
    run();
    return target.writes.back();
  };
  create_accounts(1, 3);
  const auto fresh = first_move({});
  EXPECT_EQ(fresh.history_from, Rev{1}) << "nobody told of it";
  // A cursor of ours that outran us: we are an older copy, and born anew.
  const Rev ahead{ledger->head().value + 5'000'000};
  const auto born = first_move({"emea", ledger->id(), ahead, 0});
  EXPECT_EQ(born.history_from, Rev{ahead.value + 1});
  EXPECT_EQ(born.events_from, Rev{ahead.value + 1});
  create_accounts(4, 4);
  const auto on = first_move(target.cursors["emea"]);
  EXPECT_EQ(on.keys, keys(4, 4));
  EXPECT_EQ(on.history_from, Rev{ahead.value + 1}) << "a start knows it";
  EXPECT_EQ(first_move({"emea", ledger->id(), Rev{0}, 0}).history_from, Rev{1})
      << "it lost what it was told";
}

TEST_F(SinkLoopTest, MirrorsThatAPassingFailureKeptBackAreToldBeforeTheStates) {
  create_accounts(1, 2);
  quarantine_event();
  target.cursors["emea"] = foreign_cursor("emea");
  target.fail = [this](const Batch&) -> std::optional<Error> {
    if (target.tries == 1) return transient("target: write: connection reset");
    return std::nullopt;
  };
  make();
  clock.ms = run().until_ms;
  run();
  ASSERT_EQ(target.writes.front().keys.size(), 1U);
  EXPECT_NE(target.writes.front().keys.front().find("decode"), std::string::npos);
  EXPECT_EQ(target.writes.at(1).keys, keys(1, 2));
}

TEST_F(SinkLoopTest, AKnownCursorIsFollowedFromWhereItStands) {
  create_accounts(1, 5);
  follow_from_head();
  create_accounts(6, 8);
  make();
  run();
  EXPECT_EQ(target.keys(), keys(6, 8));
  EXPECT_EQ(target.writes[0].mode, Mode::Follow);
}

TEST_F(SinkLoopTest, WhatComesFastIsLetComeTogetherForAMoment) {
  target.entries_max = 1'000;
  follow_from_head();
  make();
  create_accounts(1, 100);
  const Step step = run();
  ASSERT_EQ(target.keys(), keys(1, 100));
  EXPECT_EQ(step.until_ms, clock.ms + 25);
  create_accounts(101, 150);
  EXPECT_EQ(run().until_ms, step.until_ms);
  EXPECT_EQ(target.keys(), keys(1, 100));
  create_accounts(151, 160);
  clock.ms = step.until_ms;
  run();
  EXPECT_EQ(target.keys(), keys(1, 160));
  EXPECT_EQ(target.writes.back().keys, keys(101, 160)) << "in one write";
}

TEST_F(SinkLoopTest, WhatComesAloneWaitsForNothing) {
  target.entries_max = 1'000;
  follow_from_head();
  make();
  for (int i = 1; i <= 5; ++i) {
    create_accounts(i, i);
    run();
    EXPECT_EQ(target.keys(), keys(1, i));
  }
}

TEST_F(SinkLoopTest, ATransientFailureReopensAndWritesTheSameEntriesAgain) {
  follow_from_head();
  create_accounts(1, 3);
  std::vector<std::vector<Rev>> tried;
  target.fail = [&](const Batch& batch) -> std::optional<Error> {
    auto& revs = tried.emplace_back();
    for (const EntryView& entry : batch.entries) revs.push_back(entry.meta.rev);
    if (tried.size() < 3) return transient("target: write: connection reset");
    return std::nullopt;
  };
  make();
  for (int i = 0; i < 2; ++i) {
    const Step step = run();
    ASSERT_EQ(step.next, Step::Next::Wait);
    EXPECT_GT(step.until_ms, clock.ms) << "not at once";
    EXPECT_EQ(part.state(), PartState::Waiting);
    EXPECT_FALSE(loop->status().open);
    clock.ms = step.until_ms;
  }
  run();
  ASSERT_EQ(tried.size(), 3U);
  EXPECT_EQ(tried[0], tried[1]);
  EXPECT_EQ(tried[0], tried[2]);
  EXPECT_EQ(target.opened, 3);
  EXPECT_EQ(target.keys(), keys(1, 3));
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(SinkLoopTest, AWriteThatGoesWellShortensTheNextPause) {
  follow_from_head();
  make();
  const auto pause = [this](int times) {
    std::int64_t last = 0;
    for (int i = 0; i < times; ++i) {
      last = run().until_ms - clock.ms;
      clock.ms += last;
    }
    return last;
  };
  for (int number : {1, 2, 3}) {
    create_accounts(number, number);
    target.fail = [](const Batch&) { return transient("target: write: connection reset"); };
    EXPECT_LE(pause(1), 200);
    pause(11);
    accept_all();
    run();
  }
}

TEST_F(SinkLoopTest, ARefusedEntryIsFoundInFewWritesAndItsNeighboursLand) {
  target.entries_max = 1'024;
  follow_from_head();
  create_accounts(1, 1'000);
  refuse(key(700));
  make();
  run();
  auto expected = keys(1, 1'000);
  std::erase(expected, key(700));
  auto got = target.keys();
  std::erase_if(got, is_quarantine_row);
  EXPECT_EQ(got, expected) << "in order, each once";
  EXPECT_LE(target.tries, 40) << "three for each of ten halvings, and a few";
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  const auto row = ledger->quarantined()[0];
  EXPECT_EQ(row.stage, "sink.target");
  EXPECT_EQ(row.id, account(700));
  EXPECT_EQ(row.reason_code, "22003");
  EXPECT_FALSE(row.payload.empty());
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head());
}

TEST_F(SinkLoopTest, ARecordThatLostAnEntryGetsItsRelationsWholeNextTime) {
  follow_from_head();
  make();
  run();
  refuse({key(1), key(3)});
  create_accounts(1, 3);
  run();
  ASSERT_EQ(ledger->quarantine_open(), 2U);
  accept_all();
  auto whole_after = [this, commit = 100](int number) mutable {
    ++commit;
    apply({{account(number), commit, "N" + std::to_string(commit), false}});
    run();
    const auto of_record = [&](const auto& write) {
      return std::ranges::count(write.keys, key(number)) > 0;
    };
    const auto last = std::find_if(target.writes.rbegin(), target.writes.rend(), of_record);
    return last != target.writes.rend() && last->whole_relations;
  };
  EXPECT_TRUE(whole_after(1));
  EXPECT_FALSE(whole_after(1)) << "it has them now";
  EXPECT_FALSE(whole_after(2));
  make();  // another start knows it from the quarantine
  run();
  EXPECT_TRUE(whole_after(3));
  EXPECT_FALSE(whole_after(2));
}

TEST_F(SinkLoopTest, TheCursorPassesARefusedEntryOnlyOnceItIsInQuarantine) {
  follow_from_head();
  make();
  run();  // opened: the ledger's next write is the row's
  const Rev before = ledger->head();
  create_accounts(1, 1);
  refuse(key(1));
  disk->tear_write(1);
  EXPECT_EQ(run().next, Step::Next::Done) << "the ledger cannot write";
  EXPECT_GT(target.tries, 0);
  EXPECT_EQ(target.cursors["emea"].rev, before);
}

TEST_F(SinkLoopTest, ATargetThatRefusesWhatItHoldsIsBrokenAndNothingGoesToQuarantine) {
  follow_from_head();
  create_accounts(1, 3);
  make();
  run();
  ASSERT_EQ(part.state(), PartState::Ok);
  refuse_all_records();
  create_accounts(4, 200);
  Step step = run();
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_EQ(part.snapshot().sentence,
            "target: write: refused; Account records that the target holds already are refused as "
            "well, so it is the target and not the change: mend what refuses them; nothing goes to "
            "quarantine, tried again every 60 s");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(step.until_ms - clock.ms, 60'000);
    clock.ms = step.until_ms;
    step = run_never_green();
  }
  EXPECT_EQ(target.opened, 4);
  EXPECT_EQ(ledger->quarantine_open(), 0U);

  accept_all();
  clock.ms = step.until_ms;
  run();
  EXPECT_EQ(part.state(), PartState::Ok) << "by itself, once the cause is gone";
  EXPECT_EQ(target.keys(), keys(1, 200)) << "each once, in order";
}

TEST_F(SinkLoopTest, APoisonedRunGoesToQuarantineThoughNothingElseChanges) {
  follow_from_head();
  create_accounts(1, 3);
  make();
  run();
  refuse(keys(4, 53));
  create_accounts(4, 53);
  run();
  EXPECT_EQ(ledger->quarantine_open(), 50U);
  EXPECT_EQ(part.state(), PartState::Ok);
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head());
  EXPECT_EQ(target.rewritten(), std::vector(50, key(1))) << "asked once for each";
}

TEST_F(SinkLoopTest, WhatAProbeCannotShowFillsNoQuarantineInAMoment) {
  follow_from_head();
  create_accounts(1, 1);
  make();
  run();
  refuse(keys(2, 151));
  create_accounts(2, 151);
  Step step = run();
  EXPECT_EQ(ledger->quarantine_open(), 100U);
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_NE(
      part.snapshot().sentence.find("100 changes in a row were refused and are in quarantine"),
      std::string::npos)
      << part.snapshot().sentence;
  clock.ms = step.until_ms;
  run();
  EXPECT_EQ(ledger->quarantine_open(), 150U) << "the run ends, though it took a minute more";
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(SinkLoopTest, MirrorsThatAreTakenBetweenRefusalsEndNoRunOfThem) {
  follow_from_head();
  create_accounts(1, 1);
  make();
  run();
  refuse(keys(2, 151));
  for (int i = 2; i <= 151; ++i) {
    create_accounts(i, i);
    run();  // the refusal, then its row as an entry of its own
  }
  EXPECT_EQ(ledger->quarantine_open(), 100U);
  EXPECT_EQ(part.state(), PartState::Blocked);
}

TEST_F(SinkLoopTest, HistoryThatWouldTakeWhatItHoldsLetsAPoisonedRunPass) {
  target.history = true;
  target.would_take = true;
  create_accounts(1, 3);
  make();
  run();
  refuse(keys(4, 53));
  create_accounts(4, 53);
  run();
  EXPECT_EQ(ledger->quarantine_open(), 50U);
  EXPECT_EQ(part.state(), PartState::Ok);
  EXPECT_TRUE(target.rewritten().empty()) << "a repeat would be a change";
}

TEST_F(SinkLoopTest, HistoryThatWouldNotTakeWhatItHoldsIsBroken) {
  target.history = true;
  target.would_take = false;
  create_accounts(1, 3);
  make();
  run();
  refuse_all_records();
  create_accounts(4, 40);
  run();
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(SinkLoopTest, ATargetThatCannotBeAskedIsBlamedAfterTwentyInARow) {
  target.history = true;
  create_accounts(1, 3);
  make();
  run();
  refuse_all_records();
  create_accounts(4, 40);
  Step step = run();
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_NE(part.snapshot().sentence.find("20 changes in a row were refused"), std::string::npos);
  for (int i = 0; i < 3; ++i) {
    clock.ms = step.until_ms;
    step = run_never_green();
  }
  EXPECT_EQ(ledger->quarantine_open(), 20U);
  EXPECT_TRUE(target.rewritten().empty()) << "a repeat would be a change";
  accept_all();
  clock.ms = step.until_ms;
  run();
  auto got = target.keys();
  std::erase_if(got, is_quarantine_row);
  auto expected = keys(1, 3);
  const auto rest = keys(24, 40);
  expected.insert(expected.end(), rest.begin(), rest.end());
  EXPECT_EQ(got, expected) << "once the target is mended it gets the rest";
}

TEST_F(SinkLoopTest, AProbeThatFindsTheTargetGoneQuarantinesNothing) {
  follow_from_head();
  create_accounts(1, 1);
  make();
  run();
  create_accounts(2, 2);
  target.fail = [](const Batch& batch) -> std::optional<Error> {
    if (batch.mode == Mode::Rewrite) return transient("target: write: connection reset");
    return rejected("target: write: refused");
  };
  run();
  EXPECT_EQ(part.state(), PartState::Waiting);
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(SinkLoopTest, ARefusedChangeThatStatesWrittenWholeBringWithThemClosesItsRow) {
  follow_from_head();
  refuse_second();
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  accept_all();
  target.cursors["emea"] = foreign_cursor("emea");
  make();
  run();
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(SinkLoopTest, ALaterChangeThatIsAcceptedClosesWhatWasRefusedOfItsRecord) {
  follow_from_head();
  create_accounts(1, 1);
  make();
  run();
  refuse({key(2), key(3)});
  create_accounts(2, 3);
  apply({{account(2), 10, "still bad", false}});
  run();
  ASSERT_EQ(ledger->quarantine_open(), 3U) << "each refused change with its own bytes";
  make();  // another start knows them from the ledger
  run();
  accept_all();
  apply({{account(2), 11, "good", false}});
  run();
  const auto open = ledger->quarantined();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].id, account(3));
  const auto closed = ledger->quarantine_closed();
  ASSERT_EQ(closed.size(), 2U);
  for (const auto& row : closed) {
    EXPECT_EQ(row.id, account(2));
    EXPECT_EQ(row.closing.how, ledger::Closing::How::Released);
    EXPECT_EQ(row.closing.by, "sink.target");
    EXPECT_TRUE(row.closing.evidence.starts_with("target accepted rev ")) << row.closing.evidence;
  }
}

TEST_F(SinkLoopTest, AnImageThatIsToldAgainAndRefusedAgainIsAnotherTryOfItsRow) {
  follow_from_head();
  refuse_second();
  const RecordKey again[] = {*RecordKey::parse(key(2))};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(ledger::AuditBook(*ledger).restate(again));
    run();
  }
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head());
  const auto open = ledger->quarantined();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].attempts, 4U);
  accept_all();
  ASSERT_TRUE(ledger::AuditBook(*ledger).restate(again));
  run();
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(SinkLoopTest, ARetryWritesTheNewestImageAndClosesTheRowWithEvidence) {
  follow_from_head();
  const auto row = refuse_second();
  const Rev before = target.cursors["emea"].rev;

  EXPECT_EQ(try_again(row), "error: refused again: target: write: refused");
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 2U);

  accept_all();
  const std::string said = try_again(row);
  EXPECT_EQ(said,
            "target accepted rev " + std::to_string(row.entry_rev.value) +
                " of the record when it was written again");
  EXPECT_EQ(target.writes.back().keys, std::vector{key(2)});
  EXPECT_EQ(target.writes.back().mode, Mode::Rewrite);
  EXPECT_EQ(target.writes.back().moves.at("emea"), target.cursors["emea"].rev);
  EXPECT_GE(target.cursors["emea"].rev, before) << "the cursor does not go back";
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  const auto closed = ledger->quarantine_row(row.rev);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->closing.how, ledger::Closing::How::Retried);
  EXPECT_EQ(closed->closing.by, "alice");
  EXPECT_EQ(closed->closing.evidence, said);
}

TEST_F(SinkLoopTest, WhereHistoryIsOwedARetryTellsTheRecordAgainUnderANewRev) {
  target.history = true;
  const auto row = refuse_second();
  create_accounts(3, 3);
  run();

  std::string said;
  const RetryRequest wish{row, "alice", [&](const Result<std::string>& what) {
                            said = what ? *what : "error: " + what.error().message;
                          }};
  const auto retry = [&] {
    said.clear();
    RetryRequest request = wish;
    EXPECT_TRUE(loop->try_again(request));
    run();
    return said;
  };
  EXPECT_EQ(retry(), "error: refused again: target: write: refused");
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 2U) << "no row beside it";

  accept_all();
  const Rev head = ledger->head();
  EXPECT_EQ(retry(),
            "target accepted rev " + std::to_string(head.value + 1) +
                " of the record; its history lacks the change that was refused");
  auto got = target.keys();
  std::erase_if(got, is_quarantine_row);
  EXPECT_EQ(got.back(), key(2));
  EXPECT_TRUE(target.rewritten().empty()) << "a rev behind newer ones is a repeat";
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  const auto closed = ledger->quarantine_row(row.rev);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->closing.how, ledger::Closing::How::Retried);
  EXPECT_EQ(closed->closing.by, "alice");
}

TEST_F(SinkLoopTest, ARecordToldAgainToATargetThatGoesAwayIsAnsweredAndClosesItsRowLater) {
  target.history = true;
  const auto row = refuse_second();
  target.fail = [](const Batch&) { return transient("target: away"); };
  std::string said;
  RetryRequest request{
      row, "alice", [&](const Result<std::string>& what) { said = what.error().message; }};
  EXPECT_TRUE(loop->try_again(request));
  const Step step = run();
  EXPECT_EQ(said,
            "the record is on its way to target: target: away; the row closes by itself once it "
            "is accepted");
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 1U);
  accept_all();
  clock.ms = step.until_ms;
  run();
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(SinkLoopTest, ARefusedPlatformEventIsKeptAndARetryWritesItAsItWas) {
  follow_from_head();
  PlatformEventView event;
  event.name = "Order_Event__e";
  event.replay_id = event.payload = "r1";
  event.fields = R"({"Order__c":"1"})";
  ledger::IngestBatch batch;
  batch.stream = {"emea", "/event/Order_Event__e"};
  batch.platform = {&event, 1};
  ASSERT_TRUE(ledger->apply(batch));
  make();
  refuse("emea:Order_Event__e");
  run();
  const auto row = ledger->quarantined().at(0);
  EXPECT_EQ(row.object, "Order_Event__e");
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head()) << "the rest goes on";
  EXPECT_EQ(try_again(row), "error: refused again: target: write: refused");

  accept_all();
  EXPECT_EQ(try_again(row), "target accepted the event when it was written again");
  EXPECT_EQ(target.writes.back().keys, std::vector<std::string>{"emea:Order_Event__e"});
  EXPECT_EQ(target.writes.back().revs, std::vector<Rev>{row.entry_rev});
  EXPECT_EQ(target.writes.back().mode, Mode::Rewrite);
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(SinkLoopTest, ARetryNeverRunsAheadOfTheJournal) {
  follow_from_head();
  const auto row = refuse_second();
  accept_all();
  apply({{account(2), 50, "newer", false}});
  const auto writes = target.writes.size();
  EXPECT_NE(try_again(row).find("is on its way to target"), std::string::npos);
  EXPECT_EQ(target.writes.size(), writes);
  run();
  EXPECT_EQ(ledger->quarantine_open(), 0U) << "the row closed by itself";
}

TEST_F(SinkLoopTest, ARetryAtASinkThatIsNotOpenTriesNothingAndSaysWhy) {
  follow_from_head();
  const auto row = refuse_second();
  target.fail = [](const Batch&) { return transient("target: away"); };
  create_accounts(3, 3);
  run();
  const int tries = target.tries;
  EXPECT_EQ(try_again(row), "error: sink target is not open: target: away; nothing was tried");
  EXPECT_EQ(target.tries, tries);
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 1U);
}

TEST_F(SinkLoopTest, ARetryWhileStatesAreSentTriesNothingAndSaysWhy) {
  create_accounts(1, 20);
  ledger::QuarantineRow row;
  row.org = "emea";
  row.object = "Account";
  row.id = account(1);
  row.stage = "sink.target";
  ASSERT_TRUE(ledger->quarantine({&row, 1}));
  target.cursors["emea"] = foreign_cursor("emea");
  make();
  loop->step();  // opens
  EXPECT_EQ(try_again(ledger->quarantined().at(0)),
            "error: sink target is being sent record states; nothing was tried");
  EXPECT_EQ(target.rewritten(), std::vector<std::string>{});
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 1U);
}

TEST_F(SinkLoopTest, ARetryThatLosesTheTargetIsNotCountedAndTheLoopBacksOff) {
  follow_from_head();
  const auto row = refuse_second();
  target.fail = [](const Batch&) { return transient("target: away"); };
  EXPECT_EQ(try_again(row), "error: target: away; not counted as a try, the row stays");
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 1U);
  EXPECT_EQ(part.state(), PartState::Waiting);
}

TEST_F(SinkLoopTest, OnlySoManyRetriesWaitAtATime) {
  make();
  std::size_t taken = 0;
  for (int i = 0; i < 1'000; ++i) {
    RetryRequest request;
    taken += loop->try_again(request) ? 1 : 0;
  }
  EXPECT_EQ(taken, 100U);
}

TEST_F(SinkLoopTest, GreenIsWhatWasSeenToWork) {
  follow_from_head();
  make();
  loop->step();
  EXPECT_EQ(part.state(), PartState::Ok) << "open, and nothing is owed";
  create_accounts(1, 1);
  target.fail = [](const Batch&) { return transient("target: write: timed out"); };
  for (int i = 0; i < 5; ++i) {
    const Step step = i == 0 ? run() : run_never_green();
    clock.ms = step.until_ms;
  }
  accept_all();
  run();
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(SinkLoopTest, WhatShouldPassAndLastsForAMinuteIsRedUntilItPasses) {
  follow_from_head();
  make();
  run();
  create_accounts(1, 1);
  target.fail = [](const Batch&) { return transient("target: write: disk full; free some"); };
  const std::int64_t began = clock.ms;
  Step step = run();
  for (; clock.ms - began < 60'000; step = run_never_green()) {
    EXPECT_EQ(part.state(), PartState::Waiting);
    clock.ms = step.until_ms;
  }
  EXPECT_EQ(part.state(), PartState::Blocked);
  EXPECT_EQ(part.snapshot().sentence,
            "target: write: disk full; free some; it has lasted for more than a minute");
  EXPECT_LE(step.until_ms - clock.ms, 30'000) << "tried as often as before";
  accept_all();
  clock.ms = step.until_ms;
  run();
  EXPECT_EQ(part.state(), PartState::Ok);
  target.fail = [](const Batch&) { return transient("target: away"); };
  create_accounts(2, 2);
  run();
  EXPECT_EQ(part.state(), PartState::Waiting) << "a new failure has its own minute";
}

TEST_F(SinkLoopTest, AMirrorThatIsTakenIsNotGreenYet) {
  create_accounts(1, 2);
  quarantine_event();
  target.cursors["emea"] = foreign_cursor("emea");
  target.fail = [](const Batch& batch) -> std::optional<Error> {
    for (const EntryView& entry : batch.entries) {
      if (entry.kind == EntryKind::Record) return blocked("target: write: no right to the table");
    }
    return std::nullopt;
  };
  make();
  for (int i = 0; i < 3; ++i) clock.ms = run_never_green().until_ms;
  EXPECT_EQ(part.state(), PartState::Blocked);
  ASSERT_FALSE(target.writes.empty()) << "the mirror was taken, and no record";
}

TEST_F(SinkLoopTest, BlockedIsTriedAgainAfterSixtySeconds) {
  target.open_error = blocked("target: another holder");
  make();
  const Step step = run();
  EXPECT_EQ(step.until_ms - clock.ms, 60'000);
  EXPECT_EQ(part.state(), PartState::Blocked);
  clock.ms += 59'999;
  run();
  EXPECT_EQ(target.opened, 1);
  clock.ms += 1;
  run();
  EXPECT_EQ(target.opened, 2);
}

TEST_F(SinkLoopTest, ARefusedClaimIsTriedAgainWhenTheHoldersSilenceIsLongEnough) {
  target.open_error =
      claim_refused("target: held by another, which wrote 17 s ago", Millis{13'000});
  make();
  EXPECT_EQ(run().until_ms - clock.ms, 13'200);
  EXPECT_EQ(part.state(), PartState::Blocked);
  clock.ms += 13'200;
  // By another's clock it should have been free: not asked without a pause.
  target.open_error =
      claim_refused("target: held by another, which wrote 31 s ago", Millis{-1'000});
  EXPECT_EQ(run().until_ms - clock.ms, 1'000);
  EXPECT_EQ(target.opened, 2);
  clock.ms += 1'000;
  // Nor is a clock far ahead believed.
  target.open_error = claim_refused("target: held by another", Millis{86'400'000});
  EXPECT_EQ(run().until_ms - clock.ms, 60'000);
}

TEST_F(SinkLoopTest, FatalEndsTheLoopAndCloses) {
  follow_from_head();
  create_accounts(1, 1);
  target.fail = [](const Batch&) { return taken_over("target: fenced"); };
  make();
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_NE(metrics.text().find("headwater_sink_fenced_total{sink=\"target\"} 1"),
            std::string::npos);
  EXPECT_EQ(part.state(), PartState::Fatal);
  EXPECT_GE(target.closed, 1);
  loop->stop();
  EXPECT_EQ(part.state(), PartState::Fatal) << "stays red";
  EXPECT_EQ(target.idled, 0) << "a fenced sink writes nothing more";
}

TEST_F(SinkLoopTest, WhatEndsASinkWithoutARivalIsNotCountedAsATakeover) {
  follow_from_head();
  create_accounts(1, 1);
  target.fail = [](const Batch&) { return fatal("ledger: read: corruption"); };
  make();
  EXPECT_EQ(run().next, Step::Next::Done);
  EXPECT_NE(metrics.text().find("headwater_sink_fenced_total{sink=\"target\"} 0"),
            std::string::npos);
}

TEST_F(SinkLoopTest, QuietIsToldOfAgainAfterAReopen) {
  create_accounts(1, 1);
  follow_from_head();
  make();
  clock.ms = run().until_ms;
  clock.ms = run().until_ms;  // told of; now the cursor is touched
  ASSERT_EQ(target.idled, 1);
  target.fail = [](const Batch&) { return transient("target: write: connection reset"); };
  clock.ms = run().until_ms;
  target.fail = {};
  clock.ms = run().until_ms;
  ASSERT_EQ(target.opened, 2);
  run();
  EXPECT_EQ(target.idled, 2);
}

TEST_F(SinkLoopTest, AQuietCursorIsTouchedEveryTenSeconds) {
  create_accounts(1, 1);
  follow_from_head();
  make();
  const std::int64_t opened = clock.ms;
  clock.ms = run().until_ms;  // quiet is told of first
  for (int i = 1; i <= 3; ++i) {
    const Step step = run();
    ASSERT_EQ(step.until_ms - opened, i * 10'000);
    ASSERT_EQ(target.writes.size(), static_cast<std::size_t>(i - 1));
    clock.ms = step.until_ms;
    loop->step();
    ASSERT_EQ(target.writes.size(), static_cast<std::size_t>(i));
    EXPECT_TRUE(target.writes.back().keys.empty());
    EXPECT_EQ(target.writes.back().moves.at("emea"), ledger->head());
  }
}

TEST_F(SinkLoopTest, AfterQuietTheSinkPaysWhatItOwesOnce) {
  follow_from_head();
  create_accounts(1, 1);
  make();
  const Step step = run();
  EXPECT_EQ(target.idled, 0) << "more may come at once";
  EXPECT_EQ(step.until_ms, clock.ms + 100);
  clock.ms = step.until_ms;
  run();
  run();
  EXPECT_EQ(target.idled, 1);
  create_accounts(2, 2);
  clock.ms = run().until_ms;
  run();
  EXPECT_EQ(target.idled, 2) << "once more, after more was written";
}

TEST_F(SinkLoopTest, OrgsWithDifferentCursorsEachGetWhatFollowsTheirOwn) {
  create_accounts(1, 2, "emea");
  target.cursors["emea"] = {"emea", ledger->id(), ledger->head(), 0};
  create_accounts(3, 3, "emea");
  create_accounts(1, 2, "apac");
  target.cursors["apac"] = {"apac", ledger->id(), ledger->head(), 0};
  create_accounts(3, 3, "apac");
  make({"emea", "apac"});
  run();
  EXPECT_EQ(target.keys(), (std::vector{key(3), key(3, "apac")}));
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head());
  EXPECT_EQ(target.cursors["apac"].rev, ledger->head());
  create_accounts(4, 4, "apac");
  run();
  EXPECT_EQ(target.cursors["emea"].rev, ledger->head()) << "it has nothing up to there";
}

TEST_F(SinkLoopTest, ACursorAheadOfItsNeighboursNeverGoesBack) {
  create_accounts(1, 20, "apac");
  create_accounts(1, 2, "emea");
  const Rev ahead = ledger->head();
  target.cursors["emea"] = {"emea", ledger->id(), ahead, 0};
  target.cursors["apac"] = {"apac", ledger->id(), Rev{0}, 0};
  make({"emea", "apac"});
  run();
  ASSERT_GT(target.writes.size(), 2U);
  for (const auto& write : target.writes) {
    const auto move = write.moves.find("emea");
    if (move != write.moves.end()) {
      EXPECT_GE(move->second, ahead);
    }
  }
}

TEST_F(SinkLoopTest, WhatStoodInTheJournalAtAnOpenIsWrittenWithItsRelationsWhole) {
  create_accounts(1, 2);
  follow_from_head();
  create_accounts(3, 3);
  make();
  run();
  ASSERT_EQ(target.writes.back().keys, keys(3, 3));
  EXPECT_TRUE(target.writes.back().whole_relations) << "a run that a crash cut may lack some";
  create_accounts(4, 4);
  run();
  ASSERT_EQ(target.writes.back().keys, keys(4, 4));
  EXPECT_FALSE(target.writes.back().whole_relations);
}

TEST_F(SinkLoopTest, StatesTooLargeForOneWriteAreAllTold) {
  create_accounts(1, 6);
  target.cursors["emea"] = foreign_cursor("emea");
  target.bytes_max = 1;
  make();
  run();
  auto got = target.keys();
  std::ranges::sort(got);
  EXPECT_EQ(got, keys(1, 6));
}

TEST_F(SinkLoopTest, RefusalsAmongOthersThatAreTakenNeverBlameTheTarget) {
  target.history = true;  // it cannot be asked whether it takes what it holds
  std::vector<std::string> poison;
  for (int i = 2; i <= 60; i += 2) poison.push_back(key(i));
  make();
  refuse(poison);
  create_accounts(1, 60);
  run();
  EXPECT_EQ(ledger->quarantine_open(), 30U);
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(SinkLoopTest, AnOrgThatMaterializesDoesNotHoldBackItsNeighboursCursor) {
  create_accounts(1, 2, "emea");
  target.cursors["emea"] = {"emea", ledger->id(), ledger->head(), 0};
  create_accounts(1, 2, "apac");
  target.cursors["apac"] = foreign_cursor("apac");
  create_accounts(3, 3, "emea");
  make({"emea", "apac"});
  run();
  auto got = target.keys();
  std::ranges::sort(got);
  EXPECT_EQ(got, (std::vector{key(1, "apac"), key(2, "apac"), key(3)}));
}

TEST_F(SinkLoopTest, ALedgerBornAnewIsToldInItsNewName) {
  create_accounts(1, 3);
  const std::string old_id = ledger->id();
  const Rev ahead{ledger->head().value + 50};
  target.cursors["emea"] = {"emea", old_id, ahead, 0};
  make();
  run();
  ASSERT_NE(ledger->id(), old_id) << "a cursor ahead of the head proves an old copy";
  EXPECT_EQ(target.made_for, (std::vector{old_id, ledger->id()}));
  EXPECT_EQ(target.cursors["emea"].ledger, ledger->id());
  auto got = target.keys();
  std::ranges::sort(got);
  EXPECT_EQ(got, keys(1, 3));
  for (const auto& write : target.writes) {
    for (const Rev rev : write.revs) EXPECT_GT(rev, ahead);
  }
}

TEST_F(SinkLoopTest, TheJournalWaitsForATargetThatIsOwedHistory) {
  open_with_a_small_journal();
  target.history = true;
  follow_from_head();
  fill_the_journal_while_the_target_is_away();
  EXPECT_TRUE(ledger->journal().full) << "though it has not even told its cursor yet";
  target.open_error.reset();
  run();
  ASSERT_TRUE(ledger->trim());
  EXPECT_FALSE(ledger->journal().full);
  EXPECT_LT(ledger->journal().bytes, options.journal_bytes_max / 2);
}

TEST_F(SinkLoopTest, TheJournalWaitsForATargetThatKeepsPlatformEvents) {
  open_with_a_small_journal();
  target.events = true;
  follow_from_head();
  fill_the_journal_while_the_target_is_away();
  EXPECT_TRUE(ledger->journal().full);
}

TEST_F(SinkLoopTest, TheJournalIsHeldFromWhatTheTargetWouldNameAfterACrash) {
  open_with_a_small_journal();
  create_accounts(1, 1);
  target.history = true;
  follow_from_head();
  target.recorded = ledger->head();
  make();
  const auto pass_a_quarter = [&](int number) {
    const std::uint64_t upto = ledger->journal().bytes + options.journal_bytes_max / 4;
    for (; ledger->journal().bytes < upto; ++number) create_accounts(number, number);
    run();
    clock.ms += 2 * 3'600'000;
    ASSERT_TRUE(ledger->trim());
  };
  pass_a_quarter(2);
  const Rev next{target.recorded->value + 1};
  EXPECT_LE(ledger->journal().first, next) << "its cursor rides later";
  target.recorded.reset();
  pass_a_quarter(1'000);
  EXPECT_GT(ledger->journal().first, next) << "now it would name its cursor";
}

TEST_F(SinkLoopTest, ATargetThatNeedsLastImagesOnlyHoldsNothingBack) {
  open_with_a_small_journal();
  create_accounts(1, 1);
  follow_from_head();
  target.open_error = transient("target: away");
  make();
  run();
  int last = 1;
  while (ledger->journal().bytes < options.journal_bytes_max * 3 / 4) {
    ++last;
    create_accounts(last, last);
  }
  clock.ms += 2 * 3'600'000;
  ASSERT_TRUE(ledger->trim());
  ASSERT_GT(ledger->journal().first, target.cursors["emea"].rev);
  target.open_error.reset();
  run();
  auto got = target.keys();
  std::ranges::sort(got);
  EXPECT_EQ(got, keys(2, last)) << "states stand in for what was trimmed";
}

TEST_F(SinkLoopTest, HistoryThatIsGivenUpForStatesIsAClosedHoleAndImagesHaveNone) {
  for (const bool history : {false, true}) {
    loop.reset();
    open_with_a_small_journal();
    const int last = outgrow_the_journal();
    ASSERT_TRUE(ledger->closed_holes().empty());
    target = {};
    target.history = history;
    make();
    run();
    auto got = target.keys();
    std::erase_if(got, [](const auto& key) { return key.find(":Account:") == std::string::npos; });
    EXPECT_EQ(got, keys(1, last)) << "the journal goes on after the states without a seam";
    const auto holes = ledger->closed_holes();
    ASSERT_EQ(holes.size(), history ? 1U : 0U);
    EXPECT_TRUE(ledger->holes().empty());
    EXPECT_EQ(part.state(), PartState::Ok);
    if (!history) continue;
    EXPECT_EQ(holes[0].sink, "target");
    EXPECT_EQ(holes[0].cause, ledger::kSinkHistory);
    EXPECT_EQ(target.writes.back().mode, Mode::Follow);
  }
}

TEST_F(SinkLoopTest, ATargetThatFailsWhileItIsGivenStatesLosesNoMoreHistoryByThat) {
  open_with_a_small_journal();
  target.history = true;
  target.cursors["emea"] = foreign_cursor("emea");
  create_accounts(1, 3);
  target.fail = [](const Batch&) { return transient("target: write: connection reset"); };
  make();
  for (int number = 4; number < 10; ++number) {
    clock.ms = run().until_ms;
    create_accounts(number, number);
  }
  accept_all();
  run();
  EXPECT_EQ(ledger->closed_holes().size(), 1U);
  std::vector<std::string> states;
  for (const auto& write : target.writes) {
    if (write.mode == Mode::Materialize)
      states.insert(states.end(), write.keys.begin(), write.keys.end());
  }
  EXPECT_EQ(states, keys(1, 3)) << "what came since is told entry by entry";
}

TEST_F(SinkLoopTest, TheLagOfATargetThatIsAwayGrows) {
  create_accounts(1, 1);
  follow_from_head();
  make();
  run();
  EXPECT_EQ(loop->status().lag_entries, 0U);
  target.fail = [](const Batch&) { return transient("target: away"); };
  create_accounts(2, 4);
  run();
  EXPECT_EQ(loop->status().lag_entries, 3U);
  clock.ms += 20;
  create_accounts(5, 5);
  clock.ms += 80;
  EXPECT_EQ(loop->status().lag_entries, 4U);
  EXPECT_DOUBLE_EQ(loop->status().lag_seconds, 0.1);
  EXPECT_FALSE(loop->caught_up());
}

TEST_F(SinkLoopTest, AStopLetsTheSinkPayWhatItOwesAndClosesIt) {
  make();
  loop->step();
  loop->stop();
  EXPECT_EQ(target.idled, 1);
  EXPECT_EQ(target.closed, 1);
  EXPECT_EQ(part.state(), PartState::Stopped);
}

TEST_F(SinkLoopTest, ABlockedSinkIsTriedAtOnceWithAnotherMapping) {
  target.open_error = blocked("target: a column of another type");
  make();
  run();
  target.open_error.reset();
  loop->remake();
  run();
  EXPECT_EQ(target.opened, 2);
  EXPECT_EQ(part.state(), PartState::Ok);
}

TEST_F(SinkLoopTest, ASinkOfAnotherMappingIsMadeAndOpenedBeforeAnythingIsWritten) {
  follow_from_head();
  make();
  run();
  loop->remake();
  create_accounts(1, 3);
  target.fail = [this](const Batch&) -> std::optional<Error> {
    EXPECT_EQ(target.made_for.size(), 2U);
    EXPECT_EQ(target.opened, 2);
    return std::nullopt;
  };
  run();
  EXPECT_EQ(target.keys(), keys(1, 3));
  EXPECT_EQ(target.closed, 1);
}

}  // namespace
}  // namespace headwater
