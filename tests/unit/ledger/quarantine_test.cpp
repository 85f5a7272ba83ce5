#include "daemon/ledger/closed_rows.hpp"
#include "daemon/ledger/hole_rows.hpp"
#include "daemon/ledger/keys.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

class QuarantineTest : public LedgerTest {
 protected:
  static QuarantineRow event(std::string replay_id, std::string payload) {
    QuarantineRow row;
    row.org = "emea";
    row.topic = "/data/ChangeEvents";
    row.stage = "decode";
    row.reason_code = "avro";
    row.reason = "ends early";
    row.schema_id = "s1";
    row.replay_id = std::move(replay_id);
    row.payload = std::move(payload);
    return row;
  }
  static QuarantineRow refused(std::uint64_t rev, const std::string& id = kAcme) {
    QuarantineRow row;
    row.org = "emea";
    row.object = "Account";
    row.id = id;
    row.stage = "sink.postgres";
    row.reason_code = "23514";
    row.reason = "a check constraint is violated";
    row.payload = "image " + std::to_string(rev);
    row.entry_rev = Rev{rev};
    return row;
  }
  void put(const QuarantineRow& row) { ASSERT_TRUE(ledger->quarantine({&row, 1})); }
  static Closing closing(Closing::How how) { return {how, "alice", "because", 0}; }
};

TEST_F(QuarantineTest, AnEventIsKeptWithItsBytesAndToldOnceHoweverOftenItComes) {
  QuarantineRow row = event(std::string("\0\x01", 2), std::string("\0bytes", 6));
  put(row);
  put(row);
  EXPECT_EQ(ledger->quarantine_open(), 1U);
  crash_and_open();
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  const QuarantineRow kept = ledger->quarantined().at(0);
  EXPECT_EQ(kept.payload, row.payload);
  EXPECT_EQ(kept.topic, row.topic);
  EXPECT_EQ(kept.attempts, 2U);
  const auto all = entries();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].kind, EntryKind::Quarantine);
  EXPECT_EQ(all[0].meta.rev, kept.rev);
  EXPECT_EQ(all[0].rkey, "emea:::decode:avro:0001");
  EXPECT_EQ(all[0].row,
            "{\"id\":1772366400000000,\"subject\":\"emea:/data/"
            "ChangeEvents\",\"org\":\"emea\",\"object\":null,\"record_id\":null,"
            "\"stage\":\"decode\",\"reason_code\":\"avro\",\"reason\":\"ends early\","
            "\"schema_id\":\"s1\",\"replay_id\":\"0001\",\"entry_rev\":0,\"payload_bytes\":6,"
            "\"payload_hex\":\"006279746573\",\"attempts\":1,"
            "\"first_seen\":\"2026-03-01T12:00:00.000Z\","
            "\"last_seen\":\"2026-03-01T12:00:00.000Z\",\"status\":\"open\"}");
}

TEST_F(QuarantineTest, ARowThatComesAgainKeepsWhenItWasSeenFirst) {
  put(event("r1", "bytes"));
  const EpochMs first = clock.now_ms();
  clock.us += 60'000'000;
  put(event("r1", "bytes"));
  EXPECT_EQ(ledger->quarantined().at(0).first_seen, first);
  EXPECT_EQ(ledger->quarantined().at(0).last_seen, clock.now_ms());
}

TEST_F(QuarantineTest, ASecondEventOfARecordDoesNotTakeTheFirstOnesBytes) {
  QuarantineRow first = event("r1", "first bytes");
  QuarantineRow second = event("r2", "second bytes");
  for (auto* row : {&first, &second}) {
    row->object = "Account";
    row->id = kAcme;
    put(*row);
  }
  put(refused(7));
  put(refused(9));
  std::vector<std::string> payloads;
  for (const auto& row : ledger->quarantined()) payloads.push_back(row.payload);
  std::ranges::sort(payloads);
  EXPECT_EQ(payloads,
            (std::vector<std::string>{"first bytes", "image 7", "image 9", "second bytes"}));
}

TEST_F(QuarantineTest, AClosedRowKeepsWhoWhenAndWhyButNotItsBytes) {
  put(event("r1", "secret"));
  const QuarantineRow row = ledger->quarantined().at(0);
  clock.us += 1'000'000;
  EXPECT_TRUE(*ledger->close_quarantined(row, closing(Closing::How::Discarded)));
  EXPECT_FALSE(*ledger->close_quarantined(row, closing(Closing::How::Retried)));
  crash_and_open();
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  EXPECT_TRUE(ledger->quarantined().empty());
  const auto found = ledger->quarantine_row(row.rev);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->closing.how, Closing::How::Discarded);
  EXPECT_EQ(found->closing.by, "alice");
  EXPECT_EQ(found->closing.evidence, "because");
  EXPECT_EQ(found->closing.at, clock.now_ms());
  EXPECT_EQ(found->reason, "ends early");
  EXPECT_TRUE(found->payload.empty());
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[1].closed);
  EXPECT_EQ(all[1].rkey, all[0].rkey);
  EXPECT_NE(all[1].row.find(R"("status":"discarded","closed_at":"2026-03-01T12:00:01.000Z")"),
            std::string::npos)
      << all[1].row;
}

TEST_F(QuarantineTest, AnEventThatComesAgainAfterItWasClosedIsANewRow) {
  put(event("r1", "bytes"));
  const QuarantineRow row = ledger->quarantined().at(0);
  ASSERT_TRUE(ledger->close_quarantined(row, closing(Closing::How::Discarded)));
  put(event("r1", "bytes"));
  const QuarantineRow again = ledger->quarantined().at(0);
  EXPECT_NE(again.rev, row.rev);
  EXPECT_FALSE(*ledger->close_quarantined(row, closing(Closing::How::Retried)))
      << "an old number never closes a newer row";
  EXPECT_EQ(ledger->quarantine_open(), 1U);
}

TEST_F(QuarantineTest, ATryOfARowThatWasClosedIsNoneOfTheRowAfterIt) {
  put(event("r1", "bytes"));
  const QuarantineRow row = ledger->quarantined().at(0);
  ASSERT_TRUE(ledger->close_quarantined(row, closing(Closing::How::Discarded)));
  put(event("r1", "bytes"));
  EXPECT_FALSE(*ledger->retry_failed(row, rejected("still ends early")));
  EXPECT_EQ(ledger->quarantined().at(0).attempts, 1U);
}

TEST_F(QuarantineTest, AGreaterRevReleasesWhatOneStageKeepsOfOneRecord) {
  put(refused(7));
  put(refused(9));
  put(refused(7, kOther));
  QuarantineRow elsewhere = refused(7);
  elsewhere.stage = "sink.postgres2";
  put(elsewhere);
  const RecordKey acme{"emea", "Account", *RecordId::parse(kAcme)};
  EXPECT_EQ(*ledger->release(acme, "sink.postgres", Rev{9}, closing(Closing::How::Released)), 1U);
  EXPECT_EQ(*ledger->release(acme, "sink.postgres", Rev{10}, closing(Closing::How::Released)), 1U);
  EXPECT_EQ(*ledger->release(acme, "sink.postgres", Rev{10}, closing(Closing::How::Released)), 0U);
  EXPECT_EQ(ledger->quarantine_open(), 2U);
  const auto closed = ledger->quarantine_closed();
  ASSERT_EQ(closed.size(), 2U);
  EXPECT_EQ(closed[0].entry_rev, Rev{9}) << "newest first";
  EXPECT_EQ(closed[0].closing.how, Closing::How::Released);
}

TEST_F(QuarantineTest, AFailedRetryIsCountedAndToldWithItsReason) {
  put(event("r1", "bytes"));
  const QuarantineRow row = ledger->quarantined().at(0);
  EXPECT_TRUE(*ledger->retry_failed(row, rejected("still ends early")));
  const QuarantineRow kept = ledger->quarantined().at(0);
  EXPECT_EQ(kept.attempts, 2U);
  EXPECT_EQ(kept.reason, "still ends early");
  EXPECT_EQ(kept.rev, row.rev);
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].rkey, all[0].rkey);
  EXPECT_FALSE(all[1].closed);
  EXPECT_NE(all[1].row.find(R"("attempts":2)"), std::string::npos);
  ASSERT_TRUE(ledger->close_quarantined(row, closing(Closing::How::Discarded)));
  EXPECT_FALSE(*ledger->retry_failed(row, rejected("too late")));
}

TEST_F(QuarantineTest, AFailedTryIsWhenItsRowWasSeenLast) {
  put(event("r1", "bytes"));
  clock.us += 60'000'000;
  ASSERT_TRUE(ledger->retry_failed(ledger->quarantined().at(0), rejected("still ends early")));
  EXPECT_EQ(ledger->quarantined().at(0).last_seen, clock.now_ms());
}

TEST_F(QuarantineTest, BytesTooManyForAMessageAreCountedButNotTold) {
  put(event("r1", std::string(kPayloadToldMax + 1, 'x')));
  EXPECT_EQ(entries()[0].row.find("payload_hex"), std::string::npos);
  EXPECT_LT(entries()[0].row.size(), 1'000U);
  EXPECT_EQ(ledger->quarantined().at(0).payload.size(), kPayloadToldMax + 1);
}

TEST_F(QuarantineTest, ARowOfTheFirstFormatIsReadAndCountedAndCanBeClosed) {
  QuarantineRow old = refused(0);
  std::string bytes;
  put_byte(bytes, 1);
  for (const std::string& text : {old.org,
                                  old.object,
                                  old.id,
                                  old.stage,
                                  old.reason_code,
                                  old.reason,
                                  old.schema_id,
                                  old.replay_id,
                                  old.payload})
    put_text(bytes, text);
  put_varint(bytes, 3);
  put_signed(bytes, 100);
  put_signed(bytes, 200);
  put_varint(bytes, 55);
  ledger.reset();
  {
    auto store = open_memory_store(disk);
    auto batch = store->batch();
    batch->put(Family::Quarantine, "emea:Account:" + kAcme + ":sink.postgres:23514", bytes);
    batch->erase(Family::Meta, kQuarantineTallyKey);
    ASSERT_TRUE(store->write(*batch, true));
  }
  open();
  ASSERT_EQ(ledger->quarantine_open(), 1U);
  const auto row = ledger->quarantine_row(Rev{55});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->attempts, 3U);
  EXPECT_EQ(row->payload, old.payload);
  EXPECT_TRUE(*ledger->close_quarantined(*row, closing(Closing::How::Discarded)));
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(QuarantineTest, OfClosedRowsTheNewestAreKept) {
  auto store = open_memory_store(std::make_shared<MemoryDisk>());
  ClosedRows rows(*store, "closed:t:");
  auto batch = store->batch();
  for (std::uint64_t i = 1; i <= kClosedKept + 2; ++i) rows.add(*batch, Rev{i}, std::to_string(i));
  ASSERT_TRUE(store->write(*batch, true));
  const auto first = [](const ClosedRows& of) {
    std::string out;
    of.walk([&](std::string_view bytes) {
      out = bytes;
      return false;
    });
    return out;
  };
  EXPECT_EQ(first(rows), "3");
  ClosedRows again(*store, "closed:t:");
  ASSERT_TRUE(again.load());
  again.add(*batch, Rev{kClosedKept + 3}, "last");
  ASSERT_TRUE(store->write(*batch, true));
  EXPECT_EQ(first(again), "4") << "the bound holds after a restart";
}

TEST_F(QuarantineTest, WhatABatchSetsAsideOutlivesAPowerLossThoughNothingElseIsInIt) {
  const QuarantineRow row = event("r1", "bytes");
  IngestBatch batch;
  batch.stream = stream;
  batch.quarantined = {&row, 1};
  batch.position = ReplayId("r1");
  ASSERT_TRUE(ledger->save_position(stream, ReplayId("r0")));
  ASSERT_TRUE(ledger->apply(batch));
  crash_and_open();
  EXPECT_EQ(ledger->quarantine_open(), 1U);
}

}  // namespace
}  // namespace headwater::ledger
