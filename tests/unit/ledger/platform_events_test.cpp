#include "daemon/ledger/platform_events.hpp"

#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

/// A platform event as a test tells it.
struct Told {
  std::string uuid, replay_id, text;
};

class PlatformEventsTest : public LedgerTest {
 protected:
  StreamKey stream_{"emea", "/event/Order_Event__e"};

  Applied tell(const std::vector<Told>& events, const std::string& position = "p") {
    std::deque<std::string> texts;
    std::vector<PlatformEventView> views;
    for (const Told& event : events) {
      PlatformEventView& view = views.emplace_back();
      view.name = "Order_Event__e";
      view.created_at = 1'772'366'400'000;
      view.created_by = "0055f000005mc66AAA";
      view.schema_id = "schema";
      view.replay_id = event.replay_id;
      view.event_uuid = event.uuid;
      view.payload = event.text;
      view.fields = texts.emplace_back("{\"Text__c\":\"" + event.text + "\"}");
    }
    IngestBatch batch;
    batch.stream = stream_;
    batch.platform = views;
    batch.position = ReplayId(position);
    auto applied = ledger->apply(batch);
    EXPECT_TRUE(applied) << applied.error().message;
    return applied ? *applied : Applied{};
  }
  /// The texts of all entries, as the journal has them.
  std::string texts() {
    std::string out;
    for (const EntryView& entry : entries())
      out += entry.kind == EntryKind::Event ? entry.row.substr(12, entry.row.size() - 14) : "-";
    return out;
  }
  /// What a materialization of so many entries a step is told.
  std::string materialized(std::size_t entries_max) {
    std::string out;
    Rev at;
    const Rev head = ledger->head();
    EntryBatch batch;
    for (;;) {
      batch.clear();
      EXPECT_TRUE(ledger->read_states("emea", at, head, entries_max, 1 << 20, batch));
      if (batch.entries().empty()) return out;
      EXPECT_LE(batch.entries().size(), entries_max);
      for (const EntryView& entry : batch.entries()) {
        EXPECT_LT(at, entry.meta.rev);
        at = entry.meta.rev;
        out += entry.kind == EntryKind::Event ? entry.row.substr(12, entry.row.size() - 14) : "-";
      }
    }
  }
};

TEST_F(PlatformEventsTest, EachEventIsOneEntryInOrder) {
  const Applied applied = tell({{"u1", "r1", "a"}, {"u2", "r2", "b"}, {"u3", "r3", "c"}});
  EXPECT_EQ(applied.entries, 3U);
  EXPECT_EQ(applied.repeats, 0U);
  ASSERT_EQ(texts(), "abc");
  const EntryView entry = entries()[1];
  EXPECT_EQ(entry.rkey, "emea:Order_Event__e");
  EXPECT_EQ(entry.object, "Order_Event__e");
  EXPECT_EQ(entry.topic, "/event/Order_Event__e");
  EXPECT_EQ(entry.meta.commit_ts, 1'772'366'400'000);
  EXPECT_EQ(entry.origin.commit_user, "0055f000005mc66AAA");
  EXPECT_EQ(entry.origin.event_uuid, "u2");
  EXPECT_EQ(entry.origin.replay_id, "r2");
  EXPECT_EQ(entry.origin.schema_id, "schema");
  EXPECT_EQ(ledger->position(stream_)->newest_commit_ts, 1'772'366'400'000);
}

TEST_F(PlatformEventsTest, ThePositionMovesWithTheEntries) {
  tell({{"u1", "r1", "a"}}, "r1");
  disk->tear_write(1);
  IngestBatch batch;
  PlatformEventView lost;
  lost.name = "Order_Event__e";
  batch.stream = stream_;
  batch.platform = {&lost, 1};
  batch.position = ReplayId("r2");
  EXPECT_FALSE(ledger->apply(batch));
  crash_and_open();
  EXPECT_EQ(texts(), "a");
  EXPECT_EQ(ledger->position(stream_)->replay_id, ReplayId("r1"));
}

TEST_F(PlatformEventsTest, WhatSinksMayHaveReadOutlivesACrash) {
  tell({{"u1", "r1", "a"}}, "r1");
  tell({{"u2", "r2", "b"}}, "r2");
  const Rev told = ledger->head();
  crash_and_open();
  EXPECT_EQ(ledger->head(), told);
  EXPECT_EQ(texts(), "ab");
}

TEST_F(PlatformEventsTest, WhatWasPublishedTwiceIsOneEntry) {
  const Applied both = tell({{"u1", "r1", "a"}, {"u1", "r2", "a"}});
  EXPECT_EQ(both.entries, 1U);
  EXPECT_EQ(both.repeats, 1U);
  EXPECT_EQ(both.resent, 0U);
  EXPECT_EQ(tell({{"u1", "r3", "a"}}).repeats, 1U);
  EXPECT_EQ(texts(), "a");
}

TEST_F(PlatformEventsTest, WhatTheBusSendsAgainMakesNoEntryThoughTheProcessDied) {
  tell({{"u1", "r1", "a"}, {"", "r2", "b"}});
  crash_and_open();
  const Applied again = tell({{"u1", "r1", "a"}, {"", "r2", "b"}, {"u3", "r3", "c"}});
  EXPECT_EQ(again.entries, 1U);
  EXPECT_EQ(again.repeats, 2U);
  EXPECT_EQ(again.resent, 2U);
  // Quarantine keeps no uuid: the replay id alone tells.
  EXPECT_EQ(tell({{"", "r3", "c"}}).resent, 1U);
  EXPECT_EQ(texts(), "abc");
}

TEST_F(PlatformEventsTest, AnIdThatIsGivenAgainLosesNoEvent) {
  // An org was moved: replay ids begin anew. A publisher gives all its events one id.
  tell({{"u1", "r1", "a"}, {"u2", "r1", "b"}, {"u1", "r2", "c"}, {"", "r1", "d"}});
  EXPECT_EQ(texts(), "abcd");
}

TEST_F(PlatformEventsTest, StreamsRememberForThemselves) {
  tell({{"u1", "r1", "a"}});
  IngestBatch batch;
  PlatformEventView same;
  same.name = "Order_Event__e";
  same.event_uuid = "u1";
  same.replay_id = "r1";
  same.payload = "a";
  same.fields = R"({"Text__c":"a"})";
  batch.stream = {"emea", "/event/All__chn"};
  batch.platform = {&same, 1};
  EXPECT_EQ(ledger->apply(batch)->entries, 1U);
}

TEST_F(PlatformEventsTest, OnlySoManyAreRemembered) {
  auto store = open_memory_store(disk);
  Journal journal(*store, clock, options);
  ASSERT_TRUE(journal.load({}));
  PlatformEvents events(*store, journal, clock, 3);
  auto out = store->batch();
  const auto known = [&](const std::string& id) {
    const std::string uuid = "u" + id;
    PlatformEventView view;
    view.name = "Order_Event__e";
    view.event_uuid = uuid;
    view.replay_id = view.payload = id;
    IngestBatch batch;
    batch.stream = stream_;
    batch.platform = {&view, 1};
    Applied applied;
    EXPECT_TRUE(events.write(*out, batch, applied));
    EXPECT_TRUE(store->write(*out, true));
    return applied.repeats == 1;
  };
  for (const char* id : {"1", "2", "3"}) EXPECT_FALSE(known(id));
  EXPECT_TRUE(known("1"));
  EXPECT_FALSE(known("4"));
  EXPECT_TRUE(known("2"));
  EXPECT_FALSE(known("1")) << "forgotten when the fourth came";
  std::size_t rows = 0;
  for (auto scan = store->scan(Family::Meta, "seen:");
       scan->valid() && scan->key().starts_with("seen:");
       scan->next())
    ++rows;
  EXPECT_EQ(rows, 1U + 3U + 2 * 3U) << "each by its uuid and by its replay id";
}

TEST_F(PlatformEventsTest, AMaterializationHasThemBetweenTheStates) {
  tell({{"1", "1", "a"}});
  apply({created(1, {{"Name", "A"}})});
  tell({{"2", "2", "b"}, {"3", "3", "c"}, {"4", "4", "d"}});
  apply({created(2, {{"Name", "B"}}, kOther)});
  tell({{"5", "5", "e"}, {"6", "6", "f"}});
  for (const std::size_t entries_max : {1U, 2U, 3U, 100U})
    EXPECT_EQ(materialized(entries_max), "a-bcd-ef") << entries_max;
}

TEST_F(PlatformEventsTest, AMaterializationHasNoEventsOfOtherOrgs) {
  tell({{"1", "1", "a"}});
  stream_.org = "apac";
  tell({{"2", "2", "b"}});
  EntryBatch batch;
  ASSERT_TRUE(ledger->read_states("apac", Rev{}, ledger->head(), 10, 1 << 20, batch));
  ASSERT_EQ(batch.entries().size(), 1U);
  EXPECT_EQ(batch.entries()[0].org, "apac");
}

}  // namespace
}  // namespace headwater::ledger
