#include "connectors/salesforce/row.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "connectors/salesforce/csv.hpp"
#include "connectors/salesforce/describe.hpp"

namespace headwater::salesforce {
namespace {

using testing::ElementsAre;

FieldInfo field(std::string name, std::string type, std::string path = {}) {
  FieldInfo out;
  out.path = path.empty() ? name : std::move(path);
  out.name = std::move(name);
  out.type = std::move(type);
  return out;
}

ObjectDescription invoice() {
  ObjectDescription object;
  object.name = "Invoice__c";
  object.fields = {field("Id", "id"),
                   field("SystemModstamp", "datetime"),
                   field("LastModifiedDate", "datetime"),
                   field("IsDeleted", "boolean"),
                   field("LastActivityDate", "date"),
                   field("Name", "string"),
                   field("Paid__c", "boolean"),
                   field("Lines__c", "int"),
                   field("Amount__c", "currency"),
                   field("Due__c", "date"),
                   field("At__c", "time"),
                   field("Account__c", "reference"),
                   field("Tags__c", "multipicklist"),
                   field("Status__c", "picklist"),
                   field("Loc__Latitude__s", "double", "Loc__c.Latitude")};
  return object;
}

struct Decoded {
  ObjectDescription object = invoice();
  RowDecoder decoder{object};
  RecordRow row;
  std::map<std::string_view, ValueView> fields;

  Result<void> decode(std::string_view json) {
    auto done = decoder.decode(json, row);
    fields.clear();
    for (const auto& f : row.fields) fields[f.path] = f.value;
    return done;
  }
};

TEST(RowDecoder, TypesFieldsAsTheEventWould) {
  Decoded d;
  ASSERT_TRUE(d.decode(R"({"attributes":{"type":"Invoice__c","url":"/x","Name":"not this one"},
    "Id":"a0D30000001n7Pi","SystemModstamp":"2024-04-26T18:38:23.000+0000",
    "LastModifiedDate":"2024-04-26T18:38:22.000+0000","IsDeleted":false,"LastActivityDate":"2024-01-01",
    "Name":"R\u00e9sum\u00e9 \"7\"","Paid__c":true,"Lines__c":3,"Amount__c":12348.67,"Due__c":"2024-06-30",
    "At__c":"14:30:00.000Z","Account__c":"001Dp00000JJkkH","Tags__c":"A;B","Status__c":"Open",
    "Loc__Latitude__s":48.1})")
                  .ok());
  EXPECT_EQ(d.row.id.view(), "a0D30000001n7PiEAI");
  EXPECT_EQ(d.row.stamp, 1714156703000);
  EXPECT_EQ(d.fields["LastModifiedDate"], ValueView::of_number(1714156702000, Tag::DateTime));
  EXPECT_EQ(d.fields["Name"], ValueView::of_text("Résumé \"7\""));
  EXPECT_EQ(d.fields["Paid__c"], ValueView::boolean(true));
  EXPECT_EQ(d.fields["Lines__c"], ValueView::integer(3));
  EXPECT_EQ(d.fields["Amount__c"], ValueView::decimal(12348.67));
  EXPECT_EQ(d.fields["Due__c"], ValueView::of_number(19904, Tag::Date));
  EXPECT_EQ(d.fields["At__c"], ValueView::of_number(52'200'000, Tag::Time));
  EXPECT_EQ(d.fields["Account__c"], ValueView::of_text("001Dp00000JJkkHIAT", Tag::Ref));
  EXPECT_EQ(d.fields["Tags__c"], ValueView::of_text("A;B", Tag::Multi));
  EXPECT_EQ(d.fields["Status__c"], ValueView::of_text("Open"));
  EXPECT_EQ(d.fields["Loc__c.Latitude"], ValueView::decimal(48.1));
  // Id, SystemModstamp, IsDeleted, LastActivityDate: kept elsewhere or never in events.
  EXPECT_EQ(d.fields.size(), 11u);
}

TEST(RowDecoder, NullAndEmptyTextAreNull) {
  Decoded d;
  ASSERT_TRUE(d.decode(R"({"Id":"a0D30000001n7PiEAI","Name":"","Amount__c":null})").ok());
  EXPECT_TRUE(d.fields.at("Name").is_null());
  EXPECT_TRUE(d.fields.at("Amount__c").is_null());
}

TEST(RowDecoder, ReadsDoublesToTheLastBit) {
  Decoded d;
  for (const auto* text : {"0.1",
                           "1.7976931348623157e308",
                           "123456789012345.67",
                           "2.2250738585072014e-308",
                           "9007199254740993",
                           "0.30000000000000004",
                           "-8.98846567431158e+307"}) {
    ASSERT_TRUE(
        d.decode(R"({"Id":"a0D30000001n7PiEAI","Amount__c":)" + std::string(text) + "}").ok())
        << text;
    EXPECT_EQ(d.fields.at("Amount__c"), ValueView::decimal(std::strtod(text, nullptr))) << text;
  }
}

TEST(RowDecoder, AnIntegerMayBePrintedAsADecimal) {
  Decoded d;
  ASSERT_TRUE(d.decode(R"({"Id":"a0D30000001n7PiEAI","Lines__c":12.0})").ok());
  EXPECT_EQ(d.fields.at("Lines__c"), ValueView::integer(12));
}

TEST(RowDecoder, AWholeNumberIsADoubleWhereDescribeSaysSo) {
  Decoded d;
  ASSERT_TRUE(d.decode(R"({"Id":"a0D30000001n7PiEAI","Amount__c":100})").ok());
  EXPECT_EQ(d.fields.at("Amount__c"), ValueView::decimal(100));
}

TEST(RowDecoder, AMisfitNamesTheFieldAndNeverItsValue) {
  Decoded d;
  const auto done = d.decode(R"({"Id":"a0D30000001n7PiEAI","Due__c":"tomorrow"})");
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Rejected);
  EXPECT_EQ(
      done.error().message,
      "read a row of Invoice__c: field Due__c holds no date, which the org describes it as; it "
      "is described and read again");
}

TEST(RowDecoder, AMisfitInACellIsToldAsInARecord) {
  const ObjectDescription object = invoice();
  const std::vector<std::string> columns{"Id", "Due__c"};
  CsvParser parser(columns, 1 << 20);
  ASSERT_TRUE(parser.feed("a0D30000001n7PiEAI,tomorrow\n").ok());
  const auto page = parser.finish();
  ASSERT_TRUE(page.ok());
  RecordRow row;
  const auto done = RowDecoder(object).decode(*page, 0, columns, row);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Rejected);
}

TEST(RowDecoder, ARowThatCannotBeReadStillSaysWhichRecordItIs) {
  Decoded d;
  const auto done =
      d.decode(R"({"Due__c":"tomorrow","Amount__c":"much","Id":"a0D30000001n7PiEAI",)"
               R"("SystemModstamp":"2026-03-01T12:01:00.000+0000","IsDeleted":true})");
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find("Due__c"), std::string::npos) << "the first one is named";
  EXPECT_EQ(d.row.id.view(), "a0D30000001n7PiEAI");
  EXPECT_EQ(d.row.stamp, 1'772'366'460'000);
  EXPECT_TRUE(d.row.deleted);
}

TEST(RowDecoder, WhatIsNoRecordIsRejected) {
  Decoded d;
  for (const auto* text : {"",
                           "[]",
                           "null",
                           "{}",
                           R"({"Id":"short"})",
                           R"({"Id":null})",
                           R"({"Id":)",
                           R"([{"Id":"a0D30000001n7PiEAI"}])",
                           R"({"Id":"a0D30000001n7PiEAI"} x)"})
    EXPECT_FALSE(d.decode(text).ok()) << text;
}

TEST(RowDecoder, ARowIsReusedWithoutWhatWasInIt) {
  Decoded d;
  ASSERT_TRUE(d.decode(R"({"Id":"a0D30000001n7PiEAI","Name":"a","Paid__c":true,
                          "IsDeleted":true,"SystemModstamp":"2024-04-26T18:38:23.000+0000"})")
                  .ok());
  ASSERT_TRUE(d.decode(R"({"Id":"001Dp00000JJkkHIAT","Name":"b"})").ok());
  EXPECT_EQ(d.row.id.view(), "001Dp00000JJkkHIAT");
  EXPECT_EQ(d.row.stamp, 0);
  EXPECT_EQ(d.fields.size(), 1u);
  EXPECT_FALSE(d.row.deleted);
}

TEST(RowDecoder, APersonAccountHasNoPlainName) {
  ObjectDescription object;
  object.name = "Account";
  object.fields = {field("Name", "string"),
                   field("LastName", "string", "Name.LastName"),
                   field("IsPersonAccount", "boolean")};
  const RowDecoder decoder(object);
  RecordRow row;
  const auto paths = [&](const char* json) {
    EXPECT_TRUE(decoder.decode(json, row).ok());
    std::vector<std::string_view> out;
    for (const auto& f : row.fields) out.push_back(f.path);
    return out;
  };
  EXPECT_THAT(
      paths(R"({"Id":"001Dp00000JJkkHIAT","Name":"Ada L","LastName":"L","IsPersonAccount":true})"),
      ElementsAre("Name.LastName", "IsPersonAccount"));
  EXPECT_THAT(
      paths(R"({"Id":"001Dp00000JJkkHIAT","Name":"Acme","LastName":null,"IsPersonAccount":false})"),
      ElementsAre("Name", "Name.LastName", "IsPersonAccount"));
}

TEST(ArrayElements, AreCutWhereTheyStand) {
  const auto parts = array_elements(R"( [ {"a":[1,2],"b":"],{\""} , null,{"c":{}} ] )");
  ASSERT_TRUE(parts.ok());
  EXPECT_THAT(*parts, ElementsAre(R"({"a":[1,2],"b":"],{\""})", "null", R"({"c":{}})"));
  EXPECT_TRUE(array_elements("[]")->empty());
}

TEST(ArrayElements, AnythingElseIsTransient) {
  for (const auto* text : {"", "{}", "[", "[1,]", "[,1]", "null", "[\"a]", "[{]"})
    EXPECT_FALSE(array_elements(text).ok()) << text;
}

}  // namespace
}  // namespace headwater::salesforce
