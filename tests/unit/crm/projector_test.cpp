#include "schemas/crm/projector.hpp"

#include <gtest/gtest.h>

#include "tests/unit/crm/fixture.hpp"

namespace headwater::crm {
namespace {

constexpr std::string_view kAccount = "0015f00002JUXA8AAP";
constexpr std::string_view kUser = "0055f000005mc66AAA";

TEST(Projector, MakesTheContactOfTheDataModel) {
  Bench ann(mapping_of("entities:\n"
                       "  contact:\n"
                       "    object: Contact\n"
                       "    base: builtin\n"
                       "    fields:\n"
                       "      tier: {expr: Loyalty_Tier__c, column: true}\n"
                       "      score: {expr: 'Score__c | default(0)', type: decimal}\n"),
            "Contact");
  ann.set("AccountId", ref(kAccount)).set("OwnerId", ref(kUser));
  ann.set("CreatedDate", at_ms(1'714'636'800'000))
      .set("LastModifiedDate", at_ms(1'772'366'400'000));
  ann.set("CurrencyIsoCode", text("GBP")).set("Email", text("ann@acme.example "));
  ann.set("Name.FirstName", text("Ann")).set("Name.LastName", text("Lee"));
  ann.set("MobilePhone", text("+447700900123")).set("Title", text("CFO"));
  ann.set("Score__c", ValueView::decimal(41.5)).set("Loyalty_Tier__c", text("Gold"));
  ann.set("Interests__c", ValueView::of_text("Golf;Wine", Tag::Multi));
  ann.set("Region_Code__c", text("EMEA-7"));
  EXPECT_EQ(ann.json(Section::Extra),
            R"({"Interests__c":["Golf","Wine"],"Region_Code__c":"EMEA-7"})");
  EXPECT_EQ(ann.json(Section::Raw), R"({"Email":"ann@acme.example "})");
  EXPECT_EQ(
      ann.json(Section::Refs),
      R"({"account":"emea:Account:0015f00002JUXA8AAP","owner":"emea:User:0055f000005mc66AAA"})");
  EXPECT_EQ(
      ann.json(Section::Fields),
      R"({"account_id":"0015f00002JUXA8AAP","assistant_name":null,"assistant_phone":null,"birthdate":null,)"
      R"("created_at":"2024-05-02T08:00:00.000Z","created_by_id":null,"currency":"GBP","department":null,)"
      R"("description":null,"do_not_call":null,"email":"ann@acme.example","email_bounced_at":null,)"
      R"("fax":null,"first_name":"Ann","home_phone":null,"individual_id":null,"is_person_account":null,)"
      R"("last_name":"Lee","lead_source":null,"mailing_address":null,"middle_name":null,)"
      R"("mobile":"+447700900123","name":"Ann Lee","opted_out_email":null,"other_address":null,)"
      R"("other_phone":null,"owner_id":"0055f000005mc66AAA","phone":null,"record_type":null,)"
      R"("record_type_id":null,"reports_to_id":null,"salutation":null,"score":41.5,"suffix":null,)"
      R"("tier":"Gold","title":"CFO","updated_at":"2026-03-01T12:00:00.000Z","updated_by_id":null})");
  EXPECT_EQ(ann.project().bu, "emea");
  EXPECT_EQ(ann.project().sort_at, 1'714'636'800'000);
  EXPECT_EQ(ann.projector_.entity(), "contact");
}

}  // namespace
}  // namespace headwater::crm
