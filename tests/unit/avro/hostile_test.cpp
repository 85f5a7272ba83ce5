// Bytes from an enemy: each bound on its own, then mutations of good events by the hundred
// thousand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "schemas/avro/event_decoder.hpp"
#include "schemas/avro/platform_decoder.hpp"
#include "tests/unit/avro/builder.hpp"
#include "tests/unit/avro/heap.hpp"
#include "tests/unit/avro/vectors.hpp"

namespace headwater::avro {
namespace {

using test::Bytes;
using testing::HasSubstr;

constexpr std::int64_t kHuge = std::int64_t{1} << 62;
constexpr std::size_t kMegabyte = 1u << 20;

/// One schema with one field of a type, and what decoding made of its bytes.
class HostileTest : public testing::Test {
 protected:
  std::string refusal(std::string_view type, const Bytes& value) {
    auto plan = Plan::parse(test::event_schema(R"({"name":"f","type":)" + std::string(type) + "}"));
    EXPECT_TRUE(plan.ok()) << plan.error().message;
    Decoded decoded;
    const auto done = plan->decode(test::header(0).raw(value.out).out, decoded);
    if (done.ok()) return "accepted";
    EXPECT_EQ(done.error().kind, ErrorKind::Rejected);
    EXPECT_EQ(done.error().code, "undecodable");
    return done.error().message;
  }
};

TEST_F(HostileTest, NumbersAreNoLongerThanTheirType) {
  EXPECT_THAT(refusal("\"long\"", Bytes().raw(std::string(10, '\xff'))),
              HasSubstr("more than 64 bits"));
  EXPECT_THAT(refusal("\"long\"", Bytes().raw(std::string(9, '\xff') + '\x02')),
              HasSubstr("more than 64 bits"));
  EXPECT_EQ(refusal("\"long\"", Bytes().number(INT64_MIN)), "accepted");
  EXPECT_EQ(refusal("\"long\"", Bytes().number(INT64_MAX)), "accepted");
  EXPECT_THAT(refusal("\"long\"", Bytes().raw("\xff\xff")), HasSubstr("ends too early"));
  EXPECT_EQ(refusal("\"int\"", Bytes().number(INT32_MIN)), "accepted");
  EXPECT_THAT(refusal("\"int\"", Bytes().number(std::int64_t{INT32_MAX} + 1)),
              HasSubstr("int beyond 32 bits"));
  EXPECT_THAT(refusal("\"double\"", Bytes().raw("1234567")), HasSubstr("ends too early"));
  EXPECT_THAT(refusal("\"boolean\"", Bytes().raw("\2")), HasSubstr("neither 0 nor 1"));
  EXPECT_THAT(refusal("\"boolean\"", Bytes()), HasSubstr("ends too early"));
}

TEST_F(HostileTest, LengthsAreNoMoreThanTheBytesLeft) {
  for (const auto* type : {"\"string\"", "\"bytes\"", R"(["null","string"])"}) {
    const bool optional = type[0] == '[';
    for (const std::int64_t size :
         {std::int64_t{2}, kHuge, std::int64_t{-1}, std::int64_t{INT64_MIN}}) {
      auto bytes = optional ? Bytes().number(1) : Bytes();
      EXPECT_THAT(refusal(type, bytes.number(size).raw("x")), HasSubstr("claims a length")) << size;
    }
  }
  EXPECT_THAT(refusal(R"({"type":"fixed","name":"F","size":9})", Bytes().raw("12345678")),
              HasSubstr("claims a length"));
}

TEST_F(HostileTest, BranchesAndSymbolsMustExist) {
  for (const std::int64_t index : {std::int64_t{2}, std::int64_t{-1}, kHuge}) {
    EXPECT_THAT(refusal(R"(["null","string"])", Bytes().number(index)),
                HasSubstr("names a branch"));
    EXPECT_THAT(refusal(R"(["string",{"type":"map","values":"int"}])", Bytes().number(index)),
                HasSubstr("names a branch"));
    EXPECT_THAT(
        refusal(R"(["null",{"type":"record","name":"R","fields":[]}])", Bytes().number(index)),
        HasSubstr("names a branch"));
    EXPECT_THAT(refusal(R"({"type":"enum","name":"E","symbols":["A","B"]})", Bytes().number(index)),
                HasSubstr("names a symbol"));
  }
}

TEST_F(HostileTest, CountsAreNoMoreThanTheBytesLeftCanHold) {
  const auto longs = R"({"type":"array","items":"long"})";
  EXPECT_THAT(refusal(longs, Bytes().number(kHuge)),
              HasSubstr("more items than its bytes can hold"));
  EXPECT_THAT(refusal(longs, Bytes().number(2).number(0)),
              HasSubstr("more items than its bytes can hold"));
  EXPECT_THAT(
      refusal(R"({"type":"array","items":"double"})", Bytes().number(2).real(1).raw("1234567")),
      HasSubstr("more items than its bytes can hold"));
  EXPECT_THAT(refusal(R"({"type":"map","values":"null"})", Bytes().number(kHuge)),
              HasSubstr("more items than its bytes can hold"));
  EXPECT_THAT(refusal(longs, Bytes().number(1).number(5)),
              HasSubstr("ends too early"));  // no end of the array
}

TEST_F(HostileTest, ItemsWithoutWidthAreRefused) {
  const auto nulls = R"({"type":"array","items":"null"})";
  EXPECT_THAT(refusal(nulls, Bytes().number(1).number(0)), HasSubstr("items that take no bytes"));
  EXPECT_THAT(refusal(nulls, Bytes().number(kHuge).number(0)),
              HasSubstr("items that take no bytes"));
  EXPECT_THAT(
      refusal(
          R"({"type":"array","items":{"type":"record","name":"R","fields":[{"name":"n","type":"null"}]}})",
          Bytes().number(1).number(0)),
      HasSubstr("items that take no bytes"));
  EXPECT_EQ(refusal(nulls, Bytes().number(0)), "accepted");
}

TEST_F(HostileTest, NegativeCountsCarryASizeThatMustFit) {
  const auto longs = R"({"type":"array","items":"long"})";
  EXPECT_EQ(refusal(longs, Bytes().number(-2).number(2).number(1).number(2).number(0)), "accepted");
  EXPECT_THAT(refusal(longs, Bytes().number(-2).number(1).number(1).number(2).number(0)),
              HasSubstr("block size"));
  EXPECT_THAT(refusal(longs, Bytes().number(-2).number(3).number(1).number(2).number(0)),
              HasSubstr("block size"));
  EXPECT_THAT(refusal(longs, Bytes().number(-2).number(-2).number(1).number(2)),
              HasSubstr("block size"));
  EXPECT_THAT(refusal(longs, Bytes().number(-2).number(kHuge).number(1)), HasSubstr("block size"));
  EXPECT_THAT(refusal(longs, Bytes().number(INT64_MIN).number(1).number(1)),
              HasSubstr("more items"));
  // The header's own arrays too.
  EXPECT_EQ(refusal("\"int\"", Bytes().number(1)), "accepted");
}

TEST_F(HostileTest, TheHeadersArraysMayComeInSizedBlocks) {
  const Plan plan = *Plan::parse(test::event_schema(R"({"name":"f","type":["null","string"]})"));
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  Bytes bytes;
  bytes.text("Test__c")
      .number(-1)
      .number(4)
      .text("001")
      .number(1)
      .text("002")
      .number(0)
      .number(1)
      .text("")
      .text("k");
  bytes.number(1)
      .number(2)
      .number(3)
      .text("u")
      .texts({})
      .texts({})
      .number(-1)
      .number(5)
      .text("0x02")
      .number(0);
  bytes.number(1).text("value");
  const auto done = decoder.decode(bytes.out, scratch, event);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_THAT(event.record_ids, testing::ElementsAre("001", "002"));
  ASSERT_EQ(event.fields.size(), 1u);
  EXPECT_EQ(event.fields[0].value.text, "value");
}

TEST_F(HostileTest, TrailingBytesAreRefused) {
  EXPECT_THAT(refusal("\"int\"", Bytes().number(1).raw("x")),
              HasSubstr("goes on after its end, at byte"));
}

TEST_F(HostileTest, AnUnknownChangeTypeIsRefusedByItsName) {
  const Plan plan = *Plan::parse(test::event_schema(""));
  Decoded decoded;
  const auto done = plan.decode(test::header(10).out, decoded);
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("a change type that this version does not know"));
  EXPECT_THAT(done.error().message, HasSubstr("(\"NEWER\")"));
}

TEST_F(HostileTest, NumbersThatNoEventHasAreRefused) {
  const Plan plan = *Plan::parse(test::event_schema(""));
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  const auto with = [&](std::int64_t sequence, std::int64_t commit) {
    Bytes bytes;
    bytes.text("T")
        .texts({})
        .number(0)
        .text("")
        .text("k")
        .number(sequence)
        .number(0)
        .number(commit)
        .text("u");
    const auto done = decoder.decode(bytes.texts({}).texts({}).texts({}).out, scratch, event);
    return done.ok() ? std::string("accepted") : done.error().message;
  };
  EXPECT_EQ(with(1, 0), "accepted");
  EXPECT_THAT(with(-1, 0), HasSubstr("no event has sequenceNumber -1"));
  EXPECT_THAT(with(1, -7), HasSubstr("no event has commitNumber -7"));
}

TEST_F(HostileTest, SchemasThatAreNoChangeEventsAreRefused) {
  const auto refused = [](std::string_view json) {
    const auto plan = Plan::parse(json);
    return plan.ok() ? std::string("accepted") : plan.error().message;
  };
  EXPECT_THAT(refused("\"string\""), HasSubstr("it is not a record"));
  EXPECT_THAT(refused(R"({"type":"record","name":"R","fields":[]})"),
              HasSubstr("it has no ChangeEventHeader"));
  EXPECT_THAT(
      refused(
          R"({"type":"record","name":"R","fields":[{"name":"ChangeEventHeader","type":"string"}]})"),
      HasSubstr("its ChangeEventHeader is not a record"));
  EXPECT_THAT(refused(R"({"type":"record","name":"R","fields":[{"name":"ChangeEventHeader","type":
                         {"type":"record","name":"H","fields":[{"name":"entityName","type":"string"}]}}]})"),
              HasSubstr("its ChangeEventHeader has no recordIds"));
  auto wrong = test::event_schema("");
  wrong.replace(wrong.find(R"("name":"commitNumber","type":"long")"),
                35,
                R"("name":"commitNumber","type":"bytes")");
  EXPECT_THAT(refused(wrong), HasSubstr("its header's commitNumber is of type bytes"));
  // One compound after another until there are too many leaves.
  std::string fields = R"({"name":"c0","type":["null",{"type":"record","name":"C","fields":[)";
  for (int i = 0; i < 2'000; ++i)
    fields += (i ? R"(,{"name":"x)" : R"({"name":"x)") + std::to_string(i) + R"(","type":"int"})";
  fields += "]}]}";
  for (int i = 1; i <= 4; ++i)
    fields += R"(,{"name":"c)" + std::to_string(i) + R"(","type":["null","C"]})";
  EXPECT_THAT(refused(test::event_schema(fields)), HasSubstr("more than 8000 fields"));
}

/// The project's bound for any input: 4 bytes for each of its own and 64 KiB; 10 ms for a megabyte.
class BoundTest : public testing::Test {
 protected:
  void expect_bounded(std::string_view type,
                      const std::string& value,
                      std::initializer_list<std::string_view> ids) {
    const Plan plan =
        *Plan::parse(test::event_schema(R"({"name":"f","type":)" + std::string(type) + "}"));
    NameTable names;
    EventDecoder decoder(plan, names);
    Bytes bytes;
    bytes.text("T").texts(ids);
    run(decoder,
        bytes.number(0)
                .text("")
                .text("k")
                .number(1)
                .number(0)
                .number(1)
                .text("u")
                .texts({})
                .texts({})
                .texts({})
                .out +
            value);
  }
  /// What a thread's own time may grow by beside others: caches and cores are shared.
  static constexpr double kSlack = 2;

  template <typename Decoder, typename Event = EventView>
  void run(Decoder& decoder, const std::string& payload, Event event = {}) {
    const double megabytes = std::max(1.0, static_cast<double>(payload.size()) / kMegabyte);
    double best_ms = 1e9;
    for (int i = 0; i < 5 || (i < 50 && best_ms > 10 * megabytes); ++i) {
      Scratch scratch;
      const std::size_t before = test::heap.bytes;
      test::restart();
      const double start_ms = test::cpu_ms();
      (void)decoder.decode(payload, scratch, event).ok();
      best_ms = std::min(best_ms, test::cpu_ms() - start_ms);
      EXPECT_LE(test::heap.bytes_peak - before, 4 * payload.size() + 64 * 1024);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LE(best_ms, kSlack * 10 * megabytes);
#endif
  }
};

TEST_F(BoundTest, ShortItemsCannotBlowUpMemory) {
  const std::string items(kMegabyte, '\0');
  const auto block = Bytes().number(kMegabyte).raw(items).number(0).out;
  expect_bounded(R"({"type":"array","items":"string"})", block, {});
  expect_bounded(R"({"type":"array","items":"long"})", block, {});
  expect_bounded(R"({"type":"array","items":"boolean"})", block, {});
  expect_bounded(R"({"type":"array","items":["null","int"]})", block, {});
  expect_bounded(R"({"type":"map","values":"null"})", block, {});
  expect_bounded(R"("string")", Bytes().number(kMegabyte).raw(items).out, {});
  expect_bounded(R"("bytes")", Bytes().number(kMegabyte).raw(items).out, {});
  expect_bounded(
      R"("bytes")", Bytes().number(kMegabyte).raw(std::string(kMegabyte, '\xff')).out, {});
}

TEST_F(BoundTest, LongNamesAndManyNullFieldsCannotBlowUpOutputOrTime) {
  std::string fields;
  for (int i = 0; i < 3'000; ++i)
    fields += R"({"name":"a_rather_long_name_)" + std::to_string(i) + R"(","type":"null"},)";
  const std::string record =
      R"({"type":"record","name":"R","fields":[)" + fields + R"({"name":"x","type":"int"}]})";
  const auto block = Bytes().number(kMegabyte).raw(std::string(kMegabyte, '\0')).number(0).out;
  expect_bounded(R"({"type":"array","items":)" + record + "}", block, {});
}

TEST_F(BoundTest, ManyEmptyRecordIdsAreRefused) {
  const Plan plan = *Plan::parse(test::event_schema(""));
  NameTable names;
  EventDecoder decoder(plan, names);
  Bytes bytes;
  bytes.text("T").number(kMegabyte).raw(std::string(kMegabyte, '\0')).number(0);
  bytes.number(2)
      .text("")
      .text("k")
      .number(1)
      .number(0)
      .number(1)
      .text("u")
      .texts({})
      .texts({})
      .texts({});
  run(decoder, bytes.out);
  Scratch scratch;
  EventView event;
  const auto done = decoder.decode(bytes.out, scratch, event);
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("recordIds are too short to be ids"));
}

TEST_F(BoundTest, HugeBitmapsCannotBlowUpMemory) {
  const Plan plan = *Plan::parse(test::kSchemaT1);
  NameTable names;
  EventDecoder decoder(plan, names);
  // A megabyte of zeros that names nothing; many bitmaps that name everything, many times.
  auto zeros = test::header(1, {"0x" + std::string(kMegabyte, '0')}).raw(std::string(19, '\0')).out;
  run(decoder, zeros);
  Bytes many;
  many.text("Account")
      .texts({"001"})
      .number(1)
      .text("")
      .text("k")
      .number(1)
      .number(0)
      .number(1)
      .text("u")
      .texts({})
      .texts({});
  many.number(100'000);
  for (int i = 0; i < 100'000; ++i) many.text("0xFFFFE");
  run(decoder, many.number(0).raw(std::string(19, '\0')).out);
}

/// Its JSON is made while it decodes, and a control character becomes six bytes there.
TEST_F(BoundTest, PlatformEventsAreBoundedLikewise) {
  const auto event_of = [this](std::string_view type, const std::string& value) {
    const Plan plan = *Plan::parse(
        R"({"type":"record","name":"E","fields":[{"name":"f","type":)" + std::string(type) + "}]}",
        PlanKind::Platform);
    PlatformDecoder decoder(plan);
    run(decoder, value, PlatformEventView{});
  };
  const auto megabyte = [](char byte) {
    return Bytes().number(kMegabyte).raw(std::string(kMegabyte, byte)).out;
  };
  for (const char byte : {'a', '\0', '"', '\xff'}) event_of(R"("string")", megabyte(byte));
  event_of(R"("bytes")", megabyte('\xff'));
  const auto items = megabyte('\0') + Bytes().number(0).out;
  for (const auto* item : {R"("string")", R"("long")", R"("boolean")", R"(["null","int"])"})
    event_of(R"({"type":"array","items":)" + std::string(item) + "}", items);
  event_of(R"({"type":"map","values":"null"})", items);
}

TEST(MutationTest, MutatedEventsAreDecodedOrRejectedAndNothingElse) {
  const Plan plan = *Plan::parse(test::kSchemaT1);
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  const std::string seeds[] = {test::from_hex(test::kV1),
                               test::from_hex(test::kV2),
                               test::from_hex(test::kV3),
                               test::from_hex(test::kV4)};
  std::mt19937_64 random(1);
  std::size_t accepted = 0;
  constexpr int kRounds = 400'000;
  for (int round = 0; round < kRounds; ++round) {
    std::string payload = seeds[random() % 4];
    for (auto edits = random() % 4 + 1; edits > 0 && !payload.empty(); --edits) {
      const std::size_t at = random() % payload.size();
      switch (random() % 4) {
        case 0:
          payload[at] = static_cast<char>(random());
          break;
        case 1:
          payload[at] = static_cast<char>(payload[at] ^ (1 << random() % 8));
          break;
        case 2:
          payload.erase(at, random() % 8 + 1);
          break;
        default:
          payload.insert(at, random() % 8 + 1, static_cast<char>(random()));
          break;
      }
    }
    // On the heap and exactly as long, so that a sanitizer sees any step beyond.
    const std::vector<char> exact(payload.begin(), payload.end());
    scratch.clear();
    const auto done = decoder.decode({exact.data(), exact.size()}, scratch, event);
    if (done.ok()) {
      ++accepted;
      for (const auto& member : event.fields) ASSERT_LT(member.name, names.size());
    } else {
      ASSERT_EQ(done.error().kind, ErrorKind::Rejected);
    }
  }
  EXPECT_GT(accepted, kRounds / 100) << "the mutations are gentle enough to reach deep";
  EXPECT_LT(accepted, kRounds * 9 / 10);
}

}  // namespace
}  // namespace headwater::avro
