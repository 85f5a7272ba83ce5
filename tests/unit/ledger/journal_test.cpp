#include <future>
#include <thread>

#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

class JournalTest : public LedgerTest {
 protected:
  void SetUp() override {
    options.journal_bytes_max = 100'000;
    LedgerTest::SetUp();
  }
  /// Entries of about 2 kB each.
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      number_ += 1;
      apply({updated(number_,
                     {{"Description", std::string(1000, static_cast<char>('a' + i % 26))}})});
    }
  }

 private:
  std::int64_t number_ = 0;
};

TEST_F(JournalTest, EntriesComeInOrderUntilABoundIsMetAndAtLeastOne) {
  fill(5);
  EntryBatch batch;
  ASSERT_TRUE(ledger->read({}, 3, 1 << 20, batch));
  EXPECT_EQ(batch.entries().size(), 3U);
  batch.clear();
  ASSERT_TRUE(ledger->read({}, 100, 1, batch));
  ASSERT_EQ(batch.entries().size(), 1U);
  const Rev first = batch.entries()[0].meta.rev;
  batch.clear();
  ASSERT_TRUE(ledger->read(first, 100, 1 << 20, batch));
  EXPECT_EQ(batch.entries().size(), 4U);
  EXPECT_EQ(batch.entries().back().meta.rev, ledger->head());
}

TEST_F(JournalTest, ABatchOfEntriesIsBytesAndEntriesOfTheJournal) {
  fill(5);
  const auto facts = ledger->journal();
  EXPECT_EQ(facts.entries, 5U);
  EXPECT_EQ(facts.head, ledger->head());
  EXPECT_EQ(facts.first, entries()[0].meta.rev);
  std::uint64_t bytes = 0;
  for (auto scan = open_memory_store(disk)->scan(Family::Journal, ""); scan->valid();
       scan->next()) {
    bytes += scan->key().size() + scan->value().size();
  }
  EXPECT_EQ(facts.bytes, bytes);
  crash_and_open();
  EXPECT_EQ(ledger->journal().bytes, bytes);
  EXPECT_EQ(ledger->journal().entries, 5U);
}

TEST_F(JournalTest, WhatIsOldAndOwedByNobodyIsDropped) {
  fill(30);
  const Rev middle = entries()[15].meta.rev;
  ASSERT_TRUE(ledger->trim());
  EXPECT_EQ(ledger->journal().entries, 30U) << "within journal_keep";
  clock.us += 2LL * 3600 * 1'000'000;
  ledger->hold_journal("kafka", middle);
  ASSERT_TRUE(ledger->trim());
  const auto facts = ledger->journal();
  EXPECT_LT(facts.entries, 30U);
  EXPECT_GE(facts.entries, 14U);
  EXPECT_LE(facts.first.value, middle.value + 1) << "what kafka is owed is there";
  const auto bytes = facts.bytes;
  crash_and_open();
  EXPECT_EQ(ledger->journal().bytes, bytes);
  EXPECT_EQ(entries(middle).size(), 14U);
}

TEST_F(JournalTest, OneThatLostAllItsEntriesBeginsAfterTheLast) {
  EXPECT_EQ(ledger->journal().first, Rev{0});
  for (int i = 0; ledger->journal().entries != 0 || i == 0; ++i) {
    ASSERT_LT(i, 400) << "no entry was the last of its segment";
    fill(1);
    clock.us += 2LL * 3600 * 1'000'000;
    ASSERT_TRUE(ledger->trim());
  }
  EXPECT_EQ(ledger->journal().first.value, ledger->head().value + 1);
  EXPECT_TRUE(entries(ledger->head()).empty());
}

TEST_F(JournalTest, ASinkThatFellBehindTheStartIsToldSo) {
  fill(30);
  const Rev old = entries()[0].meta.rev;
  clock.us += 2LL * 3600 * 1'000'000;
  ASSERT_TRUE(ledger->trim());
  EntryBatch batch;
  const auto read = ledger->read(old, 10, 1 << 20, batch);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::Transient);
  EXPECT_EQ(read.error().code, "trimmed");
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", ledger->id(), old, {}),
            CursorVerdict::Materialize);
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", "", {}, {}), CursorVerdict::Materialize)
      << "its start is gone";
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", ledger->id(), ledger->head(), {}),
            CursorVerdict::Follow);
}

TEST_F(JournalTest, ATrimIsExactOnDiskAndOutlivesACrash) {
  fill(30);
  clock.us += 2LL * 3600 * 1'000'000;
  ledger->hold_journal("kafka", entries()[15].meta.rev);
  ASSERT_TRUE(ledger->trim());
  const auto facts = ledger->journal();
  ASSERT_LT(facts.entries, 30U);
  std::size_t on_disk = 0;
  for (auto scan = open_memory_store(disk)->scan(Family::Journal, ""); scan->valid(); scan->next())
    ++on_disk;
  EXPECT_EQ(on_disk, facts.entries);
  crash_and_open();
  // The last that was dropped is owed to whoever stands before it, and to no one who stands on it.
  const Rev dropped{facts.first.value - 1}, before{facts.first.value - 2};
  EntryBatch batch;
  EXPECT_FALSE(ledger->read(before, 10, 1 << 20, batch));
  EXPECT_TRUE(ledger->read(dropped, 10, 1 << 20, batch));
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", ledger->id(), before, {}),
            CursorVerdict::Materialize);
  EXPECT_EQ(*ledger->found_cursor("redis", "emea", ledger->id(), dropped, {}),
            CursorVerdict::Follow);
}

TEST_F(JournalTest, WhatIsOwedStaysWhereverInItsSegmentItStands) {
  for (std::size_t at = 8; at < 24; ++at) {
    disk = std::make_shared<MemoryDisk>();
    open();
    fill(30);
    const Rev cursor = entries()[at].meta.rev;
    clock.us += 2LL * 3600 * 1'000'000;
    ledger->hold_journal("kafka", cursor);
    ASSERT_TRUE(ledger->trim());
    EXPECT_EQ(entries(cursor).size(), 29 - at);
  }
}

TEST_F(JournalTest, EntriesAreKeptForAsLongAsTheNewestBesideThem) {
  for (int old = 12; old < 24; ++old) {
    disk = std::make_shared<MemoryDisk>();
    open();
    fill(old);
    clock.us += 50LL * 60 * 1'000'000;
    fill(20);
    clock.us += 20LL * 60 * 1'000'000;
    ASSERT_TRUE(ledger->trim());
    EXPECT_LT(ledger->journal().entries, 20U + static_cast<unsigned>(old));
    EXPECT_GE(ledger->journal().entries, 20U) << "journal.keep is a promise to each of them";
  }
}

TEST_F(JournalTest, AtTheBoundItIsFullOnlyWhileEntriesAreOwed) {
  ledger->hold_journal("kafka", Rev{0});
  fill(80);
  EXPECT_GE(ledger->journal().bytes, options.journal_bytes_max);
  EXPECT_TRUE(ledger->journal().full);
  EXPECT_EQ(ledger->journal().entries, 80U) << "nothing that is owed was dropped";
  // Kafka has them: within journal_keep, yet the bound counts more.
  ledger->hold_journal("kafka", ledger->head());
  EXPECT_FALSE(ledger->journal().full);
  ASSERT_TRUE(ledger->trim());
  EXPECT_LT(ledger->journal().bytes, options.journal_bytes_max);
}

TEST_F(JournalTest, AtTheBoundItIsFullOrShrinksHoweverLittleIsOwedByNobody) {
  ledger->hold_journal("kafka", Rev{0});
  fill(80);
  std::vector<Rev> revs;
  for (const auto& entry : entries()) revs.push_back(entry.meta.rev);
  clock.us += 24LL * 3'600'000'000;  // what nobody is owed need not be kept any more
  for (const Rev rev : revs) {
    ledger->hold_journal("kafka", rev);
    ASSERT_TRUE(ledger->trim());
    const auto facts = ledger->journal();
    ASSERT_TRUE(facts.full || facts.bytes < facts.bytes_max)
        << "nothing is asked for, and nothing dropped, with " << facts.entries << " entries";
  }
  EXPECT_FALSE(ledger->journal().full);
}

TEST_F(JournalTest, WithoutHistoryOwedTheBoundIsKeptByItself) {
  fill(200);
  EXPECT_LT(ledger->journal().bytes, options.journal_bytes_max + 10'000);
  EXPECT_FALSE(ledger->journal().full);
}

TEST_F(JournalTest, LagCountsEntriesNotJumps) {
  fill(3);
  const Rev first = entries()[0].meta.rev;
  crash_and_open();
  clock.us += 1'000'000;
  crash_and_open();
  fill(2);
  EXPECT_GT(ledger->head().value - first.value, 4U);
  EXPECT_EQ(ledger->entries_after(first), 4U);
  EXPECT_EQ(ledger->entries_after({}), 5U);
  EXPECT_EQ(ledger->entries_after(ledger->head()), 0U);
}

TEST_F(JournalTest, LagCountsNoRevThatABirthPassedOver) {
  fill(3);
  const Rev first = entries()[0].meta.rev;
  ASSERT_TRUE(
      ledger->found_cursor("redis", "emea", ledger->id(), Rev{ledger->head().value + 50}, {}));
  fill(1);
  EXPECT_EQ(ledger->entries_after(first), entries(first).size());
}

TEST_F(JournalTest, AWaiterIsWokenByAnEntry) {
  const Rev seen = ledger->head();
  std::promise<void> waits;
  // Asked under the lock that a write takes to tell of itself: it comes while we wait.
  const auto is_waiting = [&] { return waits.set_value(), false; };
  const auto until = std::chrono::steady_clock::now() + std::chrono::hours(1);
  auto grew =
      std::async(std::launch::async, [&] { return ledger->wait_for(seen, until, {}, is_waiting); });
  waits.get_future().wait();
  fill(1);
  const auto woken = grew.wait_for(std::chrono::seconds(60));
  ledger->wake();  // else a test that fails ends in an hour
  EXPECT_EQ(woken, std::future_status::ready);
  EXPECT_TRUE(grew.get());
}

TEST_F(JournalTest, AWaiterIsWokenByAStopWithoutAnEntry) {
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  EXPECT_FALSE(ledger->wait_for(ledger->head(), until, stop.get_token()));
  EXPECT_LT(std::chrono::steady_clock::now(), until);
}

TEST_F(JournalTest, TheSameEventsClockAndStartGiveTheSameBytes) {
  const auto bytes = [&] {
    disk = std::make_shared<MemoryDisk>();
    clock.us = 1'772'366'400'000'000;
    open();
    apply({created(1, {{"Name", "A"}, {"Odd__c", "x"}}), updated(2, {{"Name", "B"}})});
    std::string out;
    for (auto scan = open_memory_store(disk)->scan(Family::Journal, ""); scan->valid();
         scan->next()) {
      out.append(scan->key()).append(scan->value());
    }
    return out;
  };
  EXPECT_EQ(bytes(), bytes());
}

}  // namespace
}  // namespace headwater::ledger
