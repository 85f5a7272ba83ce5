#include "connectors/salesforce/describe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headwater::salesforce {
namespace {

using testing::ElementsAre;

TEST(CompoundPath, SaysItAsChangeEventsDo) {
  EXPECT_EQ(compound_path("BillingCity", "BillingAddress"), "BillingAddress.City");
  EXPECT_EQ(compound_path("BillingGeocodeAccuracy", "BillingAddress"),
            "BillingAddress.GeocodeAccuracy");
  EXPECT_EQ(compound_path("PersonMailingCity", "PersonMailingAddress"),
            "PersonMailingAddress.City");
  EXPECT_EQ(compound_path("Street", "Address"), "Address.Street");
  EXPECT_EQ(compound_path("FirstName", "Name"), "Name.FirstName");
  EXPECT_EQ(compound_path("Loc__Latitude__s", "Loc__c"), "Loc__c.Latitude");
  EXPECT_EQ(compound_path("ns__Site__Longitude__s", "ns__Site__c"), "ns__Site__c.Longitude");
  EXPECT_EQ(compound_path("Home__PostalCode__s", "Home__c"), "Home__c.PostalCode");
}

TEST(CompoundPath, APartOfAnotherFormKeepsItsName) {
  EXPECT_EQ(compound_path("Odd", "Loc__c"), "Loc__c.Odd");
  EXPECT_EQ(compound_path("City", "BillingAddress"), "BillingAddress.City");
}

std::vector<std::string> paths(const ObjectDescription& object) {
  std::vector<std::string> out;
  for (const auto& field : object.fields) out.push_back(field.path);
  return out;
}

TEST(ReadDescribe, ListsPartsInsteadOfCompounds) {
  const auto object = read_describe(R"({"name":"Contact","keyPrefix":"003","fields":[
    {"name":"Id","type":"id","compoundFieldName":null},
    {"name":"Name","type":"string","compoundFieldName":null},
    {"name":"FirstName","type":"string","compoundFieldName":"Name"},
    {"name":"MailingStreet","type":"textarea","compoundFieldName":"MailingAddress"},
    {"name":"MailingAddress","type":"address","compoundFieldName":null},
    {"name":"Loc__Latitude__s","type":"double","compoundFieldName":"Loc__c"},
    {"name":"Loc__c","type":"location"},
    {"name":"AccountId","type":"reference","referenceTo":["Account"]},
    {"name":"Score__c","type":"double","calculated":true}]})");
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->name, "Contact");
  EXPECT_EQ(object->key_prefix, "003");
  EXPECT_THAT(paths(*object),
              ElementsAre("Id",
                          "Name.FirstName",
                          "MailingAddress.Street",
                          "Loc__c.Latitude",
                          "AccountId",
                          "Score__c"));
  EXPECT_THAT(object->fields[4].reference_to, ElementsAre("Account"));
  EXPECT_TRUE(object->fields[5].calculated);
}

TEST(ReadDescribe, AUsersPreferencesAreToldByNoEventOfTheirName) {
  const auto fields = R"("fields":[
    {"name":"UserPreferencesApexPagesDeveloperMode","type":"boolean"},
    {"name":"EmailPreferencesAutoBcc","type":"boolean"},
    {"name":"UserPreferences","type":"multipicklist"},
    {"name":"IsActive","type":"boolean"}]})";
  const auto calculated = [](const Result<ObjectDescription>& object) {
    std::vector<std::string> out;
    for (const auto& field : object->fields) {
      if (field.calculated) out.push_back(field.name);
    }
    return out;
  };
  const auto user = read_describe(std::string(R"({"name":"User","keyPrefix":"005",)") + fields);
  ASSERT_TRUE(user.ok());
  EXPECT_THAT(calculated(user),
              ElementsAre("UserPreferencesApexPagesDeveloperMode", "EmailPreferencesAutoBcc"));
  const auto other = read_describe(std::string(R"({"name":"Lead","keyPrefix":"00Q",)") + fields);
  ASSERT_TRUE(other.ok());
  EXPECT_THAT(calculated(other), ElementsAre());
}

TEST(ReadDescribe, AnAccountKeepsItsNameBesideAPersonsParts) {
  const auto object = read_describe(R"({"name":"Account","keyPrefix":"001","fields":[
    {"name":"Name","type":"string","compoundFieldName":"Name"},
    {"name":"LastName","type":"string","compoundFieldName":"Name"},
    {"name":"IsPersonAccount","type":"boolean"}]})");
  ASSERT_TRUE(object.ok());
  EXPECT_THAT(paths(*object), ElementsAre("Name", "Name.LastName", "IsPersonAccount"));
}

TEST(ReadDescribe, AnythingElseIsTransient) {
  for (const auto* body : {"", "[]", "{}", R"({"fields":{}})", R"({"fields":[1]})"}) {
    const auto object = read_describe(body);
    ASSERT_FALSE(object.ok()) << body;
    EXPECT_EQ(object.error().kind, ErrorKind::Transient);
  }
}

TEST(ReadDescribeGlobal, GivesNamesAndPrefixes) {
  const auto objects = read_describe_global(R"({"encoding":"UTF-8","sobjects":[
    {"name":"Account","keyPrefix":"001","queryable":true,"retrieveable":true},
    {"name":"AccountChangeEvent","keyPrefix":null,"queryable":false,"retrieveable":false}]})");
  ASSERT_TRUE(objects.ok());
  ASSERT_EQ(objects->size(), 2u);
  EXPECT_EQ((*objects)[0].key_prefix, "001");
  EXPECT_TRUE((*objects)[0].queryable);
  EXPECT_EQ((*objects)[1].key_prefix, "");
  EXPECT_FALSE((*objects)[1].retrieveable);
}

TEST(FetchFields, AskForWhatAnEventWouldCarryAndForIdentity) {
  ObjectDescription object;
  object.fields = {{"Id", "Id", "id", "", {}, false},
                   {"Name", "Name", "string", "", {}, false},
                   {"IsDeleted", "IsDeleted", "boolean", "", {}, false},
                   {"SystemModstamp", "SystemModstamp", "datetime", "", {}, false},
                   {"LastActivityDate", "LastActivityDate", "date", "", {}, false},
                   {"LastViewedDate", "LastViewedDate", "datetime", "", {}, false},
                   {"PhotoUrl", "PhotoUrl", "url", "", {}, false},
                   {"Body", "Body", "base64", "", {}, false},
                   {"LastModifiedDate", "LastModifiedDate", "datetime", "", {}, false}};
  EXPECT_THAT(fetch_fields(object),
              ElementsAre("Id", "SystemModstamp", "Name", "LastModifiedDate"));
}

}  // namespace
}  // namespace headwater::salesforce
