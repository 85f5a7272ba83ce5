#include "connectors/postgres/ddl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connectors/postgres/identifiers.hpp"

namespace headwater::postgres {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<TablePlan> kPlans{{"contact",
                                     "contact",
                                     {{"email", ColumnType::Text, "email", true},
                                      {"account_id", ColumnType::Id, "account_id", true}}},
                                    custom_record_plan()};

Catalog catalog_with(std::map<std::string, std::string, std::less<>> contact) {
  Catalog catalog;
  catalog.relations["custom_record"] = {{"org", "text"}};
  contact.emplace("org", "text");
  catalog.relations["contact"] = catalog.relations["contact_live"] = std::move(contact);
  catalog.indexes = {"contact_email_idx", "contact_account_id_idx"};
  return catalog;
}

std::vector<std::string> statements(const Catalog& catalog) {
  auto out = ddl_for(kPlans, catalog, 80);
  EXPECT_TRUE(out.ok());
  if (!out.ok()) return {};
  auto all = std::move(out->together);
  all.insert(all.end(), out->afterwards.begin(), out->afterwards.end());
  return all;
}

TEST(Ddl, AnEmptySchemaGetsTableIndexesAndView) {
  EXPECT_THAT(statements({}),
              ElementsAre("create table \"contact\" (like custom_record including defaults, "
                          "\"email\" text, \"account_id\" char(18) "
                          "collate \"C\", primary key (org, id)) with (fillfactor = 80)",
                          "create or replace view \"contact_live\" as select * from \"contact\" "
                          "where not is_deleted",
                          "create index if not exists \"contact_email_idx\" on \"contact\" "
                          "(\"email\") where not is_deleted and \"email\" is not null",
                          "create index if not exists \"contact_account_id_idx\" on \"contact\" "
                          "(org, \"account_id\") where not is_deleted and "
                          "\"account_id\" is not null"));
}

TEST(Ddl, ASchemaThatHasAllGetsNothing) {
  EXPECT_THAT(statements(catalog_with({{"email", "text"}, {"account_id", "character(18)"}})),
              IsEmpty());
}

TEST(Ddl, AColumnThatNoPlanNamesAnyMoreStays) {
  EXPECT_THAT(statements(catalog_with(
                  {{"email", "text"}, {"account_id", "character(18)"}, {"x_old", "text"}})),
              IsEmpty());
}

TEST(Ddl, AMissingColumnIsAddedAndShownAndFilledAfterwards) {
  const std::string fill =
      "do $fill$ begin begin update \"contact\" set \"email\" = (fields ->> 'email')::text, fields "
      "= fields - 'email' where fields ? 'email'; exception when data_exception then null; end; "
      "comment on column \"contact\".\"email\" is null; end $fill$";
  auto catalog = catalog_with({{"account_id", "character(18)"}});
  const auto out = ddl_for(kPlans, catalog, 80);
  ASSERT_TRUE(out.ok());
  EXPECT_THAT(out->together,
              ElementsAre("alter table \"contact\" add column \"email\" text",
                          "comment on column \"contact\".\"email\" is 'headwater: is being filled'",
                          "create or replace view \"contact_live\" as select * from \"contact\" "
                          "where not is_deleted"));
  EXPECT_THAT(out->afterwards, ElementsAre(fill));
  // A crash between the two.
  catalog = catalog_with({{"email", "text"}, {"account_id", "character(18)"}});
  catalog.filling.insert("contact.email");
  EXPECT_THAT(statements(catalog), ElementsAre(fill));
}

TEST(Ddl, AColumnThatWeMadeAndNoPlanFillsIsRetiredAndFilledAgainOnceOneDoes) {
  auto catalog = catalog_with({{"email", "text"},
                               {"account_id", "character(18)"},
                               {"x_old", "numeric"},
                               {"x_persons_own", "text"}});
  catalog.known = {"contact.org", "contact.email", "contact.account_id", "contact.x_old"};
  EXPECT_THAT(retired_columns(kPlans, catalog), ElementsAre(Place{"contact", "x_old", "numeric"}));
  auto plans = kPlans;
  plans[0].columns.push_back({"x_old", ColumnType::Numeric, "old", false});
  EXPECT_THAT(retired_columns(plans, catalog), IsEmpty());
  EXPECT_TRUE(ddl_for(plans, catalog, 80)->empty());
  catalog.retired = {"contact.x_old"};
  EXPECT_THAT(ddl_for(plans, catalog, 80)->together, IsEmpty());
  EXPECT_THAT(ddl_for(plans, catalog, 80)->afterwards,
              ElementsAre(testing::HasSubstr("set \"x_old\" = (fields ->> 'old')::numeric")));
}

TEST(Ddl, EveryColumnOfAnotherTypeIsNamedWithWhatToDo) {
  const auto catalog = catalog_with({{"email", "numeric"}, {"account_id", "text"}});
  EXPECT_THAT(
      other_types(kPlans, catalog),
      ElementsAre("column contact.email is numeric, but the mapping says text; a column's type is "
                  "never changed: give the field another name or its old type in the mapping "
                  "(SIGHUP takes it over), or drop the column and its views by hand",
                  testing::StartsWith("column contact.account_id is text, but the mapping says "
                                      "character(18)")));
  EXPECT_EQ(ddl_for(kPlans, catalog, 80).error().kind, ErrorKind::Blocked);
}

TEST(Ddl, AColumnThatSomeoneTookAwayComesBackAndItsRowsCountAsNeverWritten) {
  const std::string again =
      "update \"contact\" set rev = 0 where rev is distinct from 0; comment on column "
      "\"contact\".\"email\" is null";
  auto catalog = catalog_with({{"account_id", "character(18)"}});
  catalog.known = {"contact.email", "contact.account_id"};
  const auto out = ddl_for(kPlans, catalog, 80);
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE(out->lost);
  EXPECT_THAT(out->together,
              ElementsAre("alter table \"contact\" add column \"email\" text",
                          "comment on column \"contact\".\"email\" is 'headwater: was lost, is "
                          "being told again'",
                          "drop view \"contact_live\"",
                          "create or replace view \"contact_live\" as select * from \"contact\" "
                          "where not is_deleted"));
  EXPECT_THAT(out->afterwards, ElementsAre(again));
  // A crash between the two.
  catalog = catalog_with({{"email", "text"}, {"account_id", "character(18)"}});
  catalog.lost.insert("contact.email");
  EXPECT_THAT(statements(catalog), ElementsAre(again));
}

TEST(Ddl, ATableThatSomeoneTookAwayIsLostAndANewOneIsNot) {
  auto catalog = catalog_with({});
  catalog.relations.erase("contact");
  catalog.relations.erase("contact_live");
  EXPECT_FALSE(ddl_for(kPlans, catalog, 80)->lost);
  catalog.known = {"contact.id"};
  EXPECT_TRUE(ddl_for(kPlans, catalog, 80)->lost);
}

TEST(Ddl, OfSeveralThatLostAColumnEachGetsItsViewAnew) {
  Catalog catalog = catalog_with({{"account_id", "character(18)"}});
  auto plans = kPlans;
  plans.insert(plans.begin(), {"account", "account", {{"site", ColumnType::Text, "site", false}}});
  catalog.relations["account"] = catalog.relations["account_live"] = {{"org", "text"}};
  catalog.known = {"account.site", "contact.email"};
  const auto out = ddl_for(plans, catalog, 80);
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE(out->lost);
  EXPECT_THAT(out->together, testing::Contains("drop view \"account_live\""));
  EXPECT_THAT(out->together, testing::Contains("drop view \"contact_live\""));
}

TEST(Ddl, WhatTheLayoutDoesNotKnowIsNoted) {
  auto catalog = catalog_with({{"email", "text"}, {"account_id", "character(18)"}});
  EXPECT_THAT(
      unknown_columns(kPlans, catalog),
      ElementsAre("('contact', 'org')", "('contact', 'email')", "('contact', 'account_id')"));
  catalog.known = {"contact.org", "contact.email", "contact.account_id"};
  EXPECT_THAT(unknown_columns(kPlans, catalog), IsEmpty());
}

TEST(Ddl, ATableThatNoPlanNamesIsRetired) {
  Catalog catalog;
  const std::map<std::string, std::string, std::less<>> head{
      {"org", "text"}, {"mapping_rev", "integer"}, {"is_deleted", "boolean"}};
  for (const char* name : {"contact", "contact_live", "custom_record", "custom_record_live"}) {
    catalog.relations[name] = head;
  }
  EXPECT_THAT(retired_tables(kPlans, catalog), IsEmpty());
  catalog.relations["invoice"] = catalog.relations["invoice_live"] = head;
  catalog.relations["somebodys"] = head;
  EXPECT_THAT(retired_tables(kPlans, catalog), ElementsAre("invoice"));
}

TEST(Ddl, AColumnThatAMigrationGaveToTheHeadFollows) {
  auto catalog = catalog_with({{"email", "text"}, {"account_id", "character(18)"}});
  catalog.relations["custom_record"].emplace("score", "numeric");
  EXPECT_THAT(statements(catalog),
              ElementsAre("alter table \"contact\" add column \"score\" numeric",
                          "create or replace view \"contact_live\" as select * from \"contact\" "
                          "where not is_deleted"));
}

TEST(Ddl, AChangedTypeIsBlocked) {
  const auto out =
      ddl_for(kPlans, catalog_with({{"email", "bigint"}, {"account_id", "character(18)"}}), 80);
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().kind, ErrorKind::Blocked);
}

TEST(Ddl, AnEntityNamedLikeAFixedTableIsBlocked) {
  const std::vector<TablePlan> plans{{"edge", "edge", {}}, custom_record_plan()};
  const auto out = ddl_for(plans, {}, 80);
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().kind, ErrorKind::Blocked);
}

TEST(Identifiers, CustomObjectsAreLowerCaseAndLongNamesAreCutWithAHash) {
  EXPECT_EQ(table_of("contact"), "contact");
  EXPECT_EQ(table_of("custom:Invoice__c"), "custom_invoice__c");
  const std::string name =
      table_of("custom:A_very_long_namespace__With_a_very_long_object_name__c");
  EXPECT_EQ(name.size(), 58U);
  EXPECT_EQ(name.substr(0, 50), "custom_a_very_long_namespace__with_a_very_long_ob_");
  EXPECT_NE(name, table_of("custom:A_very_long_namespace__With_a_very_long_object_nam2__c"));
  EXPECT_LE(index_of(name, "some_column").size(), kIdentifierBytesMax);
}

TEST(Identifiers, SchemaNamesAreCheckedAndAllOthersQuoted) {
  for (const char* good : {"crm", "_x", "A1_b"}) EXPECT_TRUE(is_schema_name(good)) << good;
  for (const char* bad : {"", "1a", "a-b", "a\"b", "a.b", "sch\xC3\xA9ma"})
    EXPECT_FALSE(is_schema_name(bad)) << bad;
  EXPECT_FALSE(is_schema_name(std::string(64, 'a')));
  EXPECT_EQ(quoted("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(literal("a'b"), "'a''b'");
}

}  // namespace
}  // namespace headwater::postgres
