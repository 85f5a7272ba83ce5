#include "connectors/postgres/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schemas/crm/mapping.hpp"

namespace headwater::postgres {
namespace {

using testing::ElementsAre;

crm::FieldMapping field(
    std::string name, crm::FieldType type, bool builtin, bool column = false, bool index = false) {
  crm::FieldMapping out;
  out.name = std::move(name);
  out.type = type;
  out.builtin = builtin;
  out.column = column;
  out.index = index;
  return out;
}

crm::EntityMapping entity(std::string name,
                          std::string object,
                          std::vector<crm::FieldMapping> fields) {
  crm::EntityMapping out;
  out.entity = std::move(name);
  out.object = std::move(object);
  out.fields = std::move(fields);
  return out;
}

std::vector<TablePlan> plans_of(std::vector<crm::EntityMapping> entities) {
  return plan_tables(*crm::Mapping::build(std::move(entities), {}, 1, "", ""));
}

TEST(Plan, BuiltInFieldsHaveTheirOwnNameAndOthersAPrefix) {
  using enum crm::FieldType;
  EXPECT_THAT(plans_of({entity("contact",
                               "Contact",
                               {field("account_id", Ref, true),
                                field("email", Email, true, false, true),
                                field("score", Decimal, false),
                                field("tier", Text, false, true, true)})}),
              ElementsAre(TablePlan{"contact",
                                    "contact",
                                    {{"account_id", ColumnType::Id, "account_id", true},
                                     {"email", ColumnType::Text, "email", true},
                                     {"x_tier", ColumnType::Text, "tier", true}}},
                          custom_record_plan()));
}

TEST(Plan, FieldsOfTheHeadAreNotRepeated) {
  using enum crm::FieldType;
  EXPECT_THAT(
      plans_of({entity("user", "User", {field("name", Text, true), field("owner_id", Ref, true)})}),
      ElementsAre(TablePlan{"user", "user", {}}, custom_record_plan()));
}

TEST(Plan, ACustomObjectHasATableOnlyIfItDeclaresAColumn) {
  using enum crm::FieldType;
  EXPECT_THAT(
      plans_of({entity("custom:Plain__c", "Plain__c", {field("plan", Text, false)}),
                entity("custom:Invoice__c", "Invoice__c", {field("total", Decimal, false, true)})}),
      ElementsAre(TablePlan{"custom:Invoice__c",
                            "custom_invoice__c",
                            {{"x_total", ColumnType::Numeric, "total", false}}},
                  custom_record_plan()));
}

}  // namespace
}  // namespace headwater::postgres
