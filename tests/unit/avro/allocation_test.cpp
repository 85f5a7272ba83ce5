#include <gtest/gtest.h>

#include "schemas/avro/event_decoder.hpp"
#include "tests/unit/avro/builder.hpp"
#include "tests/unit/avro/heap.hpp"
#include "tests/unit/avro/vectors.hpp"

namespace headwater::avro {
namespace {

TEST(AllocationTest, TheSteadyStateAllocatesNothing) {
  const Plan plan = *Plan::parse(test::kSchemaT1);
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  const std::string payloads[] = {test::from_hex(test::kV1),
                                  test::from_hex(test::kV2),
                                  test::from_hex(test::kV3),
                                  test::from_hex(test::kV4)};
  const auto response = [&] {
    scratch.clear();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(decoder.decode(payloads[i % 4], scratch, event).ok());
    }
  };
  response();  // warm up: masks are parsed, the scratch grows to a response's size
  test::restart();
  for (int i = 0; i < 100; ++i) response();
  EXPECT_EQ(test::heap.allocations, 0u);
}

TEST(AllocationTest, JoinedAndRenderedValuesAllocateNothingEither) {
  const Plan plan = *Plan::parse(test::event_schema(R"(
    {"name":"tags","type":["null",{"type":"array","items":"string"}]},
    {"name":"owner","type":["null","string"],"doc":"ForeignKey:EntityId"},
    {"name":"odd","type":{"type":"map","values":{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}}})"));
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  auto bytes = test::header(0).number(1).texts({"A", "B"}).number(1).text("0015f00002JUXA8");
  bytes.number(2).text("b").number(1).text("a").number(2).number(0);
  const auto response = [&] {
    scratch.clear();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(decoder.decode(bytes.out, scratch, event).ok());
  };
  response();
  test::restart();
  response();
  EXPECT_EQ(test::heap.allocations, 0u);
  ASSERT_EQ(event.fields.size(), 3u);
  EXPECT_EQ(event.fields[0].value.text, "A;B");
  EXPECT_EQ(event.fields[1].value.text, "0015f00002JUXA8AAP");
  EXPECT_EQ(event.fields[2].value.text, R"({"a":{"x":2},"b":{"x":1}})");
}

TEST(AllocationTest, TheScratchGivesBackWhatOneLargeResponseTook) {
  Scratch scratch;
  const auto size = Scratch::kKeptBytesMax + 1;
  (void)scratch.array<char>(size);
  scratch.clear();
  EXPECT_EQ(scratch.capacity_bytes(), 0u);
  (void)scratch.array<char>(100);
  const auto kept = scratch.capacity_bytes();
  scratch.clear();
  (void)scratch.array<char>(100);
  EXPECT_EQ(scratch.capacity_bytes(), kept);
}

}  // namespace
}  // namespace headwater::avro
