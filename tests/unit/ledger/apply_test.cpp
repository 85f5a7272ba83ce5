#include "daemon/ledger/apply.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace headwater::ledger {
namespace {

constexpr NameId kModified = 0;
constexpr EpochMs kStart = 1'772'366'400'000;

/// One thing that is applied, with the memory that it borrows.
struct Step {
  ChangeType type = ChangeType::Update;
  Version version;
  std::vector<Member> fields;
  bool present = true;

  Incoming incoming() const {
    Incoming in;
    in.type = type;
    in.version = version;
    in.fields = fields;
    in.present = present;
    in.last_modified = kModified;
    return in;
  }
};

/// A record's true life, as Salesforce would commit it, and what was told of it.
struct History {
  std::vector<Step> steps;
  std::map<NameId, std::int64_t> truth;
  bool alive = true;
};

/// Events in commit order, seconds never shared by two of them; rows read in between, each told by
/// the highest commit number that had arrived when its query was sent (`lag` events behind the
/// truth).
History random_history(std::mt19937_64& random) {
  History history;
  std::vector<Version> committed;
  std::int64_t number = 100;
  EpochMs now = kStart;
  std::uint64_t queries = 0;
  EpochMs stamp = 0;
  const auto event = [&](ChangeType type) {
    Step step;
    step.type = type;
    number += 1 + static_cast<std::int64_t>(random() % 3);
    now += 10'000 + static_cast<EpochMs>(random() % 5) * 1000;
    step.version = {1, number, 1 + random() % 2, now};
    committed.push_back(step.version);
    stamp = now;
    return step;
  };
  const auto take = [&](Step& step, NameId name) {
    const auto value = static_cast<std::int64_t>(random() % 4);
    history.truth[name] = value;
    step.fields.push_back({name, ValueView::integer(value)});
  };
  Step create = event(ChangeType::Create);
  for (NameId name = 0; name < 5; ++name) take(create, name);
  history.steps.push_back(create);
  const std::size_t length = 3 + random() % 10;
  for (std::size_t i = 0; i < length; ++i) {
    const auto kind = random() % 10;
    if (kind < 5 && history.alive) {
      Step update = event(ChangeType::Update);
      for (NameId name = 0; name < 5; ++name) {
        if (random() % 3 == 0) take(update, name);
      }
      history.steps.push_back(update);
    } else if (kind < 6 && history.alive) {
      history.alive = false;
      history.steps.push_back(event(ChangeType::Delete));
    } else if (kind < 7 && !history.alive) {
      history.alive = true;
      Step undelete = event(ChangeType::Undelete);
      for (NameId name = 0; name < 5; ++name) take(undelete, name);
      history.steps.push_back(undelete);
    } else {
      Step row;
      row.type = ChangeType::Refetch;
      // The stream may be behind: the noted version is that of an earlier event.
      const std::size_t lag = std::min<std::size_t>(random() % 3, committed.size() - 1);
      const Version& seen = committed[committed.size() - 1 - lag];
      row.version = {1, seen.commit_number, Version::kRowSequence + ++queries, stamp};
      row.present = history.alive;
      if (!row.present && lag > 0)
        continue;  // asked for before the deletion was known: no such row
      if (!row.present) {
        row.version.at_ms = 0;
      } else {
        for (const auto& [name, value] : history.truth) {
          row.fields.push_back({name, ValueView::integer(value)});
        }
      }
      history.steps.push_back(row);
    }
  }
  return history;
}

/// All that the state says, as text.
std::string show(const RecordState& state) {
  RecordCodec codec;
  RecordState copy = state;
  std::string out;
  copy.refetch_owed = false;
  copy.deleted_at = copy.deleted() ? copy.deleted_at : 0;
  copy.deleted_by = ChangeType::Delete;
  codec.encode(copy, out);
  return out + (copy.deleted() ? "D" : "A");
}

RecordState run(const std::vector<Step>& steps) {
  RecordState state;
  Applier applier;
  Outcome outcome;
  for (const Step& step : steps) applier.apply(state, step.incoming(), outcome);
  return state;
}

TEST(Apply, AnyOrderAndRepetitionGivesTheSameStateAndTheTruth) {
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    std::mt19937_64 random(seed);
    const History history = random_history(random);
    const RecordState in_order = run(history.steps);
    const std::string expected = show(in_order);
    EXPECT_EQ(in_order.deleted(), !history.alive) << "seed " << seed;
    for (const auto& [name, value] : history.truth) {
      const auto at = std::ranges::find(in_order.src, name, &Member::name);
      ASSERT_NE(at, in_order.src.end());
      EXPECT_EQ(at->value.number, value) << "seed " << seed << " field " << name;
    }
    for (int order = 0; order < 20; ++order) {
      std::vector<Step> steps = history.steps;
      const std::size_t repeats = random() % 4;
      for (std::size_t i = 0; i < repeats; ++i) {
        steps.push_back(history.steps[random() % history.steps.size()]);
      }
      std::shuffle(steps.begin(), steps.end(), random);
      ASSERT_EQ(show(run(steps)), expected) << "seed " << seed << " order " << order;
    }
  }
}

TEST(Apply, AFieldIsWrittenOnlyIfTheEventListsIt) {
  const Step create{ChangeType::Create,
                    {1, 10, 1, kStart},
                    {{1, ValueView::integer(1)}, {2, ValueView::integer(2)}}};
  const Step update{ChangeType::Update, {1, 11, 1, kStart + 1000}, {{2, ValueView::null()}}};
  const RecordState state = run({create, update});
  ASSERT_EQ(state.src.size(), 2U);
  EXPECT_EQ(state.src[0].value.number, 1);
  EXPECT_TRUE(state.src[1].value.is_null());
  EXPECT_TRUE(state.complete);
}

Doubt doubt_of(const std::vector<Step>& before, const Step& last) {
  RecordState state;
  Applier applier;
  Outcome outcome;
  for (const Step& step : before) applier.apply(state, step.incoming(), outcome);
  applier.apply(state, last.incoming(), outcome);
  return outcome.doubt;
}

const Step kCreate{ChangeType::Create, {1, 10, 1, kStart}, {{0, ValueView::integer(0)}}};

Step update_at(std::int64_t number, EpochMs at) {
  return {ChangeType::Update, {1, number, 1, at}, {{0, ValueView::integer(number)}}};
}
Step row_at(std::int64_t number, std::uint64_t query, EpochMs stamp) {
  return {ChangeType::Refetch,
          {1, number, Version::kRowSequence + query, stamp},
          {{0, ValueView::integer(-1)}}};
}

TEST(Apply, AnUpdateOfARecordNeverSeenIsAppliedAndDoubted) {
  EXPECT_EQ(doubt_of({}, update_at(10, kStart)), Doubt::Incomplete);
  EXPECT_EQ(doubt_of({kCreate}, update_at(11, kStart + 60'000)), Doubt::None);
}

TEST(Apply, TheSecondsUpToARowsStampAreATieWhicheverCameFirst) {
  const EpochMs stamp = kStart + 60'000;
  const Step row = row_at(10, 1, stamp);
  for (const EpochMs before : {0, 1000, 5000}) {
    EXPECT_EQ(doubt_of({kCreate, row}, update_at(11, stamp - before)), Doubt::Tie);
    EXPECT_EQ(doubt_of({kCreate, update_at(11, stamp - before)}, row), Doubt::Tie);
  }
  EXPECT_EQ(doubt_of({kCreate, row}, update_at(11, stamp - 6000)), Doubt::None);
  EXPECT_EQ(doubt_of({kCreate, row}, update_at(11, stamp + 1000)), Doubt::None);
  // In the same second it is applied, before it is not.
  EXPECT_EQ(run({kCreate, row, update_at(11, stamp)}).src[0].value.number, 11);
  EXPECT_EQ(run({kCreate, row, update_at(11, stamp - 1000)}).src[0].value.number, -1);
}

TEST(Apply, ARowThatWasAskedForEarlierAndReadLaterIsAskedForAgain) {
  const EpochMs stamp = kStart + 60'000;
  const std::vector<Step> held{kCreate, row_at(20, 1, stamp), update_at(30, stamp + 20'000)};
  EXPECT_EQ(doubt_of(held, row_at(10, 1, stamp + 60'000)), Doubt::Tie) << "of a Bulk job";
  EXPECT_EQ(doubt_of(held, row_at(10, 1, stamp)), Doubt::None) << "as it was then";
  EXPECT_EQ(doubt_of(held, row_at(40, 1, stamp + 60'000)), Doubt::None);
  const std::vector<Step> later{kCreate, row_at(20, 1, stamp)};
  EXPECT_EQ(doubt_of(later, row_at(30, 1, stamp - 20'000)), Doubt::Tie) << "and came first";
  EXPECT_EQ(doubt_of(later, row_at(30, 1, stamp)), Doubt::None);
}

TEST(Apply, ARowThatWasAskedForBeforeAnAbsenceAndReadAfterItIsAskedForAgain) {
  const EpochMs stamp = kStart + 60'000;
  Step absence = row_at(20, 1, stamp);  // last seen as saved then
  absence.present = false;
  absence.fields.clear();
  const std::vector<Step> held{kCreate, update_at(15, stamp), absence};
  EXPECT_EQ(doubt_of(held, row_at(10, 1, stamp + 60'000)), Doubt::Tie);
  EXPECT_EQ(doubt_of(held, row_at(10, 1, stamp - 60'000)), Doubt::None);
}

TEST(Apply, ARowNotedAfterTheEventEndsTheTie) {
  const EpochMs stamp = kStart + 60'000;
  const std::vector<Step> tied{kCreate, row_at(10, 1, stamp), update_at(11, stamp)};
  EXPECT_EQ(doubt_of(tied, row_at(11, 2, stamp)), Doubt::None);
}

TEST(Apply, ACommitTimeThatContradictsTheVersionIsDoubted) {
  EXPECT_EQ(doubt_of({kCreate, update_at(20, kStart + 60'000)}, update_at(21, kStart + 50'000)),
            Doubt::Clock);
  EXPECT_EQ(doubt_of({kCreate, update_at(20, kStart + 60'000)}, update_at(19, kStart + 70'000)),
            Doubt::Clock);
}

TEST(Apply, AnUpdateNewerThanTheDeletionIsDoubted) {
  const Step gone{ChangeType::Delete, {1, 12, 1, kStart + 20'000}, {}};
  EXPECT_EQ(doubt_of({kCreate, gone}, update_at(13, kStart + 30'000)), Doubt::Revived);
  EXPECT_EQ(doubt_of({kCreate, gone}, update_at(11, kStart + 10'000)), Doubt::None);
}

TEST(Apply, TouchedCountsOnlyWhileNewerThanLastModifiedDate) {
  const Step touch{ChangeType::Update, {1, 11, 1, kStart + 10'000}, {{3, ValueView::integer(1)}}};
  RecordState state = run({kCreate, touch});
  EXPECT_EQ(state.touched_at(kModified), kStart + 10'000);
  state = run({kCreate, touch, update_at(12, kStart + 20'000)});
  EXPECT_EQ(state.touched_at(kModified), 0);
}

TEST(Apply, WhatComesBehindADeletionIsLate) {
  RecordState state = run({kCreate, {ChangeType::Delete, {1, 12, 1, kStart + 20'000}, {}}});
  Outcome outcome;
  Applier().apply(state, update_at(11, kStart + 10'000).incoming(), outcome);
  EXPECT_TRUE(outcome.late);
}

TEST(Apply, ADecimalThatChangedIsAmongWhatWasReplaced) {
  RecordState state =
      run({{ChangeType::Create, {1, 10, 1, kStart}, {{1, ValueView::decimal(12.5)}}}});
  Outcome outcome;
  const Step update{ChangeType::Update, {1, 11, 1, kStart}, {{1, ValueView::decimal(13.5)}}};
  Applier().apply(state, update.incoming(), outcome);
  ASSERT_EQ(outcome.replaced.size(), 1U);
  EXPECT_EQ(outcome.replaced[0].value.real, 12.5);
}

}  // namespace
}  // namespace headwater::ledger
