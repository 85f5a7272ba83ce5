// Values of every type, hostile ones too, and what the server refuses.

#include <limits>

#include "sink_fixture.hpp"

namespace headwater::postgres {
namespace {

using PostgresValues = SinkTest;

TEST_F(PostgresValues, EveryTypeArrivesAsItIs) {
  auto sink = open_sink();
  must_write(*sink,
             {{.fields = {{"account_id", ValueView::of_text(kAcme, Tag::Ref)},
                          {"birthdate", ValueView::of_number(-1, Tag::Date)},
                          {"call_time", ValueView::of_number(52'200'250, Tag::Time)},
                          {"do_not_call", ValueView::boolean(true)},
                          {"interests", ValueView::of_text("Golf;Wine, red", Tag::Multi)},
                          {"mailing_address", ValueView::of_text(R"({"city":"Köln"})", Tag::Json)},
                          {"score", ValueView::decimal(0.1)},
                          {"seen_at", ValueView::of_number(1'772'366'400'123, Tag::DateTime)},
                          {"visits", ValueView::integer(-42)}}}});
  EXPECT_EQ(
      sql("select account_id, birthdate, call_time, do_not_call, x_interests[2], "
          "array_length(x_interests, 1), "
          "mailing_address ->> 'city', score, seen_at at time zone 'UTC', visits from crm.contact"),
      kAcme + "|1969-12-31|14:30:00.25|t|Wine, red|2|Köln|0.1|2026-03-01 12:00:00.123|-42");
}

TEST_F(PostgresValues, NumbersKeepTheirShortestDigits) {
  auto sink = open_sink();
  const auto round_trip = [&](double value) {
    static std::uint64_t rev = 0;
    must_write(
        *sink,
        {{.op = Op::Update, .rev = ++rev, .fields = {{"score", ValueView::decimal(value)}}}});
    return sql("select score from crm.contact");
  };
  EXPECT_EQ(round_trip(12348.67), "12348.67");
  EXPECT_EQ(round_trip(100'000), "100000");
  EXPECT_EQ(round_trip(-0.0), "0");
  EXPECT_EQ(round_trip(0.30000000000000004), "0.30000000000000004");
  EXPECT_EQ(round_trip(1e21), "1000000000000000000000");
  EXPECT_EQ(round_trip(std::numeric_limits<double>::max()).size(), 309U);
}

TEST_F(PostgresValues, HostileTextIsStoredAsItIs) {
  const std::string hostile = "'; drop table crm.contact; -- \"\\ \t\n {a,b} \xF0\x9F\x98\x80 null";
  auto sink = open_sink();
  must_write(*sink,
             {{.fields = {{"email", text(hostile)}, {"name", text(std::string(131'072, 'x'))}},
               .extra = {{hostile, text(hostile)}}}});
  EXPECT_EQ(sql("select email from crm.contact"), hostile);
  EXPECT_EQ(sql("select length(name) from crm.contact"), "131072");
  EXPECT_EQ(sql("select key || value from crm.contact, jsonb_each_text(extra)"), hostile + hostile);
}

TEST_F(PostgresValues, ListItemsMayHoldAnything) {
  auto sink = open_sink();
  must_write(
      *sink,
      {{.fields = {{"interests", ValueView::of_text("NULL;a\"b;c\\d;{e,f};; g ", Tag::Multi)}}}});
  EXPECT_EQ(sql("select string_agg(i, '|' order by n) from crm.contact, unnest(x_interests) with "
                "ordinality u(i, n)"),
            "NULL|a\"b|c\\d|{e,f}|| g ");
}

TEST_F(PostgresValues, NulCharactersAndBrokenUtf8BecomeReplacementCharacters) {
  const std::string nul("a\0b", 3);
  auto sink = open_sink();
  must_write(*sink,
             {{.fields = {{"email", text(nul)},
                          {"interests", ValueView::of_text(std::string("x\0y;z", 5), Tag::Multi)},
                          {"mailing_address",
                           ValueView::of_text(R"({"a":"\u0000","b":"\\u0000"})", Tag::Json)},
                          {"name", text("a\xff\x62")}},
               .extra = {{"Note__c", text(nul)}}}});
  EXPECT_EQ(sql("select email, x_interests[1], name, extra ->> 'Note__c', mailing_address ->> 'a', "
                "mailing_address ->> 'b' from crm.contact"),
            "a\uFFFDb|x\uFFFDy|a\uFFFDb|a\uFFFDb|\uFFFD|\\u0000");
}

TEST_F(PostgresValues, ARefusedRowIsRejectedAndNothingOfItsBatchIsWritten) {
  auto sink = open_sink();
  const auto done = write(*sink,
                          {{.rev = 1, .fields = {{"name", text("Bob")}}, .refs = {}},
                           {.id = kBob, .rev = 2, .fields = {{"currency", text("EURO")}}}});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Rejected);
  EXPECT_EQ(done.error().message,
            "postgres: upsert contact, 2 rows: a text is too long for its column (22001)");
  EXPECT_EQ(sql("select count(*) from crm.contact") + sql("select rev from crm.cursor"), "00");
  // The loop halves on the same connection.
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Bob")}}}});
  EXPECT_EQ(sql("select name from crm.contact"), "Bob");
}

TEST_F(PostgresValues, ValuesOutsideOfPostgresRangeAreRejectedByName) {
  auto sink = open_sink();
  const auto refused = [&](const std::string& field, const ValueView& value) {
    const auto done = write(*sink, {{.fields = {{field, value}}}});
    EXPECT_FALSE(done.ok());
    if (done.ok()) return std::string{};
    EXPECT_EQ(done.error().kind, ErrorKind::Rejected);
    return done.error().message;
  };
  const std::string place = "postgres: write emea:Contact:" + kAnn + ": field ";
  const std::string range = " has a date or time outside of PostgreSQL's range (22008)";
  const auto far = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(refused("birthdate", ValueView::of_number(far, Tag::Date)),
            place + "birthdate" + range);
  EXPECT_EQ(refused("birthdate", ValueView::of_number(-far, Tag::Date)),
            place + "birthdate" + range);
  EXPECT_EQ(refused("seen_at", ValueView::of_number(far, Tag::DateTime)),
            place + "seen_at" + range);
  EXPECT_EQ(refused("seen_at", ValueView::of_number(-far, Tag::DateTime)),
            place + "seen_at" + range);
  EXPECT_EQ(refused("call_time", ValueView::of_number(86'400'000, Tag::Time)),
            place + "call_time" + range);
  EXPECT_EQ(refused("visits", ValueView::decimal(1.5)),
            place + "visits has a value of another type than its column (22P02)");
  EXPECT_EQ(refused("account_id", text(std::string(19, 'x'))),
            "postgres: upsert contact, 1 rows: a text is too long for its column (22001)");
}

TEST_F(PostgresValues, DatesAtTheEdgesOfPostgresRangeAreStored) {
  auto sink = open_sink();
  must_write(
      *sink,
      {{.rev = 1,
        .fields = {{"birthdate", ValueView::of_number(-2'440'588, Tag::Date)},
                   {"seen_at", ValueView::of_number(-210'866'803'200'000, Tag::DateTime)}}}});
  EXPECT_EQ(sql("select birthdate, seen_at at time zone 'UTC' from crm.contact"),
            "4714-11-24 BC|4714-11-24 00:00:00 BC");
}

}  // namespace
}  // namespace headwater::postgres
