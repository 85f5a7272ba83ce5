#include "config/mapping_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tests/unit/crm/fixture.hpp"

namespace headwater::crm {
namespace {

/// The problems of one file on top of the built-in one, a line each.
std::string problems_of(const std::string& body) {
  config::Problems problems;
  config::parse_mapping({{"m.yaml", "version: 1\nmapping_rev: 7\n" + body}}, problems);
  return problems.str();
}

const FieldMapping* field_of(const EntityMapping& entity, std::string_view name) {
  for (const auto& field : entity.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

TEST(MappingFile, TheBuiltInOneHasEveryEntity) {
  const auto mapping = mapping_of();
  const std::pair<const char*, const char*> entities[] = {
      {"Account", "account"},
      {"Contact", "contact"},
      {"Lead", "lead"},
      {"Opportunity", "opportunity"},
      {"OpportunityLineItem", "opportunity_line"},
      {"Case", "case"},
      {"Task", "activity"},
      {"Event", "event"},
      {"Order", "order"},
      {"OrderItem", "order_item"},
      {"Product2", "product"},
      {"Campaign", "campaign"},
      {"User", "user"},
      {"OpportunityContactRole", "opportunity_contact_role"},
      {"AccountContactRelation", "account_contact_relation"},
      {"CampaignMember", "campaign_member"},
      {"EventRelation", "event_relation"},
      {"TaskRelation", "task_relation"}};
  EXPECT_EQ(mapping->entities().size(), std::size(entities));
  for (const auto& [object, entity] : entities) {
    EXPECT_EQ(mapping->of_object(object).entity, entity);
    for (const auto* common : {"created_at",
                               "created_by_id",
                               "currency",
                               "name",
                               "owner_id",
                               "record_type",
                               "record_type_id",
                               "updated_at",
                               "updated_by_id"}) {
      EXPECT_NE(field_of(mapping->of_object(object), common), nullptr) << entity << " " << common;
    }
  }
  EXPECT_EQ(mapping->of_object("Opportunity").sort, "close_date");
  EXPECT_TRUE(field_of(mapping->of_object("Account"), "name")->required);
  EXPECT_EQ(field_of(mapping->of_object("Account"), "annual_revenue")->unit, "currency");
}

TEST(MappingFile, AnObjectWithoutAMappingHasTheCommonFields) {
  const auto mapping = mapping_of();
  const EntityMapping& invoice = mapping->of_object("Invoice__c");
  EXPECT_EQ(invoice.entity, "custom:Invoice__c");
  EXPECT_EQ(invoice.fields.size(), 9U);
  EXPECT_EQ(&mapping->of_object("Invoice__c"), &invoice) << "made once";
}

TEST(MappingFile, AddsToAndOverridesABuiltInEntity) {
  const auto mapping = mapping_of(
      "entities:\n"
      "  account:\n"
      "    object: Account\n"
      "    base: builtin\n"
      "    fields:\n"
      "      segment: {expr: Segment__c, column: true, index: true}\n"
      "      phone: {expr: 'coalesce(Phone, Main_Phone__c)'}\n"
      "    drop_extra: [Jigsaw]\n");
  const EntityMapping& account = mapping->of_object("Account");
  EXPECT_TRUE(field_of(account, "segment")->column);
  EXPECT_FALSE(field_of(account, "segment")->builtin);
  EXPECT_EQ(field_of(account, "phone")->type, FieldType::Phone) << "keeps the built-in type";
  EXPECT_TRUE(field_of(account, "phone")->builtin);
  EXPECT_NE(field_of(account, "website"), nullptr);
  EXPECT_EQ(account.drop_extra, std::vector<std::string>{"Jigsaw"});
  EXPECT_EQ(mapping->mapping_rev(), 7U);
}

TEST(MappingFile, MapsACustomObject) {
  const auto mapping = mapping_of(
      "custom:\n"
      "  Subscription__c:\n"
      "    entity: 'custom:Subscription__c'\n"
      "    fields:\n"
      "      mrr: {expr: Mrr__c, type: decimal, unit: currency, column: true}\n"
      "      ends_on: {expr: End_Date__c, type: date}\n"
      "    relations:\n"
      "      account: {from: Account__c, section: subscriptions}\n"
      "    sort: ends_on\n");
  const EntityMapping& subscription = mapping->of_object("Subscription__c");
  EXPECT_EQ(subscription.entity, "custom:Subscription__c");
  EXPECT_EQ(subscription.relations.at(0).from, "Account__c");
  EXPECT_EQ(subscription.sort, "ends_on");
}

TEST(MappingFile, ReadsTheOrgs) {
  const auto mapping = mapping_of("orgs:\n  emea: {bu: uk, region: DE, currency: GBP}\n");
  ASSERT_NE(mapping->org("emea"), nullptr);
  EXPECT_EQ(mapping->org("emea")->bu, "uk");
  EXPECT_EQ(mapping->org("us"), nullptr);
}

TEST(MappingFile, PlacesAProblemInsideAnExpression) {
  EXPECT_EQ(
      problems_of("entities:\n"
                  "  account:\n"
                  "    object: Account\n"
                  "    base: builtin\n"
                  "    fields:\n"
                  "      a: {expr: 'cocat(Type, \"x\")'}\n"
                  "      b: {expr: Site | lower}\n"
                  "      c: {expr: \"Type == \\\"x\\\" and and\"}\n"
                  "      d: {expr: 'Type == \"it''s\" ='}\n"
                  "      e:\n"
                  "        expr: >\n"
                  "          e164(Phone, \"DE\")\n"),
      "m.yaml:8:18: entities.account.fields.a.expr: no function cocat, did you mean concat?\n"
      "m.yaml:9:24: entities.account.fields.b.expr: function lower is not available yet\n"
      "m.yaml:10:36: entities.account.fields.c.expr: and is reserved: write `and` for a field of "
      "that "
      "name\n"
      "m.yaml:11:34: entities.account.fields.d.expr: = alone means nothing here: equality is ==\n"
      "m.yaml:13:15: entities.account.fields.e.expr: function e164 is not available yet\n");
}

TEST(MappingFile, TellsEveryProblemOfEveryFile) {
  config::Problems problems;
  const auto mapping =
      config::parse_mapping({{"a.yaml",
                              "version: 2\n"
                              "entities:\n"
                              "  account: {object: Account, bse: builtin}\n"},
                             {"b.yaml",
                              "version: 1\n"
                              "mapping_rev: 3\n"
                              "entities:\n"
                              "  account: {object: Account, base: builtin, sort: nme}\n"}},
                            problems);
  EXPECT_EQ(mapping, nullptr);
  EXPECT_EQ(problems.str(),
            "a.yaml:1:1: mapping_rev: is required: a number that grows with every edit\n"
            "a.yaml:1:10: version: must be between 1 and 1, got 2\n"
            "a.yaml:3:30: entities.account.bse: unknown key, did you mean base?\n"
            "b.yaml:4:12: entities.account: Account is mapped in a.yaml already\n"
            "b.yaml:4:51: entities.account.sort: the entity has no field nme\n");
}

TEST(MappingFile, ChecksTheShapeOfFields) {
  EXPECT_EQ(
      problems_of("custom:\n"
                  "  Plan__c:\n"
                  "    fields:\n"
                  "      Name: {expr: Name}\n"
                  "      id: {expr: Code__c}\n"
                  "      kind: {expr: Kind__c, type: enum}\n"
                  "      size: {expr: Size__c, type: number}\n"
                  "      cost: {expr: Cost__c, type: decimal, unit: money, pii: secret}\n"
                  "      none: {type: text}\n"),
      "m.yaml:6:13: custom.Plan__c.fields.Name: a field's name has a-z, 0-9 and _, and starts with "
      "a "
      "letter\n"
      "m.yaml:7:11: custom.Plan__c.fields.id: id stands in every record's head: name the field "
      "otherwise\n"
      "m.yaml:8:13: custom.Plan__c.fields.kind.values: is required: the values that the enum "
      "allows\n"
      "m.yaml:9:35: custom.Plan__c.fields.size.type: must be one of text, bool, int, decimal, "
      "date, "
      "timestamp, time, ref, text[], email, phone, url, address, geo, json, enum, got number\n"
      "m.yaml:10:50: custom.Plan__c.fields.cost.unit: must be one of currency, percent, got money\n"
      "m.yaml:10:62: custom.Plan__c.fields.cost.pii: must be one of email, phone, name, address, "
      "birthdate, gov_id, free_text, none, got secret\n"
      "m.yaml:11:13: custom.Plan__c.fields.none.expr: is required\n");
}

TEST(MappingFile, KeepsTheColumnsOfBuiltInFields) {
  EXPECT_EQ(problems_of("entities:\n"
                        "  account:\n"
                        "    object: Konto__c\n"
                        "    fields:\n"
                        "      phone: {expr: Phone, type: text}\n"),
            "m.yaml:5:13: entities.account.object: must be Account: account is built in\n"
            "m.yaml:7:34: entities.account.fields.phone.type: must be phone: the column of a "
            "built-in field "
            "keeps its type\n");
}

TEST(MappingFile, RefusesWhatIsNotAvailableYet) {
  EXPECT_EQ(problems_of("bu_rules:\n"
                        "  - {org: emea, object: Account, when: 'Type == \"UK\"', set: uk}\n"
                        "  - {org: emea, object: [Contact, Case], inherit: account}\n"
                        "entities:\n"
                        "  contact:\n"
                        "    object: Contact\n"
                        "    base: builtin\n"
                        "    validate:\n"
                        "      - {field: email, rule: regex, pattern: '@', on: quarantine_field}\n"
                        "pii:\n"
                        "  default_unmapped: confidential\n"
                        "  classes: {email: confidential, birthdate: restricted}\n"
                        "  sinks:\n"
                        "    postgres: {confidential: keep, restricted: keep}\n"
                        "    redis: {restricted: drop}\n"
                        "identity: {file: identity.yaml}\n"),
            "m.yaml:4:3: bu_rules: business unit rules are not available yet: remove this\n"
            "m.yaml:11:7: entities.contact.validate: validation is not available yet: remove this\n"
            "m.yaml:17:25: pii.sinks.redis.restricted: this action is not available yet: keep is "
            "the only one\n"
            "m.yaml:18:11: identity: identity resolution is not available yet: remove this\n");
}

TEST(MappingFile, ChecksShapesOfWhatIsNotAvailableYet) {
  const std::string problems = problems_of(
      "bu_rules:\n"
      "  - {org: emea, object: Account, wen: 'Type == 1', set: uk}\n"
      "entities:\n"
      "  contact:\n"
      "    object: Contact\n"
      "    base: builtin\n"
      "    validate:\n"
      "      - {field: email, rule: regexp, on: never}\n");
  EXPECT_NE(problems.find("bu_rules[0].wen: unknown key, did you mean when?"), std::string::npos)
      << problems;
  EXPECT_NE(problems.find("validate[0].rule: must be one of required,"), std::string::npos)
      << problems;
  EXPECT_NE(problems.find("validate[0].on: must be one of warn,"), std::string::npos) << problems;
}

TEST(MappingFile, OnlyTheBuiltInFileHasCommonFields) {
  EXPECT_EQ(problems_of("common: {fields: {}}\n"), "m.yaml:3:1: common: unknown key\n");
}

TEST(MappingFile, TheDigestSeesEveryByte) {
  const auto digest = [](const std::string& text) { return mapping_of(text)->digest(); };
  EXPECT_EQ(digest("# a\n"), digest("# a\n"));
  EXPECT_NE(digest("# a\n"), digest("# b\n"));
  EXPECT_EQ(mapping_of()->digest().size(), 64U);
  EXPECT_NE(projection_tables().find("psl "), std::string::npos);
}

TEST(MappingFile, ReadsItsOwnSourceBack) {
  const auto mapping = mapping_of("custom:\n  Plan__c: {fields: {code: {expr: Code__c}}}\n");
  const auto again = config::read_mapping(mapping->source());
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ((*again)->digest(), mapping->digest());
  EXPECT_EQ((*again)->source(), mapping->source());
  EXPECT_EQ((*again)->mapping_rev(), 7U);
  EXPECT_NE(field_of((*again)->of_object("Plan__c"), "code"), nullptr);
}

TEST(MappingFile, RefusesASourceItCannotRead) {
  for (const auto* source :
       {"", "tables", "tables\nx\n", "tables\n99\nshort\n", "tables\n3\nabcd\n"}) {
    EXPECT_FALSE(config::read_mapping(source).ok()) << source;
  }
  EXPECT_EQ(
      config::read_mapping("tables\n10\nversion: 9\n").error().message,
      "mapping: this build cannot read the kept text any more: builtin.yaml:1:1: mapping_rev: "
      "is required: a number that grows with every edit");
}

TEST(MappingFile, SaysWhichFileCannotBeRead) {
  config::Problems problems;
  EXPECT_EQ(config::load_mapping({"/nonexistent/m.yaml"}, problems), nullptr);
  EXPECT_EQ(
      problems.str(),
      "/nonexistent/m.yaml: cannot be read: check that it exists and may be read by this user\n");
}

}  // namespace
}  // namespace headwater::crm
