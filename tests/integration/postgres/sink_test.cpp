// What a batch leaves in the tables.

#include <fmt/format.h>

#include "sink_fixture.hpp"

namespace headwater::postgres {
namespace {

using Sink = SinkTest;

Values ref(const std::string& rel, const std::string& rkey) { return {{rel, text(rkey)}}; }
const std::string kToAcme = "emea:Account:" + kAcme;
const std::string kToBolt = "emea:Account:" + kBolt;
constexpr const char* kEdges =
    "select rel, from_object, to_object, to_id, rev from crm.edge order by src_id, rel";
constexpr const char* kRow = "select name, rev, is_deleted from crm.contact order by id";

TEST_F(Sink, WritesARecordWithItsHead) {
  auto sink = open_sink();
  must_write(
      *sink,
      {{.rev = 5, .fields = {{"email", text("ann@acme.example")}, {"name", text("Ann Lee")}}}});
  EXPECT_EQ(sql("select org, object, id, bu, rev, ver, hash, mapping_rev, commit_ts at time zone "
                "'UTC', complete, "
                "is_deleted, deleted_at, name, email, fields, extra, raw from crm.contact"),
            "emea|Contact|" + kAnn +
                "|uk|5|001-00000000000000000005-0000000003|5b0e6f0c7d1a2e43|7|2026-03-01 "
                "12:00:00|t|f|null|Ann Lee|"
                "ann@acme.example|{}|{}|{}");
  EXPECT_EQ(sql("select sink, org, ledger, holder, epoch, rev, commit_ts at time zone 'UTC' from "
                "crm.cursor"),
            "postgres|emea|01LEDGERA|machine-1:/var/lib/headwater|1|5|2026-03-01 12:00:00");
}

TEST_F(Sink, KeepsFieldsWithoutAColumnInTheFieldsDocument) {
  auto sink = open_sink();
  must_write(
      *sink,
      {{.fields = {{"name", text("Ann")}, {"nickname", text("A")}, {"tier", ValueView::null()}}}});
  EXPECT_EQ(sql("select fields from crm.contact"), "{\"nickname\": \"A\"}");
}

TEST_F(Sink, PutsObjectsWithoutATableIntoCustomRecord) {
  auto sink = open_sink();
  must_write(*sink,
             {{.rev = 1,
               .fields = {{"name", text("S-1")}, {"plan", text("PRO")}},
               .extra = {{"Seats__c", ValueView::integer(4)}},
               .object = "Subscription__c",
               .entity = "custom:Subscription__c"},
              {.rev = 2,
               .fields = {{"total", ValueView::decimal(12.5)}},
               .object = "Invoice__c",
               .entity = "custom:Invoice__c"}});
  EXPECT_EQ(sql("select object, name, fields, extra from crm.custom_record"),
            "Subscription__c|S-1|{\"plan\": \"PRO\"}|{\"Seats__c\": 4}");
  EXPECT_EQ(sql("select object, x_total from crm.custom_invoice__c"), "Invoice__c|12.5");
}

TEST_F(Sink, KeepsTheLastImageOfARecordThatOccursOftenInABatch) {
  auto sink = open_sink();
  must_write(*sink,
             {{.op = Op::Create, .rev = 1, .fields = {{"name", text("Ann")}}},
              {.op = Op::Create, .id = kBob, .rev = 2, .fields = {{"name", text("Bob")}}},
              {.op = Op::Update, .rev = 3, .fields = {{"name", text("Ann Lee")}}}});
  EXPECT_EQ(sql(kRow), "Ann Lee|3|f\nBob|2|f");
}

TEST_F(Sink, ARepeatChangesNothing) {
  auto sink = open_sink();
  const std::vector<EntrySpec> batch{
      {.rev = 1, .fields = {{"name", text("Ann")}}, .refs = ref("account", kToAcme)},
      {.op = Op::Delete, .id = kBob, .rev = 2, .fields = {{"name", text("Bob")}}}};
  must_write(*sink, batch);
  const std::string before = sql("select xmin, ctid, * from crm.contact order by id") +
                             sql("select xmin, * from crm.edge");
  // The answer was lost: the sink is opened again and the loop repeats, also when it cannot trust
  // the cursor.
  sink = open_sink();
  must_write(*sink, batch);
  must_write(*sink, batch, Mode::Materialize);
  EXPECT_EQ(sql("select xmin, ctid, * from crm.contact order by id") +
                sql("select xmin, * from crm.edge"),
            before);
}

TEST_F(Sink, AnOlderImageLoses) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 9, .fields = {{"name", text("new")}}}});
  // A batch cut differently, out of order: neither the row nor an edge that is gone by now comes
  // back.
  must_write(*sink,
             {{.rev = 5, .fields = {{"name", text("old")}}, .refs = ref("account", kToAcme)}});
  EXPECT_EQ(sql(kRow), "new|9|f");
  EXPECT_EQ(sql(kEdges), "");
  // The guard of the row alone, where the cursor is not looked at.
  must_write(*sink, {{.rev = 4, .fields = {{"name", text("older")}}}}, Mode::Materialize);
  EXPECT_EQ(sql(kRow), "new|9|f");
}

TEST_F(Sink, ADeletedRecordKeepsItsLastImage) {
  auto sink = open_sink();
  must_write(*sink,
             {{.rev = 1, .fields = {{"name", text("Ann")}}, .refs = ref("account", kToAcme)}});
  must_write(*sink,
             {{.op = Op::Delete,
               .rev = 2,
               .fields = {{"name", text("Ann")}},
               .refs = ref("account", kToAcme)}});
  EXPECT_EQ(sql("select name, rev, is_deleted, deleted_at at time zone 'UTC', delete_reason from "
                "crm.contact"),
            "Ann|2|t|2026-03-01 12:00:00|delete");
  EXPECT_EQ(sql("select count(*) from crm.contact_live"), "0");
  EXPECT_EQ(sql(kEdges), "");
}

TEST_F(Sink, AnUndeletedRecordIsAliveWithItsEdges) {
  auto sink = open_sink();
  must_write(*sink, {{.op = Op::Delete, .rev = 2, .fields = {{"name", text("Ann")}}}});
  must_write(*sink,
             {{.op = Op::Create,
               .rev = 3,
               .fields = {{"name", text("Ann")}},
               .refs = ref("account", kToAcme)}});
  EXPECT_EQ(sql("select rev, is_deleted, deleted_at, delete_reason from crm.contact_live"),
            "3|f|null|null");
  EXPECT_EQ(sql(kEdges), "account|Contact|Account|" + kAcme + "|3");
}

TEST_F(Sink, APurgeLeavesNoTrace) {
  auto sink = open_sink();
  must_write(*sink,
             {{.rev = 1, .fields = {{"name", text("Ann")}}, .refs = ref("account", kToAcme)},
              {.rev = 2, .object = "Thing__c", .entity = "custom:Thing__c"}});
  must_write(*sink,
             {{.op = Op::Delete, .rev = 3, .purge = true},
              {.op = Op::Delete,
               .rev = 4,
               .purge = true,
               .object = "Thing__c",
               .entity = "custom:Thing__c"}});
  EXPECT_EQ(sql("select count(*) from crm.contact"), "0");
  EXPECT_EQ(sql("select count(*) from crm.custom_record"), "0");
  EXPECT_EQ(sql(kEdges), "");
}

TEST_F(Sink, AnEdgeMovesWhenALookupChanges) {
  auto sink = open_sink();
  must_write(
      *sink,
      {{.rev = 1,
        .refs = {{"account", text(kToAcme)}, {"reports_to", text("emea:Contact:" + kBob)}}}});
  must_write(
      *sink,
      {{.op = Op::Update,
        .rev = 2,
        .refs = ref("account", kToBolt),
        .old_refs = {{"account", text(kToAcme)}, {"reports_to", text("emea:Contact:" + kBob)}}}});
  EXPECT_EQ(sql(kEdges), "account|Contact|Account|" + kBolt + "|2");
}

TEST_F(Sink, AnUntouchedEdgeKeepsItsRev) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .refs = ref("account", kToAcme)}});
  must_write(*sink,
             {{.op = Op::Update,
               .rev = 2,
               .fields = {{"name", text("Ann")}},
               .refs = ref("account", kToAcme)}});
  EXPECT_EQ(sql(kEdges), "account|Contact|Account|" + kAcme + "|1");
}

TEST_F(Sink, AChangeOfSortTimeReachesTheEdge) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .refs = ref("account", kToAcme), .sort_at = 0}});
  must_write(
      *sink,
      {{.op = Op::Update, .rev = 2, .refs = ref("account", kToAcme), .sort_at = 86'400'000}});
  EXPECT_EQ(sql("select sort_at at time zone 'UTC', rev from crm.edge"), "1970-01-02 00:00:00|2");
}

TEST_F(Sink, CoalescingKeepsAnEdgeChangeThatALaterUpdateDoesNotMention) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .refs = ref("account", kToAcme)}});
  must_write(*sink,
             {{.op = Op::Update,
               .rev = 2,
               .refs = ref("account", kToBolt),
               .old_refs = ref("account", kToAcme)},
              {.op = Op::Update,
               .rev = 3,
               .fields = {{"name", text("Ann")}},
               .refs = ref("account", kToBolt)}});
  EXPECT_EQ(sql(kEdges), "account|Contact|Account|" + kBolt + "|3");
}

TEST_F(Sink, AnEdgeToAnUnknownObjectIsKept) {
  auto sink = open_sink();
  must_write(*sink, {{.refs = ref("thing", "emea::a0B5f000001AbCdEAK")}});
  EXPECT_EQ(sql("select rel, to_object, to_id from crm.edge"), "thing||a0B5f000001AbCdEAK");
}

TEST_F(Sink, MaterializingReplacesRelationsAsASet) {
  auto sink = open_sink();
  must_write(
      *sink,
      {{.rev = 1,
        .refs = {{"account", text(kToAcme)}, {"owner", text("emea:User:0055f000005mc66AAA")}}}});
  must_write(
      *sink, {{.op = Op::Read, .rev = 7, .refs = ref("account", kToAcme)}}, Mode::Materialize);
  EXPECT_EQ(sql(kEdges), "account|Contact|Account|" + kAcme + "|7");
}

TEST_F(Sink, AfterAnOpenRelationsAreWrittenThoughAnEntryChangesNone) {
  auto sink = open_sink();
  // The state that held the edge was left out: the record changed while it was to be sent.
  const EntryView& update = entry({.op = Op::Update, .rev = 9, .refs = ref("account", kToAcme)});
  const CursorMove move{"emea", Rev{9}, 0};
  Batch batch{{&update, 1}, {&move, 1}, Mode::Follow, true};
  ASSERT_TRUE(sink->write(batch).ok());
  EXPECT_EQ(sql(kEdges), "account|Contact|Account|" + kAcme + "|9");
}

TEST_F(Sink, HolesAndQuarantineAreMirroredWhileTheyAreOpen) {
  auto sink = open_sink();
  EntryView hole, row;
  hole.kind = EntryKind::Hole;
  hole.org = row.org = "emea";
  hole.rkey = "emea:s:/data/ChangeEvents:11";
  hole.row =
      R"({"id":11,"org":"emea","scope":"stretch","cause":"expired","since":"2026-03-01T12:00:00.000Z",)"
      R"("opened_at":"2026-03-02T12:00:00.000Z","attempts":2,"topic":"/data/ChangeEvents"})";
  hole.meta.rev = Rev{11};
  row.kind = EntryKind::Quarantine;
  row.rkey = "emea:Contact:x:decode:truncated";
  row.row =
      R"({"id":12,"org":"emea","object":"Contact","record_id":"a wildcard, longer than any id","stage":"decode",)"
      R"("reason_code":"truncated","reason":"a \u0000 in it","attempts":1})";
  row.meta.rev = Rev{12};
  row.ts_ms = 1'772'366'400'000;
  const CursorMove move{"emea", Rev{12}, 0};
  const std::array opened{hole, row};
  ASSERT_TRUE(sink->write({opened, {&move, 1}, Mode::Follow}).ok());
  EXPECT_EQ(sql("select id, org, scope, cause, since at time zone 'UTC', attempts from crm.hole"),
            "11|emea|stretch|expired|2026-03-01 12:00:00|2");
  EXPECT_EQ(sql("select id, object, record_id, stage, reason, first_seen at time zone 'UTC' from "
                "crm.quarantine"),
            "12|Contact|a wildcard, longer|decode|a \xEF\xBF\xBD in it|2026-03-01 12:00:00");

  hole.closed = row.closed = true;
  hole.meta.rev = Rev{13};
  row.meta.rev = Rev{14};
  const CursorMove later{"emea", Rev{14}, 0};
  const std::array closed{hole, row};
  ASSERT_TRUE(sink->write({closed, {&later, 1}, Mode::Follow}).ok());
  EXPECT_EQ(sql("select count(*) from crm.hole") + sql("select count(*) from crm.quarantine"),
            "00");
}

TEST_F(Sink, WhatIsToldAgainIsMirroredAsItIsNow) {
  auto sink = open_sink();
  const auto tell = [&](std::uint64_t rev, int attempts) {
    EntryView hole, row;
    hole.kind = EntryKind::Hole;
    row.kind = EntryKind::Quarantine;
    hole.org = row.org = "emea";
    hole.ts_ms = row.ts_ms = 1'772'366'400'000;
    hole.rkey = "emea:o:Account";
    row.rkey = "emea:Contact:x:sink.pg:22003";
    const std::string hole_row = fmt::format(
        R"({{"id":11,"org":"emea","scope":"object","cause":"overflow","attempts":{}}})", attempts);
    const std::string row_row = fmt::format(
        R"({{"id":12,"org":"emea","object":"Contact","stage":"sink.pg","reason_code":"22003","reason":"r","attempts":{},"last_seen":"2026-03-0{}T12:00:00.000Z"}})",
        attempts,
        attempts);
    hole.row = hole_row;
    row.row = row_row;
    hole.meta.rev = Rev{rev};
    row.meta.rev = Rev{rev + 1};
    const CursorMove move{"emea", Rev{rev + 1}, 0};
    const std::array told{hole, row};
    const auto written = sink->write({told, {&move, 1}, Mode::Follow});
    ASSERT_TRUE(written.ok()) << written.error().message;
  };
  tell(11, 1);
  tell(13, 2);
  EXPECT_EQ(sql("select attempts from crm.hole"), "2");
  EXPECT_EQ(sql("select attempts, last_seen at time zone 'UTC' from crm.quarantine"),
            "2|2026-03-02 12:00:00");
}

TEST_F(Sink, AHoleThatClosedAndOpenedInOneBatchIsMirroredAsTheNewOne) {
  auto sink = open_sink();
  EntryView first, second;
  first.kind = EntryKind::Hole;
  first.org = "emea";
  first.rkey = "emea:o:Account";
  first.row =
      R"({"id":11,"org":"emea","scope":"object","cause":"overflow","opened_at":"2026-03-01T12:00:00.000Z","attempts":0})";
  first.meta.rev = Rev{11};
  const CursorMove move{"emea", Rev{11}, 0};
  ASSERT_TRUE(sink->write({{&first, 1}, {&move, 1}, Mode::Follow}).ok());
  second = first;
  first.closed = true;
  first.meta.rev = Rev{12};
  second.row =
      R"({"id":13,"org":"emea","scope":"object","cause":"overflow","opened_at":"2026-03-02T12:00:00.000Z","attempts":0})";
  second.meta.rev = Rev{13};
  const CursorMove later{"emea", Rev{13}, 0};
  const std::array both{first, second};
  ASSERT_TRUE(sink->write({both, {&later, 1}, Mode::Follow}).ok());
  EXPECT_EQ(sql("select id, opened_at at time zone 'UTC' from crm.hole"), "13|2026-03-02 12:00:00");
}

TEST_F(Sink, MaterializingEmptiesTheMirrorsOfItsOrg) {
  auto sink = open_sink();
  sql("insert into crm.hole (id, key, org, scope, cause, opened_at) values (1, 'a', 'emea', 's', "
      "'c', now()), "
      "(2, 'b', 'us', 's', 'c', now())");
  ASSERT_TRUE(touch(*sink, 20, Mode::Materialize).ok());
  EXPECT_EQ(sql("select org from crm.hole"), "us");
}

TEST_F(Sink, AMaterializationEmptiesTheMirrorsOnce) {
  auto sink = open_sink();
  EntryView hole;
  hole.kind = EntryKind::Hole;
  hole.op = Op::Read;
  hole.org = "emea";
  hole.rkey = "emea:o:Account";
  hole.row =
      R"({"id":3,"org":"emea","scope":"object","cause":"overflow","opened_at":"2026-03-01T12:00:00.000Z"})";
  hole.meta.rev = Rev{3};
  const CursorMove stay{"emea", Rev{0}, 0};
  ASSERT_TRUE(sink->write({{&hole, 1}, {&stay, 1}, Mode::Materialize}).ok());
  must_write(*sink, {{.op = Op::Read, .rev = 7}}, Mode::Materialize);
  EXPECT_EQ(sql("select id from crm.hole"), "3");
}

TEST_F(Sink, ATouchMovesOnlyTheCursor) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 5}});
  sql("update crm.cursor set updated_at = now() - interval '1 hour'");
  ASSERT_TRUE(touch(*sink, 8).ok());
  EXPECT_EQ(
      sql("select rev, updated_at > now() - interval '1 minute', commit_ts at time zone 'UTC' "
          "from crm.cursor"),
      "8|t|2026-03-01 12:00:00");
}

}  // namespace
}  // namespace headwater::postgres
