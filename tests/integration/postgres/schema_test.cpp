// Migrations and the tables that follow the mapping.

#include "sink_fixture.hpp"

namespace headwater::postgres {
namespace {

class PostgresSchema : public SinkTest {
 protected:
  /// So the loop tells it every record again.
  void expect_no_cursor(PostgresSink& sink) {
    const auto cursors = sink.open(orgs_);
    ASSERT_TRUE(cursors.ok()) << cursors.error().message;
    EXPECT_EQ((*cursors)[0].ledger, "");
    EXPECT_EQ((*cursors)[0].rev, Rev{0});
  }
  /// The schema as a build left it that knew no retired fields.
  void without_retired() {
    for (const std::string table : {"custom_record", "contact"}) {
      sql("drop view crm." + table + "_live; alter table crm." + table +
          " drop column retired; create view crm." + table + "_live as select * from crm." + table +
          " where not is_deleted");
    }
    sql("delete from crm.migration where number = 5; "
        "delete from crm.layout where attribute = 'retired'");
  }
};

TEST_F(PostgresSchema, OpeningTwiceChangesNothing) {
  open_sink();
  const std::string all =
      "select c.relname, c.relkind, c.oid, c.xmin from pg_class c join pg_namespace n on n.oid = "
      "c.relnamespace where "
      "n.nspname = 'crm' order by c.oid";
  const std::string before = sql(all);
  open_sink();
  EXPECT_EQ(sql(all), before);
  EXPECT_EQ(sql("select number, name from crm.migration"),
            "1|0001_core\n2|0002_highest\n3|0003_platform_event\n4|0004_layout\n5|0005_retired");
}

TEST_F(PostgresSchema, ANewerSchemaIsFatal) {
  open_sink();
  sql("insert into crm.migration (number, name) values (9999, 'later')");
  const auto opened = make_sink()->open(orgs_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::Fatal);
  EXPECT_EQ(opened.error().message,
            "postgres: prepare schema crm: schema crm is of a newer format (migration 9999, this "
            "program knows up to 5); "
            "run the newer program, or give this one another schema");
}

TEST_F(PostgresSchema, AColumnOfANewFieldIsAddedAndFilledFromTheFieldsDocument) {
  auto sink = open_sink();
  must_write(*sink,
             {{.rev = 1,
               .fields = {{"name", text("Ann")},
                          {"score2", ValueView::decimal(41.5)},
                          {"tags", ValueView::of_text("a;b", Tag::Multi)},
                          {"tier", text("Gold")}}}});
  plans_[0].columns.push_back({"x_score2", ColumnType::Numeric, "score2", false});
  plans_[0].columns.push_back({"x_tags", ColumnType::TextArray, "tags", false});
  plans_[0].columns.push_back({"x_tier", ColumnType::Text, "tier", true});
  sink = open_sink();
  EXPECT_EQ(sql("select name, x_score2, x_tags, x_tier, fields from crm.contact_live"),
            "Ann|41.5|{a,b}|Gold|{}");
  EXPECT_EQ(sql("select count(*) from pg_indexes where indexname = 'contact_x_tier_idx'"), "1");
}

TEST_F(PostgresSchema, AnObjectThatGetsATableMovesThere) {
  auto sink = open_sink();
  must_write(*sink,
             {{.rev = 1,
               .fields = {{"name", text("T")}, {"plan", text("PRO")}},
               .object = "Thing__c",
               .entity = "custom:Thing__c"},
              {.rev = 2, .object = "Other__c", .entity = "custom:Other__c"}});
  plans_.insert(
      plans_.begin(),
      {"custom:Thing__c", "custom_thing__c", {{"x_plan", ColumnType::Text, "plan", false}}});
  sink = open_sink();
  EXPECT_EQ(sql("select name, rev, x_plan, fields from crm.custom_thing__c"), "T|1|PRO|{}");
  EXPECT_EQ(sql("select object from crm.custom_record"), "Other__c");
}

TEST_F(PostgresSchema, AValueThatDoesNotFitItsNewColumnStaysInTheDocument) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}, {"score2", text("n/a")}}}});
  plans_[0].columns.push_back({"x_score2", ColumnType::Numeric, "score2", false});
  sink = open_sink();
  EXPECT_EQ(sql("select name, x_score2, fields ->> 'score2' from crm.contact_live"),
            "Ann|null|n/a");
  EXPECT_EQ(sql("select col_description('crm.contact'::regclass, attnum) from pg_attribute where "
                "attrelid = 'crm.contact'::regclass and attname = 'x_score2'"),
            "null")
      << "it was tried once";
}

TEST_F(PostgresSchema, AColumnThatACrashLeftUnfilledIsFilledByTheNextOpen) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}, {"tier", text("Gold")}}}});
  sink.reset();
  sql("alter table crm.contact add column x_tier text");
  sql("comment on column crm.contact.x_tier is 'headwater: is being filled'");
  plans_[0].columns.push_back({"x_tier", ColumnType::Text, "tier", false});
  sink = open_sink();
  EXPECT_EQ(sql("select x_tier, fields from crm.contact"), "Gold|{}");
}

TEST_F(PostgresSchema, AFieldThatLosesItsColumnStandsInFieldsAndComesBackFromThere) {
  const auto without = plans_;
  auto& columns = plans_[0].columns;
  columns.push_back({"x_tier", ColumnType::Text, "tier", false});
  columns.push_back({"x_seen", ColumnType::Timestamp, "seen", false});
  columns.push_back({"x_size", ColumnType::Numeric, "size", false});
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}}}});
  sql("update crm.contact set x_tier = 'Gold', x_seen = '2026-03-01T12:00:00Z', x_size = 41.5");
  sql("alter table crm.contact add column persons_own text default 'stays'");
  const auto with = std::exchange(plans_, without);
  sink = open_sink();
  EXPECT_EQ(sql("select x_tier, x_seen, x_size, persons_own from crm.contact"),
            "null|null|null|stays");
  EXPECT_EQ(sql("select fields ->> 'tier', fields ->> 'seen', fields -> 'size' from crm.contact"),
            "Gold|2026-03-01T12:00:00.000Z|41.5");
  ASSERT_EQ(sink->warnings().size(), 3U);
  EXPECT_NE(
      sink->warnings()[2].find("no field of the mapping fills column contact.x_tier any more"),
      std::string::npos);
  EXPECT_TRUE(open_sink()->warnings().empty()) << "told once";
  plans_ = with;
  sink = open_sink();
  EXPECT_EQ(sql("select x_tier, x_seen at time zone 'UTC', x_size, fields from crm.contact"),
            "Gold|2026-03-01 12:00:00|41.5|{}");
}

TEST_F(PostgresSchema, ATableThatSomeoneDroppedIsMadeAnewAndEveryRecordToldAgain) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}}}});
  sql("drop table crm.contact cascade");
  const auto refused = write(*sink, {{.id = kBob, .rev = 2}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked) << "no entry is at fault";
  expect_no_cursor(*sink);
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}}}}, Mode::Materialize);
  EXPECT_EQ(sql("select name, rev from crm.contact_live"), "Ann|1");
  // And it stays: a start that finds all in order keeps the cursor.
  sink = make_sink();
  EXPECT_EQ(sink->open(orgs_)->front().rev, Rev{1});
}

TEST_F(PostgresSchema, AColumnThatSomeoneDroppedIsAddedAndToldAgainThoughNoRevChanged) {
  auto sink = open_sink();
  const EntrySpec ann{.rev = 1, .fields = {{"name", text("Ann")}, {"email", text("a@x.y")}}};
  must_write(*sink, {ann});
  sql("alter table crm.contact drop column email cascade");
  expect_no_cursor(*sink);
  EXPECT_EQ(sql("select email from crm.contact"), "null");
  must_write(*sink, {ann}, Mode::Materialize);
  EXPECT_EQ(sql("select email, rev from crm.contact_live"), "a@x.y|1");
}

TEST_F(PostgresSchema, ARenamedColumnIsAColumnThatIsMissingAndTheOtherStays) {
  auto sink = open_sink();
  const EntrySpec ann{.rev = 1, .fields = {{"name", text("Ann")}, {"email", text("a@x.y")}}};
  must_write(*sink, {ann});
  sql("alter table crm.contact rename column email to mail");
  expect_no_cursor(*sink);
  must_write(*sink, {ann}, Mode::Materialize);
  EXPECT_EQ(sql("select mail, email from crm.contact_live"), "a@x.y|a@x.y");
}

TEST_F(PostgresSchema, WithoutItsCursorTableItIsMadeAnewAndEveryRecordToldAgain) {
  auto sink = open_sink();
  const EntrySpec ann{.rev = 1, .fields = {{"name", text("Ann")}}};
  must_write(*sink, {ann});
  const auto shape = [&] {
    return sql(
        "select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), "
        "a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), ', ' order by a.attnum) || ' ' || (select "
        "string_agg(pg_get_constraintdef(oid), ', ') from pg_constraint where conrelid = "
        "'crm.cursor'::regclass) from pg_attribute a left join pg_attrdef d on d.adrelid = "
        "a.attrelid and d.adnum = a.attnum where a.attrelid = 'crm.cursor'::regclass and a.attnum "
        "> 0");
  };
  const std::string migrated = shape();
  // While it runs.
  sql("drop table crm.cursor; delete from crm.contact");
  const auto refused = write(*sink, {{.id = kBob, .rev = 2}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked) << "no entry is at fault";
  expect_no_cursor(*sink);
  if (HasFatalFailure()) return;
  EXPECT_EQ(shape(), migrated);
  must_write(*sink, {ann}, Mode::Materialize);
  EXPECT_EQ(sql("select name, rev from crm.contact_live"), "Ann|1");
  // And before a start.
  sql("drop table crm.cursor");
  sink = make_sink();
  expect_no_cursor(*sink);
}

TEST_F(PostgresSchema, WithoutAFixedTableItIsBlockedAndSaysWhatHelps) {
  auto sink = open_sink();
  sql("drop table crm.edge");
  const auto opened = sink->open(orgs_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(opened.error().message,
            "postgres: prepare schema crm: table crm.edge was taken away: restore it, or drop the "
            "whole schema, which is then made anew and filled with every record");
}

TEST_F(PostgresSchema, ASchemaOfAnEarlierBuildIsNotedAsItStands) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1}});
  without_retired();
  sql("drop table crm.layout; delete from crm.migration where number = 4");
  sink = make_sink();
  EXPECT_EQ(sink->open(orgs_)->front().rev, Rev{1}) << "nothing was lost";
  sql("drop table crm.contact cascade");
  expect_no_cursor(*sink);
}

TEST_F(PostgresSchema, TablesOfAnEarlierBuildGetTheColumnOfRetiredFields) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1}, {.rev = 2, .object = "Gizmo__c", .entity = "custom:Gizmo__c"}});
  without_retired();
  sink = make_sink();
  EXPECT_EQ(sink->open(orgs_)->front().rev, Rev{2}) << "nothing was lost";
  EXPECT_EQ(sql("select rev, retired from crm.contact_live"), "1|null");
  EXPECT_EQ(sql("select rev, retired from crm.custom_record_live"), "2|null");
}

TEST_F(PostgresSchema, AnObjectThatLosesItsTableLeavesIt) {
  const auto without = plans_;
  plans_.insert(
      plans_.begin(),
      {"custom:Thing__c", "custom_thing__c", {{"x_plan", ColumnType::Text, "plan", false}}});
  auto sink = open_sink();
  must_write(*sink,
             {{.rev = 1,
               .fields = {{"name", text("T")}, {"plan", text("PRO")}},
               .object = "Thing__c",
               .entity = "custom:Thing__c"}});
  const auto with = std::exchange(plans_, without);
  sink = open_sink();
  EXPECT_EQ(sql("select name, delete_reason from crm.custom_thing__c where is_deleted"), "T|remap");
  must_write(*sink,
             {{.rev = 2,
               .fields = {{"name", text("T")}, {"plan", text("PRO")}},
               .object = "Thing__c",
               .entity = "custom:Thing__c"}});
  EXPECT_EQ(sql("select name, fields ->> 'plan' from crm.custom_record_live"), "T|PRO");
  // And back to a table that is there already.
  plans_ = with;
  sink = open_sink();
  must_write(*sink,
             {{.rev = 3,
               .fields = {{"name", text("T")}, {"plan", text("PRO")}},
               .object = "Thing__c",
               .entity = "custom:Thing__c"}});
  EXPECT_EQ(sql("select name, x_plan from crm.custom_thing__c_live"), "T|PRO");
  EXPECT_EQ(sql("select count(*) from crm.custom_record"), "0");
}

TEST_F(PostgresSchema, AnObjectLeavesItsTableInEveryOrg) {
  orgs_ = {"emea", "us"};
  const auto without = plans_;
  plans_.insert(
      plans_.begin(),
      {"custom:Thing__c", "custom_thing__c", {{"x_plan", ColumnType::Text, "plan", false}}});
  auto sink = open_sink();
  std::uint64_t rev = 0;
  for (const auto& org : orgs_)
    must_write(*sink,
               {{.rev = ++rev, .org = org, .object = "Thing__c", .entity = "custom:Thing__c"}});
  plans_ = without;
  sink = open_sink();
  EXPECT_EQ(sql("select string_agg(org, ' ' order by org) from crm.custom_thing__c where "
                "is_deleted"),
            "emea us");
}

TEST_F(PostgresSchema, AChangedColumnTypeIsBlockedAndNothingIsChanged) {
  open_sink();
  plans_[0].columns[5].type = ColumnType::Text;
  plans_[0].columns.push_back({"x_new", ColumnType::Text, "new", false});
  const auto opened = make_sink()->open(orgs_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(
      opened.error().message,
      "postgres: prepare schema crm: column contact.visits is bigint, but the mapping says text; "
      "a column's type is never changed: give the field another name or its old type in the "
      "mapping (SIGHUP takes it over), or drop the column and its views by hand");
  EXPECT_EQ(sql("select count(*) from pg_attribute where attname = 'x_new'"), "0");
}

TEST_F(PostgresSchema, AMissingPrivilegeIsBlockedWithTheRemedy) {
  sql("create role reader login");
  config_.url = server_.url_for("reader");
  const auto opened = make_sink()->open(orgs_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(opened.error().code, "42501");
  EXPECT_NE(opened.error().message.find("grant the role CREATE on the database once"),
            std::string::npos);
}

TEST_F(PostgresSchema, ARoleThatMayOnlyWriteRunsOnAPreparedSchema) {
  open_sink();
  sql("create role writer login; grant usage on schema crm to writer; grant all on all tables in "
      "schema crm to writer");
  config_.url = server_.url_for("writer");
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1}});
}

TEST_F(PostgresSchema, TheSchemasNameIsTakenAsWritten) {
  config_.schema = "Select";
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}}}});
  EXPECT_EQ(sql("select name from \"Select\".contact_live"), "Ann");
}

TEST_F(PostgresSchema, HostileEntityAndFieldNamesAreOnlyNames) {
  plans_[0].columns.push_back({"x_a\"b'c;--", ColumnType::Text, "a'b", true});
  plans_.insert(plans_.begin(),
                {"order", "order", {{"number", ColumnType::Text, "number", false}}});
  auto sink = open_sink();
  must_write(
      *sink,
      {{.rev = 1, .fields = {{"a'b", text("x")}}},
       {.rev = 2, .fields = {{"number", text("O-1")}}, .object = "Order", .entity = "order"}});
  EXPECT_EQ(sql("select \"x_a\"\"b'c;--\" from crm.contact"), "x");
  EXPECT_EQ(sql("select number from crm.order_live"), "O-1");
}

TEST_F(PostgresSchema, TablesLeaveRoomForUpdatesInPlace) {
  config_.fillfactor = 70;
  open_sink();
  EXPECT_EQ(sql("select reloptions from pg_class where oid = 'crm.contact'::regclass"),
            "{fillfactor=70}");
}

}  // namespace
}  // namespace headwater::postgres
