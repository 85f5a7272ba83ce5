// Platform events in a real table: appended once, whatever is repeated.

#include "tests/integration/postgres/sink_fixture.hpp"
#include "tests/support/example_event.hpp"

namespace headwater::postgres {
namespace {

class Platform : public SinkTest {
 protected:
  EntryView event(std::uint64_t rev, std::string_view replay_id, std::string_view uuid) {
    EntryView e = test::example_event(Rev{rev});
    e.origin.replay_id = replay_id;
    e.origin.event_uuid = uuid;
    e.row = R"({"Amount__c":12.5,"Note__c":"a \u0000 in it"})";
    return e;
  }
  void must(PostgresSink& sink, const std::vector<EntryView>& entries) {
    const CursorMove move{"emea", entries.back().meta.rev, 0};
    const auto done = sink.write({entries, {&move, 1}, Mode::Follow});
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
};

TEST_F(Platform, AnEventIsARowWithAllThatIsKnownOfIt) {
  auto sink = open_sink();
  must(*sink, {event(7, "\x17\x90", "u1")});
  EXPECT_EQ(sql("select org, topic, name, rev, created_at at time zone 'UTC', created_by, "
                "event_uuid, replay_id, schema_id, payload ->> 'Note__c', "
                "(payload -> 'Amount__c')::numeric from crm.platform_event"),
            "emea|/event/Order_Event__e|Order_Event__e|7|2026-03-01 12:00:00|0055f000005mc66AAA|u1|"
            "1790|z7bQwT4lD5FYk9nX2Qe1Ew|a \xEF\xBF\xBD in it|12.5");
}

TEST_F(Platform, EventsOfOneBatchKeepTheirOrderAndEachItsRow) {
  auto sink = open_sink();
  must(*sink, {event(7, "1", "u1"), event(8, "2", "u2"), event(9, "3", "")});
  EXPECT_EQ(sql("select string_agg(rev || ':' || coalesce(event_uuid, '-'), ' ' order by rev) from "
                "crm.platform_event"),
            "7:u1 8:u2 9:-");
}

TEST_F(Platform, ALedgerThatWasSetBackAddsNothingTwice) {
  must(*open_sink(), {event(7, "1", "u1"), event(8, "2", "")});
  // Restored from an old copy, it was sent the same events again and gave them other revs. Another
  // event under a replay id that is given anew (an org was moved) is another event.
  const auto again = open_sink();
  must(*again, {event(17, "1", "u1"), event(18, "2", ""), event(19, "1", "u3")});
  EXPECT_EQ(sql("select string_agg(rev::text, ' ' order by rev) from crm.platform_event"),
            "7 8 19");
}

TEST_F(Platform, TheJournalWaitsOnlyWhereAStreamBringsThem) {
  EXPECT_FALSE(make_sink()->holds_journal());
  const PostgresSink keeps(config_, Holder{"01LEDGERA", "m"}, "postgres", plans_, true);
  EXPECT_TRUE(keeps.holds_journal());
  EXPECT_FALSE(keeps.needs_history());
}

}  // namespace
}  // namespace headwater::postgres
