#include "schemas/avro/values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/avro/builder.hpp"

namespace headwater::avro {
namespace {

using test::Bytes;
using testing::HasSubstr;

/// What one field of a type and a doc decodes to, or the refusal as text.
class ValuesTest : public testing::Test {
 protected:
  std::optional<Plan> plan_;
  Decoded decoded_;
  Scratch scratch_;
  std::string payload_;

  ValueView read(std::string_view type, std::string_view doc_type, const Bytes& value) {
    std::string field = R"({"name":"f","type":)" + std::string(type);
    if (!doc_type.empty()) field += R"(,"doc":"Data:)" + std::string(doc_type) + "\"";
    auto plan = Plan::parse(test::event_schema(field + "}"));
    EXPECT_TRUE(plan.ok()) << plan.error().message;
    plan_ = *std::move(plan);
    payload_ = test::header(0).raw(value.out).out;
    auto decoded = plan_->decode(payload_, decoded_);
    if (!decoded) return ValueView::of_text(keep(decoded.error().message));
    ValueReader reader(*plan_);
    reader.begin_event(payload_.size());
    ValueView out;
    const bool read = reader.read(0, decoded_.slots[0], scratch_, out);
    return read ? out : ValueView::of_text(keep(reader.error().message));
  }
  std::string_view keep(std::string_view text) { return scratch_.copy(text); }
};

TEST_F(ValuesTest, NumbersFollowTheDocType) {
  const auto at = Bytes().number(1719705600000);
  EXPECT_EQ(read("\"long\"", "DateOnly", at), ValueView::of_number(19904, Tag::Date));
  EXPECT_EQ(read("\"long\"", "DateOnly", Bytes().number(-1)), ValueView::of_number(-1, Tag::Date));
  EXPECT_EQ(read("\"long\"", "DateOnly", Bytes().number(-86'400'000)),
            ValueView::of_number(-1, Tag::Date));
  EXPECT_EQ(read("\"long\"", "DateOnly", Bytes().number(253'402'300'799'999)),
            ValueView::of_number(2'932'896, Tag::Date));  // 9999-12-31
  EXPECT_EQ(read("\"long\"", "DateTime", at), ValueView::of_number(1719705600000, Tag::DateTime));
  EXPECT_EQ(read("\"long\"", "TimeOnly", Bytes().number(52'200'000)),
            ValueView::of_number(52'200'000, Tag::Time));
  EXPECT_EQ(read("\"int\"", "Integer", Bytes().number(7)), ValueView::integer(7));
  EXPECT_EQ(read("\"long\"", "", Bytes().number(7)), ValueView::integer(7));
  EXPECT_EQ(read("\"int\"", "Currency", Bytes().number(7)), ValueView::decimal(7));
  EXPECT_EQ(read("\"double\"", "Integer", Bytes().real(7)), ValueView::integer(7));
  EXPECT_EQ(read("\"double\"", "DateTime", Bytes().real(1000)),
            ValueView::of_number(1000, Tag::DateTime));
  EXPECT_EQ(read("\"double\"", "Integer", Bytes().real(7.5)), ValueView::decimal(7.5));
  for (const auto* doc : {"Double", "Currency", "Percent", "", "NewKind"}) {
    EXPECT_EQ(read("\"double\"", doc, Bytes().real(12.5)), ValueView::decimal(12.5));
  }
}

TEST_F(ValuesTest, ATimeBeyondTheDayAndNumbersThatAreNoneAreRefused) {
  for (const char* doc : {"DateOnly", "DateTime"}) {
    for (const std::int64_t bad : {INT64_MIN, -62'167'219'200'001, 253'402'300'800'000, INT64_MAX})
      EXPECT_THAT(std::string(read("\"long\"", doc, Bytes().number(bad)).text),
                  HasSubstr("field f is a time outside the years 0 to 9999"));
  }
  EXPECT_THAT(std::string(read("\"long\"", "TimeOnly", Bytes().number(86'400'000)).text),
              HasSubstr("field f is a time of day beyond the day"));
  for (const double bad :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(std::string(read("\"double\"", "Currency", Bytes().real(bad)).text),
                HasSubstr("a number that is not finite"));
  }
}

TEST_F(ValuesTest, TextFollowsTheDocType) {
  for (const auto* doc :
       {"Text", "StringPlusClob", "DynamicEnum", "Email", "ExternalId", "EncryptedText", ""}) {
    EXPECT_EQ(read("\"string\"", doc, Bytes().text("A;B")), ValueView::of_text("A;B"));
  }
  EXPECT_EQ(read("\"string\"", "MultiEnum", Bytes().text("A;B")),
            ValueView::of_text("A;B", Tag::Multi));
  EXPECT_EQ(read("\"string\"", "Text", Bytes().text("")), ValueView::of_text(""))
      << "empty is not null";
}

TEST_F(ValuesTest, IdsAreWidenedToEighteenCharacters) {
  EXPECT_EQ(read("\"string\"", "EntityId", Bytes().text("0015f00002JUXA8AAP")),
            ValueView::of_text("0015f00002JUXA8AAP", Tag::Ref));
  EXPECT_EQ(read("\"string\"", "EntityId", Bytes().text("0015f00002JUXA8")),
            ValueView::of_text("0015f00002JUXA8AAP", Tag::Ref));
  EXPECT_EQ(read("\"string\"", "EntityId", Bytes().text("no id")), ValueView::of_text("no id"));
}

TEST_F(ValuesTest, ArraysOfStringsAreMulti) {
  const auto array = R"({"type":"array","items":"string"})";
  EXPECT_EQ(read(array, "Text", Bytes().texts({"A", "B", "C"})),
            ValueView::of_text("A;B;C", Tag::Multi));
  EXPECT_EQ(read(array, "", Bytes().texts({})), ValueView::of_text("", Tag::Multi));
  const auto nullable = R"(["null",{"type":"array","items":["null","string"]}])";
  auto bytes =
      Bytes().number(1).number(3).number(1).text("A").number(0).number(1).text("B").number(0);
  EXPECT_EQ(read(nullable, "MultiEnum", bytes), ValueView::of_text("A;B", Tag::Multi));
  auto first_null = Bytes().number(1).number(2).number(0).number(1).text("B").number(0);
  EXPECT_EQ(read(nullable, "MultiEnum", first_null), ValueView::of_text("B", Tag::Multi));
  EXPECT_TRUE(read(nullable, "MultiEnum", Bytes().number(0)).is_null());
}

TEST_F(ValuesTest, BooleansAndEnumsFollowTheAvroType) {
  EXPECT_EQ(read("\"boolean\"", "Boolean", Bytes().raw("\1")), ValueView::boolean(true));
  EXPECT_EQ(read("\"boolean\"", "NewKind", Bytes().raw(std::string(1, '\0'))),
            ValueView::boolean(false));
  EXPECT_EQ(read(R"(["null",{"type":"enum","name":"E","symbols":["X","Y"]}])",
                 "Text",
                 Bytes().number(1).number(1)),
            ValueView::of_text("Y"));
}

TEST_F(ValuesTest, AnythingElseIsCanonicalJson) {
  const auto record = R"({"type":"map","values":{"type":"record","name":"R","fields":[
    {"name":"z","type":"int"},{"name":"n","type":"null"},{"name":"a","type":["null","double"]},
    {"name":"b","type":"bytes"},{"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},
    {"name":"f","type":{"type":"fixed","name":"F","size":2}},{"name":"t","type":"boolean"}]}})";
  Bytes bytes;
  for (const auto* key : {"k2", "k1"}) {
    bytes.number(1)
        .text(key)
        .number(-5)
        .number(1)
        .real(0.1)
        .text("\xff\"")
        .number(0)
        .raw("\1A")
        .raw("\1");
  }
  bytes.number(0);
  const auto value = read(record, "", bytes);
  EXPECT_EQ(value.tag, Tag::Json);
  const std::string one = R"({"a":0.1,"b":"ÿ\"","e":"X","f":"\u0001A","n":null,"t":true,"z":-5})";
  EXPECT_EQ(value.text, R"({"k1":)" + one + R"(,"k2":)" + one + "}");
}

TEST_F(ValuesTest, ARepeatedMapKeyIsWrittenOnceWithItsLastValue) {
  const auto bytes = Bytes().number(2).text("k").number(1).text("k").number(2).number(0);
  EXPECT_EQ(read(R"({"type":"map","values":"int"})", "", bytes).text, R"({"k":2})");
}

TEST_F(ValuesTest, ChildrenOfAllKindsOfCompoundsAreLeaves) {
  const auto plan = Plan::parse(test::event_schema(R"(
    {"name":"A","type":{"type":"record","name":"A","fields":[{"name":"x","type":"int"},
       {"name":"deep","type":{"type":"record","name":"D","fields":[{"name":"y","type":"long"}]}}]},"doc":"Data:Address"},
    {"name":"L__c","type":["null",{"type":"record","name":"L","fields":[{"name":"Latitude","type":["null","double"]}]}],
       "doc":"Data:Location:00N000000000009"},
    {"name":"S","type":["string","A"],"doc":"Data:Switchable_PersonName"})"));
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  std::vector<std::string> paths;
  for (const auto& leaf : plan->leaves()) paths.push_back(leaf.path);
  EXPECT_THAT(paths, testing::ElementsAre("A.x", "A.deep", "L__c.Latitude", "S", "S.x", "S.deep"));
  EXPECT_EQ(plan->leaves()[2].field_id, "00N000000000009")
      << "the compound's id names its children too";
  EXPECT_EQ(plan->leaves()[2].top, 2);
  EXPECT_EQ(plan->leaves()[2].child, 0);
  EXPECT_EQ(plan->top_fields()[1].children, 2);
}

}  // namespace
}  // namespace headwater::avro
