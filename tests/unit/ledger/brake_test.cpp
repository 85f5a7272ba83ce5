#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

/// A hundred accounts, of which a refetch finds none: ten are let go, ninety are spared.
class BrakeTest : public LedgerTest {
 protected:
  static constexpr int kSpared = 90;

  void SetUp() override {
    LedgerTest::SetUp();
    std::vector<Event> events;
    for (int i = 0; i < 100; ++i) {
      ids.push_back(RecordId::parse(kAcme.substr(0, 13) + static_cast<char>('a' + i / 10) +
                                    static_cast<char>('a' + i % 10))
                        ->str());
      events.push_back(created(i + 1, {{"Name", "A"}}, ids.back()));
      gone.push_back({ids.back(), {}, 0, false});
    }
    apply(events);
    noted = *ledger->note_version("emea");
    apply_rows(noted, gone);
  }
  std::int64_t spared() const {
    return std::ranges::count_if(ledger->holes(1000), [](const Hole& hole) {
      return hole.scope == Hole::Scope::Record && hole.cause == "mass_delete";
    });
  }
  std::vector<Hole> of_object() const {
    auto holes = ledger->wide_holes("emea");
    std::erase_if(holes, [](const Hole& hole) { return hole.cause != "mass_delete"; });
    return holes;
  }
  /// The bus tells the deletion of these, in order of their numbers.
  void tell_deleted(int from, int to) {
    std::vector<Event> events;
    for (int i = from; i < to; ++i) events.push_back(deleted(1'000 + i, ids[std::size_t(i)]));
    apply(events);
  }
  std::vector<Hole> closed() const {
    auto holes = ledger->closed_holes();
    std::erase_if(holes, [](const Hole& hole) { return hole.cause != "mass_delete"; });
    return holes;
  }

  std::vector<std::string> ids;
  std::vector<TestRow> gone;
  Version noted;
};

TEST_F(BrakeTest, AMassOfUnstatedDeletesIsBrakedAndSaid) {
  EXPECT_EQ(ledger->counts()[0].deleted, 10U);
  ASSERT_EQ(of_object().size(), 1U);
  // The rest stays in doubt, each by itself, and is asked for again in an hour, by when the window
  // is a new one.
  EXPECT_EQ(spared(), kSpared);
  EXPECT_TRUE(ledger->due_refetches("emea", clock.now_ms(), 10).empty());
  crash_and_open();
  apply_rows(*ledger->note_version("emea"), {gone.back()});
  EXPECT_EQ(ledger->counts()[0].deleted, 10U) << "the brake holds through a restart";
  clock.us += 3601LL * 1'000'000;
  apply_rows(*ledger->note_version("emea"), {gone.back()});
  EXPECT_EQ(ledger->counts()[0].deleted, 11U);
}

TEST_F(BrakeTest, AClockThatWentBackBeginsTheHourAnew) {
  clock.us -= 86'400LL * 1'000'000;
  apply_rows(*ledger->note_version("emea"), {gone.back()});
  EXPECT_EQ(ledger->counts()[0].deleted, 11U);
}

TEST_F(BrakeTest, EventsThatTellTheDeletionsLaterCloseTheHole) {
  // The refetch was faster than the bus: the ten that were let go are told too, and say nothing
  // new.
  tell_deleted(0, 40);
  EXPECT_EQ(spared(), 60) << "each hole ends with its record's own event";
  ASSERT_EQ(closed().size(), 30U) << "those spared are open: being asked for closed none";
  EXPECT_EQ(of_object().size(), 1U);
  crash_and_open();
  tell_deleted(40, 99);
  EXPECT_EQ(of_object().size(), 1U) << "one is still in doubt";
  tell_deleted(99, 100);
  EXPECT_EQ(of_object().size(), 0U);
  EXPECT_EQ(spared(), 0);
  EXPECT_EQ(ledger->counts()[0].deleted, 100U);
  ASSERT_EQ(closed().size(), 91U);
  EXPECT_EQ(closed()[0].closing.how, Closing::How::Repaired);
  EXPECT_NE(closed()[0].closing.evidence.find("by its own event"), std::string::npos);
}

TEST_F(BrakeTest, ARecordThatWasThereAgainLeavesTheHoleToAReadingOfAll) {
  tell_deleted(10, 99);
  apply_rows(*ledger->note_version("emea"), {{ids[99], {{"Name", "A"}}}});
  EXPECT_EQ(spared(), 0);
  EXPECT_EQ(of_object().size(), 1U) << "what the refetches said of the first ten may be wrong too";
}

TEST_F(BrakeTest, ARecordThatWasLetGoAnHourLaterIsNoEvidence) {
  tell_deleted(10, 99);
  clock.us += 3601LL * 1'000'000;
  apply_rows(*ledger->note_version("emea"), {gone[99]});
  EXPECT_EQ(ledger->counts()[0].deleted, 100U);
  EXPECT_EQ(of_object().size(), 1U);
}

TEST_F(BrakeTest, ADoubtThatCameWithTheDeletionIsAskedForBeforeTheHoleCloses) {
  tell_deleted(10, 99);
  Event gap = deleted(2'000, ids[99]);
  gap.type = ChangeType::GapUndelete;
  apply({deleted(1'999, ids[99]), gap});
  EXPECT_EQ(of_object().size(), 1U);
  ASSERT_EQ(ledger->due_refetches("emea", clock.now_ms(), 10).size(), 1U) << "at once";
  // It is gone again by then, as its event had said: that ends the last doubt.
  apply_rows(*ledger->note_version("emea"), {gone[99]});
  EXPECT_EQ(spared(), 0);
  EXPECT_EQ(of_object().size(), 0U);
}

TEST_F(BrakeTest, ADeletionThatIsOlderThanTheRefetchAsksAtOnce) {
  // Another stream is ahead: what a refetch knew is newer than what this event says.
  tell_deleted(10, 99);
  apply({created(5'000, {{"Name", "B"}}, kOther)});
  apply_rows(*ledger->note_version("emea"), {gone[99]});
  tell_deleted(99, 100);
  EXPECT_EQ(spared(), 1);
  ASSERT_EQ(ledger->due_refetches("emea", clock.now_ms(), 10).size(), 1U);
  apply_rows(*ledger->note_version("emea"), {gone[99]});
  EXPECT_EQ(of_object().size(), 0U);
}

TEST_F(BrakeTest, WhatTheRecycleBinShowsIsDeletedAndEndsTheDoubtOfTheSpared) {
  auto rows = gone;
  for (TestRow& row : rows) row.deleted = true;  // absent, and the bin says why
  rows.resize(99);
  apply_rows(*ledger->note_version("emea"), rows);
  EXPECT_EQ(ledger->counts()[0].deleted, 99U) << "no brake asks the org twice";
  EXPECT_EQ(spared(), 1);
  EXPECT_EQ(of_object().size(), 1U) << "one is still in doubt";
  apply_rows(*ledger->note_version("emea"), {{ids[99], {}, 0, false, true}});
  EXPECT_EQ(of_object().size(), 0U);
  EXPECT_NE(closed()[0].closing.evidence.find("told since"), std::string::npos);
}

TEST_F(BrakeTest, ARecordThatIsSparedTwiceIsOneDoubt) {
  apply_rows(*ledger->note_version("emea"), {gone[98], gone[99]});
  tell_deleted(10, 100);
  EXPECT_EQ(of_object().size(), 0U);
}

TEST_F(BrakeTest, EventsDoNotCloseTheHoleOfAReadingThatMissedMore) {
  ReadJob job;
  job.org = "emea";
  job.object = "Account";
  const auto added = ledger->add_job(job);
  ASSERT_TRUE(added);
  const Version after = *ledger->note_version("emea");
  const auto all_read = ledger->change_job(added->number, [&](ReadJob& it) {
    it.state = ReadJob::State::Settling;
    it.noted = after;
  });
  ASSERT_TRUE(all_read);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(ledger->settle_job(added->number, 1'000));
  ASSERT_EQ(of_object().size(), 1U);
  tell_deleted(10, 100);
  EXPECT_EQ(spared(), 0);
  EXPECT_EQ(of_object().size(), 1U);
}

}  // namespace
}  // namespace headwater::ledger
