#include "tests/org/avro_encode.hpp"

#include <gtest/gtest.h>

#include "schemas/core/ids.hpp"
#include "tests/unit/org/vectors.hpp"

namespace headwater::org {
namespace {

/// An event of T1, built as the store builds them.
struct T1Event {
  const Catalog catalog{kT1Table};
  const ObjectDef& object = catalog.get("Account");
  EventHeader header;
  std::vector<Value> values = std::vector<Value>(object.leaves.size());
  LeafSet shown = LeafSet(object.leaves.size());

  T1Event() {
    header.entity = "Account";
    header.commit_user = "005000000000001AAA";
  }
  void set(std::string_view path, Value value) {
    values[object.leaf(path)] = std::move(value);
    shown[object.leaf(path)] = true;
  }
  LeafSet nulled() const {
    LeafSet out(shown.size());
    for (std::size_t i = 0; i < shown.size(); ++i) out[i] = shown[i] && is_null(values[i]);
    return out;
  }
  std::string hex() const {
    std::string bytes;
    encode_header(bytes, header);
    encode_body(bytes, object, values, shown);
    return to_hex(bytes);
  }
};

TEST(AvroEncode, SchemaOfAnObjectTableIsThatOfTheReference) {
  EXPECT_EQ(T1Event().object.schema_json, kT1Schema);
}

TEST(AvroEncode, SchemaIdIs22CharactersOfBase64Url) {
  EXPECT_EQ(fingerprint(""), "1B2M2Y8AsgTpgAmY7PhCfg");  // MD5 of nothing, d41d8cd9…
  EXPECT_EQ(T1Event().object.schema_id.size(), 22U);
}

TEST(AvroEncode, UpdateWithNestedFieldsIsVector1) {
  T1Event event;
  event.header.record_ids = {"001000000000001AAA"};
  event.header.type = ChangeType::Update;
  event.header.transaction_key = "0000aaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
  event.header.commit_timestamp = 1'700'000'000'000;
  event.header.commit_number = 12'279'648'331'300;
  event.set("Phone", Value{});
  event.set("BillingAddress.Street", std::string("1 Main St"));
  event.set("BillingAddress.City", Value{});
  event.set("BillingAddress.Latitude", 37.5);
  event.set("BillingAddress.Longitude", -122.25);
  event.set("Industry", std::string("Energy"));
  event.set("AnnualRevenue", 1'500'000.5);
  event.set("LastModifiedDate", 1'700'000'000'000);
  event.set("Renewal_Date__c", 1'704'067'200'000);
  event.header.changed = bitmaps(event.object, event.shown);
  event.header.nulled = bitmaps(event.object, event.nulled());
  EXPECT_EQ(event.header.changed, (std::vector<std::string>{"0x0241C0", "4-0x0183"}));
  EXPECT_EQ(event.header.nulled, (std::vector<std::string>{"0x40", "4-0x02"}));
  EXPECT_EQ(event.hex(), kV1);
}

TEST(AvroEncode, OverflowHasNoFieldsAndIsVector2) {
  T1Event event;
  event.header.record_ids = {"000000000000000AAA"};
  event.header.type = ChangeType::GapOverflow;
  event.header.transaction_key = "0000aaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
  event.header.commit_timestamp = 1'700'000'000'000;
  event.header.commit_number = 12'279'648'331'300;
  EXPECT_EQ(event.hex(), kV2);
}

TEST(AvroEncode, DeleteOfTwoRecordsIsVector3) {
  T1Event event;
  event.header.record_ids = {"001000000000001AAA", "001000000000002AAA"};
  event.header.type = ChangeType::Delete;
  event.header.transaction_key = "t-1";
  event.header.sequence = 2;
  event.header.commit_timestamp = 1'700'000'001'000;
  event.header.commit_number = 1'778'192'987'716'501'507;
  EXPECT_EQ(event.hex(), kV3);
}

TEST(AvroEncode, PersonsNameIsTheRecordBranchAsInVector4) {
  T1Event event;
  event.header.record_ids = {"001000000000003AAA"};
  event.header.type = ChangeType::Create;
  event.header.transaction_key = "t-1";
  event.header.commit_timestamp = 1'700'000'001'000;
  event.header.commit_number = 1'778'192'987'716'501'507;
  event.set("Name.FirstName", std::string("Ada"));
  event.set("Name.LastName", std::string("Lovelace"));
  event.set("NumberOfEmployees", std::int64_t{7});
  event.set("Active__c", true);
  event.set("Opens_At__c", std::int64_t{52'200'000});
  event.set("Tier__c", std::string("A;B"));
  EXPECT_EQ(event.hex(), kV4);
}

TEST(AvroEncode, BitmapsAreWholeUpperCaseBytesMostSignificantFirst) {
  EXPECT_EQ(bitmap({}), "");
  EXPECT_EQ(bitmap(std::vector<bool>(40)), "");
  std::vector<bool> bits(28);
  for (const std::size_t bit : {12, 19, 20, 21, 22, 23, 27}) bits[bit] = true;
  EXPECT_EQ(bitmap(bits), "0x08F81000");  // the lead conversion sample of the reference
}

TEST(AvroEncode, ChangeOfPartsAloneHasNoTopLevelBitmap) {
  T1Event event;
  event.set("ShippingAddress.Latitude", 1.0);
  event.set("ShippingAddress.Longitude", 2.0);
  EXPECT_EQ(bitmaps(event.object, event.shown), (std::vector<std::string>{"5-0x0180"}));
}

}  // namespace
}  // namespace headwater::org
