#include "schemas/crm/projector.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/crm/fixture.hpp"

namespace headwater::crm {
namespace {

constexpr std::string_view kAccount = "0015f00002JUXA8AAP";
constexpr std::string_view kUser = "0055f000005mc66AAA";
constexpr std::string_view kOpportunity = "0065f00000XyZ12AAF";

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

TEST(Projector, WritesAnAddressInOneOrder) {
  Bench account(mapping_of(), "Account");
  account.set("BillingAddress.Country", text("Germany")).set("BillingAddress.City", text("Berlin"));
  account.set("BillingAddress.Latitude", ValueView::decimal(52.5))
      .set("BillingAddress.Xyz", text("?"));
  account.set("ShippingAddress.City", ValueView::null());
  EXPECT_EQ(account.field("billing_address"),
            R"({"street":null,"city":"Berlin","state":null,"state_code":null,"postal_code":null,)"
            R"("country":"Germany","country_code":null,"lat":52.5,"lon":null,"accuracy":null})");
  EXPECT_EQ(account.field("shipping_address"), "null") << "null when all children are";
  EXPECT_EQ(account.json(Section::Extra), R"({"BillingAddress.Xyz":"?"})");
  EXPECT_EQ(account.json(Section::Raw), "{}");
}

TEST(Projector, TakesLocationsAndOtherCompounds) {
  Bench place(mapping_of("custom:\n"
                         "  Place__c:\n"
                         "    fields:\n"
                         "      spot: {expr: Spot__c, type: geo}\n"
                         "      parts: {expr: Parts__c, type: json}\n"),
              "Place__c");
  place.set("Spot__c.Latitude", ValueView::decimal(-1.5))
      .set("Spot__c.Longitude", ValueView::integer(7));
  place.set("Parts__c.B", text("x")).set("Parts__c.A", ValueView::boolean(true));
  EXPECT_EQ(place.field("spot"), R"({"lat":-1.5,"lon":7})");
  EXPECT_EQ(place.field("parts"), R"({"A":true,"B":"x"})");
  EXPECT_EQ(place.json(Section::Extra) + place.json(Section::Raw), "{}{}");
}

TEST(Projector, TrimsContactPointsAndKeepsWhatItChanged) {
  Bench contact(mapping_of(), "Contact");
  contact.set("Email", text("Ann@Acme.example "))
      .set("Phone", text("07700 900123"))
      .set("Fax", text("  "));
  EXPECT_EQ(contact.field("email"), "\"Ann@Acme.example\"");
  EXPECT_EQ(contact.field("phone"), "\"07700 900123\"");
  EXPECT_EQ(contact.field("fax"), "null");
  EXPECT_EQ(contact.json(Section::Raw), R"({"Email":"Ann@Acme.example ","Fax":"  "})");
}

TEST(Projector, NullsWhatDoesNotFitAndKeepsTheSource) {
  Bench lead(mapping_of("entities:\n"
                        "  lead:\n"
                        "    object: Lead\n"
                        "    base: builtin\n"
                        "    fields:\n"
                        "      grade: {expr: Grade__c, type: enum, values: [A, B]}\n"
                        "      worth: {expr: 'mul(Units__c, Price__c)', type: decimal}\n"),
             "Lead");
  lead.set("NumberOfEmployees", text("many")).set("Grade__c", text("Z"));
  lead.set("Units__c", text("two")).set("Price__c", ValueView::decimal(2));
  lead.set("ConvertedAccountId", text("not an id"));
  EXPECT_EQ(lead.field("employees"), "null");
  EXPECT_EQ(lead.field("grade"), "null");
  EXPECT_EQ(lead.field("worth"), "null");
  EXPECT_EQ(lead.json(Section::Raw),
            R"({"ConvertedAccountId":"not an id","Grade__c":"Z","NumberOfEmployees":"many",)"
            R"("Price__c":2,"Units__c":"two"})");
  EXPECT_EQ(lead.json(Section::Refs), "{}");
  lead.set("Grade__c", text("B"));
  EXPECT_EQ(lead.field("grade"), "\"B\"");
}

TEST(Projector, TellsAClosedOpportunityFromAnOpenOne) {
  Bench opportunity(mapping_of(), "Opportunity");
  EXPECT_EQ(opportunity.field("status"), "null") << "unknown stays unknown";
  opportunity.set("IsClosed", ValueView::boolean(false)).set("IsWon", ValueView::boolean(false));
  EXPECT_EQ(opportunity.field("status"), "\"open\"");
  opportunity.set("IsClosed", ValueView::boolean(true));
  EXPECT_EQ(opportunity.field("status"), "\"lost\"");
  opportunity.set("IsWon", ValueView::boolean(true));
  EXPECT_EQ(opportunity.field("status"), "\"won\"");
  EXPECT_EQ(opportunity.json(Section::Raw), R"({"IsClosed":true,"IsWon":true})");
}

TEST(Projector, PutsRelationsByTheTargetsPrefix) {
  Bench task(mapping_of(), "Task");
  task.set("WhoId", ref("00Q5f000001AAAAEA4")).set("WhatId", ref("a0B5f000001AAAAEA4"));
  task.set("OwnerId", ref("00G5f000001AAAAEA4")).set("AccountId", text("0015f00002JUXA8"));
  task.set("CreatedById", ref(kUser))
      .set("LastModifiedById", ref(kUser))
      .set("RecordTypeId", ref(kUser));
  task.set("Plan__c", ref("a9Z5f000001AAAAEA4")).set("ns__Other__c", ref(kAccount));
  task.set("MasterRecordId", ref(kOpportunity)).set("Gone__c", ValueView::null());
  EXPECT_EQ(
      task.json(Section::Refs),
      R"({"Plan":"emea::a9Z5f000001AAAAEA4","account":"emea:Account:0015f00002JUXA8AAP",)"
      R"("master_record":"emea:Opportunity:0065f00000XyZ12AAF","ns__Other":"emea:Account:0015f00002JUXA8AAP",)"
      R"("owner":"emea:Group:00G5f000001AAAAEA4","what":"emea:Invoice__c:a0B5f000001AAAAEA4",)"
      R"("who":"emea:Lead:00Q5f000001AAAAEA4"})");
  EXPECT_EQ(
      task.json(Section::Extra),
      R"({"Gone__c":null,"MasterRecordId":"0065f00000XyZ12AAF","Plan__c":"a9Z5f000001AAAAEA4",)"
      R"("ns__Other__c":"0015f00002JUXA8AAP"})");
}

TEST(Projector, NamesRelationsAsTheMappingSays) {
  Bench order(mapping_of(), "Order");
  order.set("BillToContactId", ref("0035f00000ABCDeAAP"))
      .set("ShipToContactId", ref("0035f00000ABCDeAAP"));
  EXPECT_EQ(
      order.json(Section::Refs),
      R"({"bill_to":"emea:Contact:0035f00000ABCDeAAP","ship_to":"emea:Contact:0035f00000ABCDeAAP"})");
  Bench invoice(mapping_of("custom:\n"
                           "  Invoice__c:\n"
                           "    relations:\n"
                           "      account: {from: Payer__c, section: invoices}\n"),
                "Invoice__c");
  invoice.set("Payer__c", ref(kAccount));
  EXPECT_EQ(invoice.json(Section::Refs), R"({"account":"emea:Account:0015f00002JUXA8AAP"})");
  EXPECT_EQ(invoice.json(Section::Extra), R"({"Payer__c":"0015f00002JUXA8AAP"})")
      << "a relation consumes nothing";
}

TEST(Projector, AnEdgeEntityRefersToBothItsEnds) {
  Bench role(mapping_of(), "OpportunityContactRole");
  role.set("OpportunityId", ref(kOpportunity)).set("ContactId", ref("0035f00000ABCDeAAP"));
  EXPECT_EQ(
      role.json(Section::Refs),
      R"({"contact_role":"emea:Contact:0035f00000ABCDeAAP","opportunity":"emea:Opportunity:0065f00000XyZ12AAF"})");
}

TEST(Projector, ProjectsAnObjectNobodyMapped) {
  Bench invoice(mapping_of(), "Invoice__c");
  invoice.set("Name", text("INV-1"))
      .set("Amount__c", ValueView::decimal(1e21))
      .set("Account__c", ref(kAccount));
  invoice.set("CreatedDate", at_ms(0));
  EXPECT_EQ(invoice.projector_.entity(), "custom:Invoice__c");
  EXPECT_EQ(
      invoice.json(Section::Fields),
      R"({"created_at":"1970-01-01T00:00:00.000Z","created_by_id":null,"currency":"EUR","name":"INV-1",)"
      R"("owner_id":null,"record_type":null,"record_type_id":null,"updated_at":null,"updated_by_id":null})");
  EXPECT_EQ(invoice.json(Section::Extra),
            R"({"Account__c":"0015f00002JUXA8AAP","Amount__c":1e+21})");
  EXPECT_EQ(invoice.json(Section::Refs), R"({"Account":"emea:Account:0015f00002JUXA8AAP"})");
}

TEST(Projector, LeavesOutWhatTheMappingDrops) {
  Bench account(mapping_of("entities:\n"
                           "  account: {object: Account, base: builtin, drop_extra: [Jigsaw]}\n"),
                "Account");
  account.set("Jigsaw", text("x")).set("Kept__c", text("y"));
  EXPECT_EQ(account.json(Section::Extra), R"({"Kept__c":"y"})");
}

TEST(Projector, KnowsAPersonAccount) {
  Bench account(mapping_of(), "Account");
  account.set("Name", text("Acme"));
  EXPECT_EQ(account.field("is_person"), "false");
  EXPECT_EQ(account.field("name"), "\"Acme\"");
  account.set("Name", ValueView::null())
      .set("Name.FirstName", text("Ann"))
      .set("Name.LastName", text("Lee"));
  EXPECT_EQ(account.field("is_person"), "true");
  EXPECT_EQ(account.field("name"), "\"Ann Lee\"");
  EXPECT_EQ(account.json(Section::Raw), R"({"Name.FirstName":"Ann","Name.LastName":"Lee"})");
}

TEST(Projector, UpdatedAtIsTheLaterOfTwo) {
  Bench lead(mapping_of(), "Lead");
  lead.set("LastModifiedDate", at_ms(1000));
  EXPECT_EQ(lead.field("updated_at"), "\"1970-01-01T00:00:01.000Z\"");
  lead.facts.touched_at = 999;
  EXPECT_EQ(lead.field("updated_at"), "\"1970-01-01T00:00:01.000Z\"");
  EXPECT_EQ(lead.json(Section::Raw), "{}");
  lead.facts.touched_at = 2000;
  EXPECT_EQ(lead.field("updated_at"), "\"1970-01-01T00:00:02.000Z\"");
  EXPECT_EQ(lead.json(Section::Raw), R"({"LastModifiedDate":"1970-01-01T00:00:01.000Z"})");
  lead.set("LastModifiedDate", ValueView::null());
  EXPECT_EQ(lead.field("updated_at"), "\"1970-01-01T00:00:02.000Z\"");
}

TEST(Projector, GivesAnEventItsStartAndEnd) {
  Bench event(mapping_of(), "Event");
  event.set("ActivityDateTime", at_ms(3'600'000)).set("DurationInMinutes", ValueView::integer(30));
  event.set("IsAllDayEvent", ValueView::boolean(false)).set("ActivityDate", on_day(0));
  EXPECT_EQ(event.field("start_at"), "\"1970-01-01T01:00:00.000Z\"");
  EXPECT_EQ(event.field("end_at"), "\"1970-01-01T01:30:00.000Z\"");
  EXPECT_EQ(event.project().sort_at, 3'600'000);
  event.set("IsAllDayEvent", ValueView::boolean(true)).set("ActivityDate", on_day(1));
  EXPECT_EQ(event.field("start_at"), "\"1970-01-02T00:00:00.000Z\"");
}

TEST(Projector, RoundsAnOrderItemsTotalToItsCurrency) {
  Bench item(mapping_of(), "OrderItem");
  item.set("Quantity", ValueView::decimal(3)).set("UnitPrice", ValueView::decimal(0.335));
  EXPECT_EQ(item.field("total"), "1") << "1.005 to euro cents, half to even";
  item.set("CurrencyIsoCode", text("KWD"));
  EXPECT_EQ(item.field("total"), "1.005");
}

TEST(Projector, SortsByTheEntitysOwnTimeElseByCreation) {
  Bench opportunity(mapping_of(), "Opportunity");
  EXPECT_EQ(opportunity.project().sort_at, std::nullopt);
  opportunity.set("CreatedDate", at_ms(5));
  EXPECT_EQ(opportunity.project().sort_at, 5);
  opportunity.set("CloseDate", on_day(2));
  EXPECT_EQ(opportunity.project().sort_at, 2 * kMsPerDay);
}

TEST(Projector, TakesBusinessUnitAndCurrencyFromTheOrgsBlock) {
  const auto mapping = mapping_of("orgs:\n  emea: {bu: nordics, currency: SEK}\n");
  Bench account(mapping, "Account");
  EXPECT_EQ(account.project().bu, "nordics");
  EXPECT_EQ(account.field("currency"), "\"SEK\"");
  Bench other(mapping, "Account", {"us", "", "", {}});
  EXPECT_EQ(other.project().bu, "us");
  EXPECT_EQ(other.field("currency"), "null");
}

TEST(Projector, SeesFieldsThatAppearWhileItRuns) {
  Bench account(mapping_of(), "Account");
  account.set("Name", text("Acme"));
  EXPECT_EQ(account.json(Section::Extra), "{}");
  account.set("New__c", ref(kAccount));
  account.set("BillingAddress.City", text("Berlin"));
  EXPECT_EQ(account.json(Section::Extra), R"({"New__c":"0015f00002JUXA8AAP"})");
  EXPECT_EQ(account.json(Section::Refs), R"({"New":"emea:Account:0015f00002JUXA8AAP"})");
  EXPECT_NE(account.field("billing_address").find("Berlin"), std::string::npos);
}

TEST(Projector, NamesNumbersThatJsonCannotWrite) {
  Bench account(mapping_of(), "Account");
  account.set("AnnualRevenue", ValueView::decimal(std::numeric_limits<double>::infinity()));
  account.set("Score__c", ValueView::decimal(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(account.field("annual_revenue"), "null");
  EXPECT_EQ(account.json(Section::Raw), R"({"AnnualRevenue":"Infinity"})");
  EXPECT_EQ(account.json(Section::Extra), R"({"Score__c":"NaN"})");
}

TEST(Projector, NamesTheRecordTypeOnceTheOrgHasToldIt) {
  OrgFacts org = Bench::default_org();
  org.record_types = {{"0125f000000UkUkAAK", "UK_Customer"}};
  Bench account(mapping_of(), "Account", org);
  EXPECT_EQ(account.field("record_type"), "null");
  EXPECT_EQ(account.out_.record_type_unknown, "");
  account.set("RecordTypeId", ref("0125f000000UkUkAAK"));
  EXPECT_EQ(account.field("record_type"), "\"UK_Customer\"");
  EXPECT_EQ(account.json(Section::Raw), "{}") << "record_type_id tells it";
  EXPECT_EQ(account.out_.record_type_unknown, "");
  account.set("RecordTypeId", ref("0125f000000DeDeAAK"));
  EXPECT_EQ(account.field("record_type"), "null");
  EXPECT_EQ(account.out_.record_type_unknown, "0125f000000DeDeAAK");
}

TEST(Projector, ListsWhatItKnowsOfFieldsThatTheOrgShowsNoLonger) {
  OrgFacts org = Bench::default_org();
  org.retired = {{"Account", {"Tier__c", "Phone", "Jigsaw", "Never__c", "Place__c.Latitude"}},
                 {"Lead", {"Size__c"}}};
  Bench account(mapping_of("entities:\n"
                           "  account:\n"
                           "    object: Account\n"
                           "    base: builtin\n"
                           "    drop_extra: [Jigsaw]\n"),
                "Account",
                org);
  const auto listed = [&] {
    account.project();
    std::string out;
    if (!account.out_.retired.empty()) append_retired(out, account.names_, account.out_.retired);
    return out;
  };
  account.set("Size__c", text("x"));
  EXPECT_EQ(listed(), "") << "of another object";
  account.set("Tier__c", text("gold")).set("Jigsaw", text("not shown at all"));
  EXPECT_EQ(listed(), R"(["Tier__c"])");
  // A null is what is known of it, too; by name, mapped or not, as source paths.
  account.set("Place__c.Latitude", ValueView::null()).set("Phone", text("1"));
  EXPECT_EQ(listed(), R"(["Phone","Place__c.Latitude","Tier__c"])");
  EXPECT_EQ(account.field("phone"), "\"1\"") << "the values stay";
}

TEST(Projector, AMappingComputesWithTheRecordType) {
  OrgFacts org = Bench::default_org();
  org.record_types = {{"0125f000000UkUkAAK", "UK_Customer"}};
  Bench account(mapping_of("entities:\n"
                           "  account:\n"
                           "    object: Account\n"
                           "    base: builtin\n"
                           "    fields:\n"
                           "      uk: {expr: 'RecordType == \"UK_Customer\"', type: bool}\n"),
                "Account",
                org);
  EXPECT_EQ(account.field("uk"), "null");
  account.set("RecordTypeId", ref("0125f000000UkUkAAK"));
  EXPECT_EQ(account.field("uk"), "true");
}

TEST(Projector, ATransformErrorIsAViolationAndKeepsWhatItRead) {
  Bench account(mapping_of("entities:\n"
                           "  account:\n"
                           "    object: Account\n"
                           "    base: builtin\n"
                           "    fields:\n"
                           "      twice: {expr: 'mul(Score__c, 2)', type: decimal}\n"
                           "      since: {expr: Since__c, type: date}\n"),
                "Account");
  const auto violations = [&] {
    account.project();
    std::string out;
    if (account.out_.violations.empty()) return out;
    append_violations(out, account.names_, account.out_.violations);
    return out;
  };
  account.set("Score__c", ValueView::integer(4)).set("Since__c", on_day(20'000));
  EXPECT_EQ(violations(), "");
  account.set("Score__c", text("four"));
  EXPECT_EQ(violations(), R"([{"field":"twice","rule":"transform_error"}])");
  EXPECT_EQ(account.field("twice"), "null");
  EXPECT_EQ(account.json(Section::Raw), R"({"Score__c":"four"})");
  account.set("Since__c", text("yesterday"));
  EXPECT_EQ(
      violations(),
      R"([{"field":"since","rule":"transform_error"},{"field":"twice","rule":"transform_error"}])");
  account.set("Score__c", ValueView::null()).set("Since__c", ValueView::null());
  EXPECT_EQ(violations(), "") << "null is no error";
}

}  // namespace
}  // namespace headwater::crm
