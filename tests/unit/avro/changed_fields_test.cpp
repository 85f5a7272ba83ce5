#include "schemas/avro/changed_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <numeric>

#include "schemas/avro/event_decoder.hpp"
#include "tests/unit/avro/builder.hpp"
#include "tests/unit/avro/vectors.hpp"

namespace headwater::avro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Fields f1..fN of text; those in `compounds` are records of ten children c0..c9.
Plan plan_of(int count, std::initializer_list<int> compounds = {}) {
  std::string fields;
  bool defined = false;
  for (int i = 1; i <= count; ++i) {
    if (i > 1) fields += ",";
    std::string type = "\"string\"";
    if (std::find(compounds.begin(), compounds.end(), i) != compounds.end()) {
      type = "\"C\"";
      if (!defined) {
        type = R"({"type":"record","name":"C","fields":[)";
        for (int c = 0; c < 10; ++c) {
          type += (c ? "," : "") + std::string(R"({"name":"c)") + std::to_string(c) +
                  R"(","type":["null","string"]})";
        }
        type += "]}";
        defined = true;
      }
    }
    fields += R"({"name":"f)" + std::to_string(i) + R"(","type":["null",)" + type + "]}";
  }
  auto plan = Plan::parse(test::event_schema(fields));
  EXPECT_TRUE(plan.ok()) << plan.error().message;
  return *std::move(plan);
}

/// The paths that bitmaps name, or the refusal.
std::vector<std::string> paths(const Plan& plan, std::vector<std::string_view> bitmaps) {
  const auto mask = decode_masks(plan, bitmaps);
  if (!mask) {
    EXPECT_EQ(mask.error().kind, ErrorKind::Rejected);
    EXPECT_EQ(mask.error().code, "undecodable");
    return {mask.error().message};
  }
  std::vector<std::string> out;
  for (const auto leaf : *mask) out.push_back(plan.leaves()[leaf].path);
  return out;
}

TEST(ChangedFieldsTest, EveryWorkedExampleOfTheReference) {
  const Plan plan = plan_of(30);
  EXPECT_THAT(paths(plan, {"0x08F81000"}),
              ElementsAre("f12", "f19", "f20", "f21", "f22", "f23", "f27"));
  EXPECT_THAT(paths(plan_of(30, {4}), {"0x400000", "4-0x01"}), ElementsAre("f4.c0", "f22"));
  EXPECT_THAT(paths(plan, {"0x410000"}), ElementsAre("f16", "f22"));
  EXPECT_THAT(paths(plan, {"0x010000"}), ElementsAre("f16"));
  EXPECT_THAT(paths(plan, {"0x400800"}), ElementsAre("f11", "f22"));
  EXPECT_THAT(paths(plan, {"0x400080"}), ElementsAre("f7", "f22"));
  EXPECT_THAT(paths(plan_of(30, {6}), {"6-0x0180"}), ElementsAre("f6.c7", "f6.c8"));
  EXPECT_THAT(paths(plan, {"0x00"}), ElementsAre());
  EXPECT_THAT(paths(plan, {}), ElementsAre());
  // Both a compound's own bit and some of its children: all of it.
  EXPECT_THAT(
      paths(plan_of(30, {4, 7}), {"0x65000460", "4-0x10", "7-0x06"}),
      ElementsAre("f4.c4", "f5", "f6", "f7.c1", "f7.c2", "f10", "f24", "f26", "f29", "f30"));
  EXPECT_EQ(paths(plan_of(30, {4, 7}), {"0x650004E0", "4-0x10", "7-0x06"}).size(), 1u + 2 + 10 + 5);
}

TEST(ChangedFieldsTest, SchemaT1OfVectorV1) {
  const Plan plan = *Plan::parse(test::kSchemaT1);
  EXPECT_THAT(paths(plan, {"0x0241C0", "4-0x0183"}),
              ElementsAre("BillingAddress.Street",
                          "BillingAddress.City",
                          "BillingAddress.Latitude",
                          "BillingAddress.Longitude",
                          "Phone",
                          "Industry",
                          "AnnualRevenue",
                          "LastModifiedDate",
                          "Renewal_Date__c"));
  EXPECT_THAT(paths(plan, {"0x40", "4-0x02"}), ElementsAre("BillingAddress.City", "Phone"));
}

TEST(ChangedFieldsTest, LowerCaseOddLengthAndAnyOrderAreTaken) {
  const Plan plan = plan_of(30, {4});
  EXPECT_THAT(paths(plan, {"4-0x1", "0x8f81000"}),
              ElementsAre("f4.c0", "f12", "f19", "f20", "f21", "f22", "f23", "f27"));
}

TEST(ChangedFieldsTest, ACompoundsOwnBitStandsForAllItsLeaves) {
  const Plan plan = *Plan::parse(test::kSchemaT1);
  EXPECT_THAT(paths(plan, {"0x02"}),
              ElementsAre("Name", "Name.Salutation", "Name.FirstName", "Name.LastName"));
  EXPECT_EQ(paths(plan, {"0x10"}).size(), 10u);
  EXPECT_THAT(paths(plan, {"1-0x02"}), ElementsAre("Name.FirstName"));
}

TEST(ChangedFieldsTest, TheHeaderIsNeverAField) {
  const Plan plan = plan_of(8);
  EXPECT_THAT(paths(plan, {"0x03"}), ElementsAre("f1"));
  EXPECT_THAT(paths(plan, {"0-0x04"}), ElementsAre());
}

TEST(ChangedFieldsTest, WhatDoesNotFitTheSchemaIsUndecodable) {
  const Plan plan = plan_of(8, {4});
  const auto refusal = [&](std::string_view bitmap) { return paths(plan, {bitmap}).at(0); };
  EXPECT_THAT(refusal("0x0200"),
              HasSubstr("bitmap 0x0200 names field 9, which the schema does not have"));
  EXPECT_THAT(refusal("9-0x01"), HasSubstr("names field 9, which the schema does not have"));
  EXPECT_THAT(refusal("4-0x0400"), HasSubstr("names field 10, which the schema does not have"));
  EXPECT_THAT(refusal("3-0x01"), HasSubstr("names children of field 3, which has none"));
  for (const auto* bad : {"",
                          "0",
                          "x",
                          "0x",
                          "41",
                          "0xZZ",
                          "-0x01",
                          "a-0x01",
                          "40x01",
                          "4-0x",
                          "4-x01",
                          "-4-0x01",
                          "4--0x01",
                          "99999999999-0x01",
                          "0X01"}) {
    EXPECT_THAT(refusal(bad), HasSubstr("is not a bitmap")) << bad;
  }
}

/// The header of an UPDATE as the selection cache sees it.
Header header_of(const Plan& plan, const std::string& payload) {
  Decoded decoded;
  EXPECT_TRUE(plan.decode(payload, decoded).ok());
  return decoded.header;
}

TEST(ChangedFieldsTest, NulledWinsOverDiffAndDiffOverChanged) {
  const Plan plan = *Plan::parse(test::event_schema(R"({"name":"a","type":["null","string"]},
    {"name":"b","type":["null","string"]},{"name":"c","type":["null","string"]})"));
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  // a changed, b changed and diffed, c changed, diffed and nulled
  auto bytes = test::header(1, {"0x0E"}, {"0x08"}, {"0x0C"});
  bytes.number(1).text("new a").number(1).text("--- diff").number(1).text("stray");
  ASSERT_TRUE(decoder.decode(bytes.out, scratch, event).ok());
  ASSERT_EQ(event.fields.size(), 2u);
  EXPECT_EQ(names.text(event.fields[0].name), "a");
  EXPECT_EQ(event.fields[0].value, ValueView::of_text("new a"));
  EXPECT_EQ(names.text(event.fields[1].name), "c");
  EXPECT_TRUE(event.fields[1].value.is_null());
  ASSERT_EQ(event.diffs.size(), 1u);
  EXPECT_EQ(names.text(event.diffs[0].name), "b");
  EXPECT_EQ(event.diffs[0].value.text, "--- diff");
}

TEST(ChangedFieldsTest, ValuesThatAreNotListedAreEnrichmentAndLeftOut) {
  const Plan plan = *Plan::parse(test::event_schema(R"({"name":"a","type":["null","string"]},
    {"name":"b","type":["null","string"]})"));
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  auto bytes = test::header(1, {"0x04"}).number(1).text("enriched").number(1).text("changed");
  ASSERT_TRUE(decoder.decode(bytes.out, scratch, event).ok());
  ASSERT_EQ(event.fields.size(), 1u);
  EXPECT_EQ(names.text(event.fields[0].name), "b");
}

TEST(ChangedFieldsTest, TheCacheForgetsButNeverErrs) {
  // More different bitmaps than it can hold, in turn, twice.
  const Plan plan = plan_of(12);
  std::vector<NameId> names(plan.leaves().size());
  std::iota(names.begin(), names.end(), NameId{0});
  SelectionCache cache(plan, names);
  const std::string body(12, '\0');
  for (int round = 0; round < 2; ++round) {
    for (unsigned bits = 0; bits < 4'096; ++bits) {
      char hex[16];
      std::snprintf(hex, sizeof hex, "0x%X", bits << 1);
      const auto payload = test::header(1, {hex}).raw(body).out;
      const auto found = cache.find(header_of(plan, payload));
      ASSERT_TRUE(found.ok());
      ASSERT_EQ((*found)->fields.size(), static_cast<std::size_t>(std::popcount(bits)));
      for (const auto& pick : (*found)->fields) ASSERT_TRUE(bits >> pick.leaf & 1u);
    }
  }
  // What was asked for last is still there.
  const auto misses = cache.misses();
  const auto payload = test::header(1, {"0x1FFE"}).raw(body).out;
  ASSERT_TRUE(cache.find(header_of(plan, payload)).ok());
  EXPECT_EQ(cache.misses(), misses);
}

TEST(ChangedFieldsTest, WhatIsKeptForOneEventServesNoneThatDiffersInAnyBitmap) {
  const Plan plan = plan_of(3);
  std::vector<NameId> names(plan.leaves().size());
  std::iota(names.begin(), names.end(), NameId{0});
  SelectionCache cache(plan, names);
  struct Told {
    std::size_t nulled, diffed, changed;
    bool operator==(const Told&) const = default;
  };
  const auto told = [&](std::string_view changed, std::string_view nulled, std::string_view diffs) {
    const auto payload =
        test::header(1, {changed}, {nulled}, {diffs}).raw(std::string(3, '\0')).out;
    const auto found = cache.find(header_of(plan, payload));
    EXPECT_TRUE(found.ok());
    Told out{0, (*found)->diffs.size(), 0};
    for (const auto& pick : (*found)->fields) ++(pick.nulled ? out.nulled : out.changed);
    return out;
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(told("0x02", "0x00", "0x00"), (Told{0, 0, 1}));
    EXPECT_EQ(told("0x06", "0x00", "0x00"), (Told{0, 0, 2})) << "more is changed";
    EXPECT_EQ(told("0x02", "0x00", "0x02"), (Told{0, 1, 0})) << "as a diff";
    EXPECT_EQ(told("0x02", "0x02", "0x00"), (Told{1, 0, 0})) << "to null";
  }
}

TEST(ChangedFieldsTest, BadBitmapsRejectTheEventEachTime) {
  const Plan plan = plan_of(2);
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  const auto bad = test::header(1, {"0x80"}).raw(std::string(2, '\0')).out;
  const auto good = test::header(1, {"0x02"}).raw(std::string(2, '\0')).out;
  for (int i = 0; i < 3; ++i) {
    const auto done = decoder.decode(bad, scratch, event);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, "undecodable");
    EXPECT_THAT(event.record_ids, ElementsAre("a00000000000001AAA"))
        << "known, so it can be fetched";
    EXPECT_TRUE(event.fields.empty());
    EXPECT_TRUE(decoder.decode(good, scratch, event).ok());
    EXPECT_EQ(event.fields.size(), 1u);
  }
}

}  // namespace
}  // namespace headwater::avro
