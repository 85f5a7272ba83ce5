#include "schemas/avro/platform_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/avro/builder.hpp"

namespace headwater::avro {
namespace {

using test::Bytes;

/// As Salesforce has it (salesforce.md section 8): two fields that are no unions, then optional
/// ones.
constexpr std::string_view kSchema =
    R"({"type":"record","name":"Order_Event__e","namespace":"com.sforce.eventbus","fields":[
  {"name":"CreatedDate","type":"long","doc":"CreatedDate:DateTime"},
  {"name":"CreatedById","type":"string","doc":"CreatedBy:EntityId"},
  {"name":"Text__c","type":["null","string"],"doc":"Data:Text:00N000000000001","default":null},
  {"name":"Amount__c","type":["null","double"],"doc":"Data:Double:00N000000000002","default":null},
  {"name":"Day__c","type":["null","long"],"doc":"Data:DateOnly:00N000000000003","default":null},
  {"name":"At__c","type":["null","long"],"doc":"Data:DateTime:00N000000000004","default":null},
  {"name":"Rush__c","type":["null","boolean"],"doc":"Data:Boolean:00N000000000005","default":null}]})";

struct PlatformDecoderTest : testing::Test {
  Plan plan = *Plan::parse(kSchema, PlanKind::Platform);
  PlatformDecoder decoder{plan};
  Scratch scratch;
  PlatformEventView event;

  Result<void> decode(std::string_view payload) { return decoder.decode(payload, scratch, event); }
};

Bytes head() { return Bytes().number(1'772'366'400'123).text("0055f000005mc66AAA"); }

TEST_F(PlatformDecoderTest, EveryFieldIsJsonByItsDocSortedByName) {
  const auto bytes =
      head().number(1).text("a \"b\"\n").number(1).real(12.5).number(1).number(1'772'323'200'000);
  auto payload = bytes;
  payload.number(1).number(1'772'366'400'000).number(1).raw("\x01");
  ASSERT_TRUE(decode(payload.out)) << decode(payload.out).error().message;
  EXPECT_EQ(event.name, "Order_Event__e");
  EXPECT_EQ(event.created_at, 1'772'366'400'123);
  EXPECT_EQ(event.created_by, "0055f000005mc66AAA");
  EXPECT_EQ(event.payload, payload.out);
  EXPECT_EQ(event.fields,
            R"({"Amount__c":12.5,"At__c":"2026-03-01T12:00:00.000Z",)"
            R"("CreatedById":"0055f000005mc66AAA","CreatedDate":"2026-03-01T12:00:00.123Z",)"
            R"("Day__c":"2026-03-01","Rush__c":true,"Text__c":"a \"b\"\n"})");
}

TEST_F(PlatformDecoderTest, WhatIsNotThereIsNull) {
  ASSERT_TRUE(decode(head().number(0).number(0).number(0).number(0).number(0).out));
  EXPECT_EQ(
      event.fields,
      R"({"Amount__c":null,"At__c":null,"CreatedById":"0055f000005mc66AAA",)"
      R"("CreatedDate":"2026-03-01T12:00:00.123Z","Day__c":null,"Rush__c":null,"Text__c":null})");
}

TEST_F(PlatformDecoderTest, TheEventsOfAResponseKeepTheirTexts) {
  const auto payload = [](std::string_view text) {
    return head().number(1).text(text).number(0).number(0).number(0).number(0).out;
  };
  const auto first = payload("one"), second = payload("two");
  ASSERT_TRUE(decode(first));
  const PlatformEventView kept = event;
  ASSERT_TRUE(decode(second));
  EXPECT_NE(kept.fields.find("\"one\""), std::string_view::npos);
  EXPECT_NE(event.fields.find("\"two\""), std::string_view::npos);
}

TEST_F(PlatformDecoderTest, TextMayBecomeTwiceAsLongAndNotSixTimes) {
  const auto with = [](const std::string& text) {
    return head().number(1).text(text).number(0).number(0).number(0).number(0).out;
  };
  EXPECT_TRUE(decode(with(std::string(100'000, '"'))));
  EXPECT_TRUE(decode(with(std::string(5'000, '\x01'))));
  const auto done = decode(with(std::string(100'000, '\x01')));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "undecodable");
  EXPECT_THAT(
      done.error().message,
      testing::MatchesRegex("avro: decode com.sforce.eventbus.Order_Event__e: its "
                            "1000[0-9]+ bytes would be up to 600[0-9]+ bytes of JSON, more than "
                            "an event may take"));
}

TEST_F(PlatformDecoderTest, BytesThatAreNotOneDatumAreRefused) {
  const auto whole = head().number(0).number(0).number(0).number(0).number(0).out;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto done = decode(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(done) << size;
    EXPECT_EQ(done.error().code, "undecodable");
  }
  EXPECT_FALSE(decode(whole + "x"));
}

TEST(PlatformPlan, AKindOfEventIsNotTakenForTheOther) {
  const auto change = Plan::parse(test::event_schema(""), PlanKind::Platform);
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().message,
            "avro: com.sforce.eventbus.TestChangeEvent cannot be a platform event's schema: it has "
            "a ChangeEventHeader");
  EXPECT_FALSE(Plan::parse(kSchema));
}

}  // namespace
}  // namespace headwater::avro
