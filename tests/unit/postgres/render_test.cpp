#include "connectors/postgres/render.hpp"

#include <gtest/gtest.h>

#include "connectors/postgres/statements.hpp"
#include "connectors/sink.hpp"
#include "tests/support/entry_maker.hpp"

namespace headwater::postgres {
namespace {

using test::EntryMaker;
using test::EntrySpec;

const std::string kAnn = "0035f00000ABCDeAAP";
const std::string kBob = "0035f00000FGHIjAAP";

class RenderTest : public testing::Test {
 protected:
  void render() {
    std::vector<const EntryView*> pointers;
    for (const EntryView& entry : maker_.entries()) pointers.push_back(&entry);
    ASSERT_TRUE(renderer_.render(pointers).ok());
  }

  EntryMaker maker_;
  Renderer renderer_{{{"contact", "contact", {{"email", ColumnType::Text, "email", false}}},
                      custom_record_plan()}};
};

TEST_F(RenderTest, EachRecordHasOneRowInKeyOrder) {
  maker_.add({.op = Op::Create, .id = kBob, .rev = 1});
  maker_.add({.op = Op::Create, .id = kAnn, .rev = 2});
  maker_.add({.op = Op::Update, .id = kBob, .rev = 3});
  render();
  ASSERT_EQ(renderer_.upserts(0).rows(), 2U);
  const std::string_view ids = renderer_.upserts(0).columns[2].finish();
  EXPECT_LT(ids.find(kAnn), ids.find(kBob));
  EXPECT_TRUE(renderer_.upserts(1).empty());
}

TEST_F(RenderTest, WhatARecordLacksIsNullThoughTheOneBeforeItHasIt) {
  maker_.add({.op = Op::Create, .id = kAnn, .rev = 1, .fields = {{"email", "a@b.example"}}});
  maker_.add({.op = Op::Create, .id = kBob, .rev = 2});
  render();
  const std::string_view emails = renderer_.upserts(0).columns.back().finish();
  EXPECT_NE(emails.find("a@b.example"), std::string::npos);
  EXPECT_EQ(emails.find("a@b.example"), emails.rfind("a@b.example"));
}

TEST_F(RenderTest, ViolationsHaveAColumnThatIsNullWithoutThem) {
  EntryView entry = maker_.add({.op = Op::Create, .rev = 1, .fields = {{"email", "a@b.example"}}});
  const auto column = [&] {
    const EntryView* const pointer = &entry;
    EXPECT_TRUE(renderer_.render({&pointer, 1}).ok());
    EXPECT_EQ(head_columns()[17], "violations");
    return std::string(renderer_.upserts(0).columns[17].finish());
  };
  EXPECT_EQ(column().find("rule"), std::string::npos);
  std::string violations;
  put_varint(violations, entry.after[Section::Fields][0].name);
  entry.meta.violations = violations;
  EXPECT_NE(column().find(R"([{"field":"email","rule":"transform_error"}])"), std::string::npos);
  // A deleted record keeps them with its last image.
  entry.op = Op::Delete;
  std::swap(entry.after, entry.old);
  EXPECT_NE(column().find("transform_error"), std::string::npos);
}

TEST_F(RenderTest, RetiredFieldsHaveAColumnThatIsNullWithoutThem) {
  EntryView entry = maker_.add({.op = Op::Create, .rev = 1, .fields = {{"email", "a@b.example"}}});
  const auto column = [&] {
    const EntryView* const pointer = &entry;
    EXPECT_TRUE(renderer_.render({&pointer, 1}).ok());
    EXPECT_EQ(head_columns()[18], "retired");
    return std::string(renderer_.upserts(0).columns[18].finish());
  };
  EXPECT_EQ(column().find("email"), std::string::npos);
  std::string retired;
  put_varint(retired, entry.after[Section::Fields][0].name);
  entry.meta.retired = retired;
  EXPECT_NE(column().find(R"(["email"])"), std::string::npos);
}

TEST_F(RenderTest, AnUpdateThatTouchesNoReferenceSaysNothingOfEdges) {
  maker_.add(
      {.op = Op::Update, .rev = 1, .refs = {{"account", "emea:Account:0015f00002JUXA8AAP"}}});
  render();
  EXPECT_TRUE(renderer_.edges().empty());
  EXPECT_TRUE(renderer_.edge_sources().empty());
}

TEST_F(RenderTest, ACreateReadOrDeleteAlwaysSaysItsEdges) {
  for (const Op op : {Op::Create, Op::Read, Op::Delete}) {
    maker_.clear();
    maker_.add({.op = op, .rev = 1, .refs = {{"account", "emea:Account:0015f00002JUXA8AAP"}}});
    render();
    EXPECT_EQ(renderer_.edges().rows(), op == Op::Delete ? 0U : 1U);
    EXPECT_EQ(renderer_.edge_sources().rows(), 1U);
  }
}

TEST_F(RenderTest, AllThatADeletedRecordStatesIsWhereItWasMergedInto) {
  maker_.add({.op = Op::Delete,
              .rev = 1,
              .refs = {{"account", "emea:Account:0015f00002JUXA8AAP"}},
              .merged_into = kBob});
  render();
  EXPECT_EQ(renderer_.edges().rows(), 1U);
}

TEST_F(RenderTest, AnotherSortTimeIsEnoughForTheEdges) {
  maker_.add({.op = Op::Update,
              .rev = 1,
              .refs = {{"account", "emea:Account:0015f00002JUXA8AAP"}},
              .sort_at = 2'000});
  render();
  EXPECT_EQ(renderer_.edges().rows(), 1U);
}

TEST_F(RenderTest, TwoObjectsWithOneIdAreTwoRows) {
  maker_.add({.op = Op::Create, .rev = 1, .object = "A__c", .entity = "custom:A__c"});
  maker_.add({.op = Op::Create, .rev = 2, .object = "B__c", .entity = "custom:B__c"});
  maker_.add(
      {.op = Op::Create, .rev = 3, .org = "apac", .object = "A__c", .entity = "custom:A__c"});
  render();
  EXPECT_EQ(renderer_.upserts(1).rows(), 3U);
}

TEST_F(RenderTest, OneTouchedReferenceIsEnoughForAllEdgesOfTheCoalescedRecord) {
  const std::map<std::string, std::string> refs{{"account", "emea:Account:0015f00002JUXA8AAP"},
                                                {"owner", "emea:User:0055f000005mc66AAA"}};
  maker_.add({.op = Op::Update,
              .rev = 1,
              .refs = refs,
              .old_refs = {{"account", "emea:Account:0015f00002JUXB1AAP"}}});
  maker_.add({.op = Op::Update, .rev = 2, .refs = refs});
  maker_.add({.op = Op::Update, .id = kBob, .rev = 3, .refs = refs});
  render();
  EXPECT_EQ(renderer_.edges().rows(), 2U);
  EXPECT_EQ(renderer_.edge_sources().rows(), 1U);
}

TEST_F(RenderTest, APurgeIsAKeyAndNoRow) {
  maker_.add({.op = Op::Delete, .rev = 1, .purge = true});
  render();
  EXPECT_TRUE(renderer_.upserts(0).empty());
  EXPECT_EQ(renderer_.purges(0).rows(), 1U);
  EXPECT_EQ(renderer_.edge_sources().rows(), 1U);
}

TEST_F(RenderTest, EachPlatformEventIsARowInItsOrder) {
  maker_.add(test::platform_event(1, "b"));
  maker_.add({.op = Op::Create, .id = kAnn, .rev = 2});
  maker_.add(test::platform_event(3, "a"));
  render();
  ASSERT_EQ(renderer_.platform().rows(), 2U) << "they share a key and are not one record";
  const std::string_view payloads = renderer_.platform().columns[9].finish();
  EXPECT_LT(payloads.find("\"b\""), payloads.find("\"a\""));
  EXPECT_EQ(renderer_.upserts(0).rows(), 1U);
  EXPECT_TRUE(renderer_.edge_sources().rows() == 1U) << "of the record alone";
}

TEST(Statements, AnUpsertNamesItsColumnsAndIsGuardedByRev) {
  const std::string sql =
      upsert_sql("crm", {"contact", "contact", {{"x_n", ColumnType::Numeric, "n", false}}});
  EXPECT_EQ(
      sql.find(
          "insert into \"crm\".\"contact\" as t (\"org\", \"object\", \"id\", \"bu\", \"rev\", "),
      0U)
      << sql;
  EXPECT_NE(sql.find("u.c28::numeric from (select unnest($1::text[]) c0, "), std::string::npos)
      << sql;
  EXPECT_NE(sql.find("on conflict (org, id) do update set \"bu\" = excluded.\"bu\", "),
            std::string::npos)
      << sql;
  EXPECT_TRUE(sql.ends_with(" where t.rev < excluded.rev")) << sql;
}

}  // namespace
}  // namespace headwater::postgres
