#include "tests/org/deployment.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/org/org.hpp"
#include "tests/org/soql.hpp"
#include "tests/org/workload.hpp"
#include "tests/unit/org/oracle.hpp"

namespace headwater::org {
namespace {

class DeploymentTest : public testing::Test {
 protected:
  void deploy(const std::string& body) {
    const auto done = org::deploy(org, boost::json::parse(body).get_object());
    EXPECT_TRUE(done.ok()) << done.error().message;
  }
  const ObjectDef& def(std::string_view name = "Account") { return org.catalog().get(name); }
  std::string make(const std::string& object = "Account") {
    Draft draft(DmlOp::Create, def(object), {org.store().new_id(def(object))});
    draft.set("Name", "A");
    EXPECT_TRUE(org.store().commit({draft}, {}).ok());
    return draft.id();
  }
  void set(const std::string& id, std::string_view field, Value value) {
    EXPECT_TRUE(
        org.store().commit({Draft(DmlOp::Update, def(), {id}).set(field, std::move(value))}, {}));
  }
  Value value(const std::string& id, std::string_view field) {
    Value out;
    org.store().with(
        def(), id, [&](const Record& record) { out = record.values[def().leaf(field)]; });
    return out;
  }
  /// Schema ids of what was published since the last call.
  std::vector<std::string> schemas() {
    std::vector<std::string> out;
    org.bus().read(cursor, nullptr, 1'000, [&](const BusEvent& event) {
      out.emplace_back(event.schema_id);
      last = event.payload;
      return true;
    });
    return out;
  }

  Org org{OrgOptions{}};
  Bus::Cursor cursor = 0;
  std::string last;
};

TEST_F(DeploymentTest, ANewFieldIsInEventsOfANewSchemaAndTheOldOneIsStillThere) {
  const auto id = make();
  const std::string before = def().schema_id;
  deploy(R"({"object":"Account","add":{"name":"Tier__c","type":"picklist"}})");
  EXPECT_NE(def().schema_id, before);
  ASSERT_NE(org.catalog().schema_text(before), nullptr);
  EXPECT_EQ(org.catalog().schema_text(before)->find("Tier__c"), std::string::npos);
  schemas();
  set(id, "Tier__c", Value("gold"));
  EXPECT_EQ(schemas(), std::vector<std::string>{def().schema_id});
  EXPECT_EQ(oracle_decode(def(), last).values[def().leaf("Tier__c")], Value("gold"));
}

TEST_F(DeploymentTest, AHiddenFieldIsNullInEventsThatKeepItInTheirSchema) {
  const auto id = make();
  const std::string schema = def().schema_id;
  deploy(R"({"object":"Account","hide":"Industry"})");
  EXPECT_EQ(def().schema_id, schema);
  EXPECT_FALSE(find_rest_field(def(), "Industry"));
  schemas();
  set(id, "Industry", Value("Steel"));
  ASSERT_EQ(schemas().size(), 1U);
  const auto told = oracle_decode(def(), last);
  EXPECT_TRUE(is_null(told.values[def().leaf("Industry")]));
  EXPECT_EQ(value(id, "Industry"), Value("Steel"));
  deploy(R"({"object":"Account","show":"Industry"})");
  EXPECT_TRUE(find_rest_field(def(), "Industry"));
  set(id, "Industry", Value("Wood"));
  schemas();
  EXPECT_EQ(oracle_decode(def(), last).values[def().leaf("Industry")], Value("Wood"));
}

TEST_F(DeploymentTest, WhileItLastsTheSchemaBeforeTellsWhatItCan) {
  const auto id = make();
  const std::string before = def().schema_id;
  deploy(R"({"object":"Account","add":{"name":"Tier__c","type":"picklist"}})");
  deploy(R"({"object":"Account","deploying":true})");
  const std::string after = def().schema_id;
  schemas();
  for (int i = 0; i < 4; ++i) set(id, "Industry", Value("I" + std::to_string(i)));
  auto told = schemas();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(std::count(told.begin(), told.end(), before), 2);
  EXPECT_EQ(std::count(told.begin(), told.end(), after), 2);
  for (int i = 0; i < 4; ++i) set(id, "Tier__c", Value("T" + std::to_string(i)));
  EXPECT_EQ(schemas(), std::vector<std::string>(4, after)) << "the one before has no such field";
}

TEST_F(DeploymentTest, WhileItLastsHalfOfTheRecordsAreCreatedByTheSchemaBefore) {
  const std::string before = def().schema_id;
  deploy(R"({"object":"Account","add":{"name":"Tier__c","type":"picklist"}})");
  deploy(R"({"object":"Account","deploying":true})");
  schemas();
  for (int i = 0; i < 4; ++i) make();
  const auto told = schemas();
  EXPECT_EQ(std::count(told.begin(), told.end(), before), 2);
  EXPECT_EQ(std::count(told.begin(), told.end(), def().schema_id), 2);
}

TEST_F(DeploymentTest, AFormulaIsInNoEventAndChangesWithoutATrace) {
  const auto id = make();
  const std::string before = def().schema_id;
  deploy(R"({"object":"Account","add":{"name":"Heat__c","type":"double","formula":true}})");
  EXPECT_EQ(def().schema_id, before);
  schemas();
  deploy(R"({"object":"Account","recalculate":{"name":"Heat__c","value":"4.5"}})");
  EXPECT_EQ(value(id, "Heat__c"), Value(4.5));
  EXPECT_TRUE(schemas().empty());
}

TEST_F(DeploymentTest, ValuesMoveWithANameAndBecomeWhatANewTypeMakesOfThem) {
  const auto id = make(), other = make();
  deploy(R"({"object":"Account","add":{"name":"Size__c","type":"text"}})");
  set(id, "Size__c", Value("4.5"));
  set(other, "Size__c", Value("large"));
  schemas();
  deploy(R"({"object":"Account","rename":{"from":"Size__c","to":"Seats__c"}})");
  EXPECT_EQ(value(id, "Seats__c"), Value("4.5"));
  EXPECT_FALSE(def().find_leaf("Size__c").has_value());
  deploy(R"({"object":"Account","retype":{"name":"Seats__c","type":"double"}})");
  EXPECT_EQ(value(id, "Seats__c"), Value(4.5));
  EXPECT_TRUE(is_null(value(other, "Seats__c")));
  EXPECT_TRUE(schemas().empty()) << "no event tells it";
  deploy(R"({"object":"Account","remove":"Seats__c"})");
  EXPECT_FALSE(def().find_leaf("Seats__c").has_value());
  EXPECT_EQ(def().schema_json.find("Seats__c"), std::string::npos);
  set(id, "Industry", Value("Steel"));
  schemas();
  EXPECT_EQ(oracle_decode(def(), last).values[def().leaf("Industry")], Value("Steel"));
}

TEST_F(DeploymentTest, ANewObjectHasRecordsAndEventsAtOnce) {
  deploy(
      R"({"create":"Project__c","prefix":"a0P","fields":[{"name":"Budget__c","type":"currency"},)"
      R"({"name":"Account__c","type":"ref","refers_to":["Account"]}]})");
  schemas();
  make("Project__c");
  EXPECT_EQ(schemas(), std::vector<std::string>{def("Project__c").schema_id});
  EXPECT_EQ(org.store().live_count(def("Project__c")), 1U);
}

TEST_F(DeploymentTest, WhatIsNotCapturedTellsNobody) {
  deploy(R"({"object":"Account","captured":false})");
  make();
  make("Product2");
  EXPECT_EQ(schemas(), std::vector<std::string>{def("Product2").schema_id});
  deploy(R"({"object":"Account","captured":true})");
  make();
  EXPECT_EQ(schemas().size(), 1U);
}

TEST_F(DeploymentTest, FieldsThatItsLifeSetsStay) {
  const auto refused = org::deploy(
      org, boost::json::parse(R"({"object":"Account","remove":"Industry"})").get_object());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "schema: no field was added as Industry");
}

}  // namespace
}  // namespace headwater::org
