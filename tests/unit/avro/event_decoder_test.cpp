#include "schemas/avro/event_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/avro/builder.hpp"
#include "tests/unit/avro/vectors.hpp"

namespace headwater::avro {
namespace {

using test::from_hex;
using testing::ElementsAre;
using testing::HasSubstr;

/// Decodes payloads of T1 and shows values as JSON by path.
class DecoderTest : public testing::Test {
 protected:
  Plan plan_ = *Plan::parse(test::kSchemaT1);
  NameTable names_;
  EventDecoder decoder_{plan_, names_};
  Scratch scratch_;
  EventView event_;
  std::string payload_;

  Result<void> decode(std::string_view hex) {
    payload_ = from_hex(hex);
    return decoder_.decode(payload_, scratch_, event_);
  }
  std::map<std::string, std::string> shown(std::span<const Member> members) {
    std::map<std::string, std::string> out;
    NameId last = 0;
    for (const auto& member : members) {
      EXPECT_TRUE(out.empty() || last < member.name) << "members are sorted by name number";
      last = member.name;
      append_json_value(out[std::string(names_.text(member.name))], member.value);
    }
    return out;
  }
};

TEST_F(DecoderTest, UpdateHasExactlyTheChangedAndNulledLeaves) {
  ASSERT_TRUE(decode(test::kV1).ok());
  EXPECT_EQ(event_.type, ChangeType::Update);
  EXPECT_EQ(event_.entity, "Account");
  EXPECT_THAT(event_.record_ids, ElementsAre("001000000000001AAA"));
  EXPECT_EQ(event_.change_origin, "");
  EXPECT_EQ(event_.transaction_key, "0000aaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
  EXPECT_EQ(event_.commit_user, "005000000000001AAA");
  EXPECT_EQ(event_.commit_ts, 1700000000000);
  EXPECT_EQ(event_.version.commit_number, 12279648331300);
  EXPECT_EQ(event_.version.sequence, 1u);
  EXPECT_EQ(event_.version.epoch, 0u);
  EXPECT_EQ(event_.payload_bytes, 218u);
  const std::map<std::string, std::string> expected{
      {"Phone", "null"},
      {"Industry", "\"Energy\""},
      {"AnnualRevenue", "1500000.5"},
      {"LastModifiedDate", "\"2023-11-14T22:13:20.000Z\""},
      {"Renewal_Date__c", "\"2024-01-01\""},
      {"BillingAddress.Street", "\"1 Main St\""},
      {"BillingAddress.City", "null"},
      {"BillingAddress.Latitude", "37.5"},
      {"BillingAddress.Longitude", "-122.25"},
  };
  EXPECT_EQ(shown(event_.fields), expected);
  EXPECT_TRUE(event_.diffs.empty());
}

TEST_F(DecoderTest, GapOverflowAndDeleteHaveNoFields) {
  ASSERT_TRUE(decode(test::kV2).ok());
  EXPECT_EQ(event_.type, ChangeType::GapOverflow);
  EXPECT_THAT(event_.record_ids, ElementsAre("000000000000000AAA"));
  EXPECT_TRUE(event_.fields.empty());

  ASSERT_TRUE(decode(test::kV3).ok());
  EXPECT_EQ(event_.type, ChangeType::Delete);
  EXPECT_THAT(event_.record_ids, ElementsAre("001000000000001AAA", "001000000000002AAA"));
  EXPECT_EQ(event_.version.commit_number, 1778192987716501507);
  EXPECT_EQ(event_.version.sequence, 2u);
  EXPECT_EQ(event_.transaction_key, "t-1");
  EXPECT_TRUE(event_.fields.empty());
}

TEST_F(DecoderTest, CreateHasEveryLeafAndNullForTheBranchNotTaken) {
  ASSERT_TRUE(decode(test::kV4).ok());
  EXPECT_EQ(event_.type, ChangeType::Create);
  const auto fields = shown(event_.fields);
  EXPECT_EQ(fields.size(), plan_.leaves().size());
  EXPECT_EQ(fields.size(), 1u + 3 + 2 + 2 * 10 + 14);
  EXPECT_EQ(fields.count("ChangeEventHeader"), 0u);
  std::map<std::string, std::string> set;
  for (const auto& [path, json] : fields) {
    if (json != "null") set.emplace(path, json);
  }
  const std::map<std::string, std::string> expected{
      {"Name.FirstName", "\"Ada\""},
      {"Name.LastName", "\"Lovelace\""},
      {"NumberOfEmployees", "7"},
      {"Active__c", "true"},
      {"Opens_At__c", "\"14:30:00.000Z\""},
      {"Tier__c", "[\"A\",\"B\"]"},
  };
  EXPECT_EQ(set, expected);
  EXPECT_EQ(fields.at("Name"), "null");
  EXPECT_EQ(fields.at("BillingAddress.City"), "null");
}

/// What of a restored record may have been emptied meanwhile, or is hidden from us, comes as null.
TEST(UndeleteTest, WhatAnUndeleteLeavesEmptyIsNoValue) {
  const Plan plan = *Plan::parse(test::event_schema(
      R"({"name":"a","type":["null","string"]},{"name":"b","type":["null","string"]})"));
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  constexpr int kCreate = 0, kUndelete = 3;
  for (const auto& [type, fields] : {std::pair{kUndelete, 1U}, std::pair{kCreate, 2U}}) {
    const auto bytes = test::header(type).number(1).text("told").number(0);
    ASSERT_TRUE(decoder.decode(bytes.out, scratch, event).ok());
    ASSERT_EQ(event.fields.size(), fields) << to_string(event.type);
    EXPECT_EQ(event.fields[0].value, ValueView::of_text("told"));
  }
}

TEST_F(DecoderTest, EventsOfOneResponseStayValidUntilTheScratchIsCleared) {
  const std::string first = from_hex(test::kV1), second = from_hex(test::kV4);
  EventView a, b;
  ASSERT_TRUE(decoder_.decode(first, scratch_, a).ok());
  ASSERT_TRUE(decoder_.decode(second, scratch_, b).ok());
  EXPECT_EQ(shown(a.fields).size(), 9u);
  EXPECT_EQ(shown(b.fields).size(), plan_.leaves().size());
  EXPECT_THAT(a.record_ids, ElementsAre("001000000000001AAA"));
}

TEST_F(DecoderTest, RepeatedBitmapsAreParsedOnce) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(decode(test::kV1).ok());
  EXPECT_EQ(decoder_.mask_misses(), 1u);
}

TEST_F(DecoderTest, BrokenBytesAreRejectedWithTheFieldAndTheByte) {
  payload_ = from_hex(test::kV1);
  payload_.resize(payload_.size() - 1);
  const auto done = decoder_.decode(payload_, scratch_, event_);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Rejected);
  EXPECT_EQ(done.error().message,
            "avro: decode com.sforce.eventbus.AccountChangeEvent: the datum ends too early, at "
            "byte 217 in Tier__c");
  EXPECT_EQ(event_.entity, "Account") << "the header still says what is lost";
  EXPECT_THAT(event_.record_ids, ElementsAre("001000000000001AAA"));
  EXPECT_TRUE(event_.fields.empty());
}

TEST_F(DecoderTest, EntityIsKnownBeforeThereIsADecoder) {
  const auto payload = from_hex(test::kV3);
  EXPECT_EQ(*entity_of(plan_, payload), "Account");
}

}  // namespace
}  // namespace headwater::avro
