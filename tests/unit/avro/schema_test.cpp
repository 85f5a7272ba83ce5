#include "schemas/avro/schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/avro/vectors.hpp"

namespace headwater::avro {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view json) {
  const auto schema = Schema::parse(json);
  if (schema.ok()) return "accepted";
  EXPECT_EQ(schema.error().kind, ErrorKind::Rejected);
  return schema.error().message;
}

TEST(SchemaTest, ReadsSchemaT1WithDocsAndNamedReferences) {
  const auto schema = Schema::parse(test::kSchemaT1);
  ASSERT_TRUE(schema.ok()) << schema.error().message;
  const Node& root = schema->at(schema->root);
  EXPECT_EQ(root.name, "com.sforce.eventbus.AccountChangeEvent");
  ASSERT_EQ(root.fields.size(), 20u);
  EXPECT_EQ(root.fields[16].doc, "Data:Boolean:00N000000000001");
  const Node& billing = schema->at(root.fields[4].node);
  const Node& shipping = schema->at(root.fields[5].node);
  EXPECT_EQ(billing.parts[1], shipping.parts[1]) << "\"Address\" refers to the first definition";
  EXPECT_EQ(schema->at(billing.parts[1]).name, "com.sforce.eventbus.Address");
}

TEST(SchemaTest, NamesAreResolvedInTheNamespaceAround) {
  // `a.R` holds `b.E`, whose own namespace does not reach the field after it.
  const auto schema = Schema::parse(R"({"type":"record","name":"R","namespace":"a","fields":[
    {"name":"e","type":{"type":"enum","name":"b.E","symbols":["X"]}},
    {"name":"f","type":{"type":"fixed","name":"F","size":2}},
    {"name":"e2","type":"b.E"},{"name":"f2","type":"a.F"},{"name":"f3","type":"F"}]})");
  ASSERT_TRUE(schema.ok()) << schema.error().message;
  const Node& root = schema->at(schema->root);
  EXPECT_EQ(root.fields[0].node, root.fields[2].node);
  EXPECT_EQ(root.fields[1].node, root.fields[3].node);
  EXPECT_EQ(root.fields[1].node, root.fields[4].node);
}

TEST(SchemaTest, LeastSizesAreSumsAndMinima) {
  const auto schema = Schema::parse(R"({"type":"record","name":"R","fields":[
    {"name":"d","type":"double"},{"name":"n","type":"null"},{"name":"u","type":["double","null"]},
    {"name":"a","type":{"type":"array","items":"long"}},{"name":"f","type":{"type":"fixed","name":"F","size":5}}]})");
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ(schema->at(schema->root).least, 8u + 0 + 1 + 1 + 5);
}

TEST(SchemaTest, WhatIsNoSchemaIsRefusedWithASentence) {
  EXPECT_THAT(refusal("{"), HasSubstr("it is not JSON"));
  EXPECT_THAT(refusal("7"), HasSubstr("neither a name, a list nor an object"));
  EXPECT_THAT(refusal(R"("Nope")"), HasSubstr("type \"Nope\" is used but not defined before"));
  EXPECT_THAT(refusal(R"({"name":"x"})"), HasSubstr("has no \"type\""));
  EXPECT_THAT(refusal(R"({"type":"record","fields":[]})"), HasSubstr("has no name"));
  EXPECT_THAT(refusal(R"({"type":"record","name":"R"})"), HasSubstr("record \"R\" has no fields"));
  EXPECT_THAT(refusal(R"({"type":"record","name":"R","fields":[{"name":"a"}]})"),
              HasSubstr("field \"a\" of \"R\" has no type"));
  EXPECT_THAT(refusal(R"({"type":"record","name":"R","fields":[{"type":"int"}]})"),
              HasSubstr("a field of \"R\" has no name"));
  EXPECT_THAT(refusal(R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},
                         {"name":"a","type":"int"}]})"),
              HasSubstr("has field \"a\" twice"));
  EXPECT_THAT(refusal(R"(["int","int"])"), HasSubstr("a union has int twice"));
  EXPECT_THAT(refusal(R"(["int",["null"]])"), HasSubstr("a union as its branch"));
  EXPECT_THAT(refusal("[]"), HasSubstr("a union has no branches"));
  EXPECT_THAT(refusal(R"({"type":"array"})"), HasSubstr("has no \"items\""));
  EXPECT_THAT(refusal(R"({"type":"map"})"), HasSubstr("has no \"values\""));
  EXPECT_THAT(refusal(R"({"type":"enum","name":"E","symbols":[]})"), HasSubstr("has no symbols"));
  EXPECT_THAT(refusal(R"({"type":"enum","name":"E","symbols":["A","A"]})"),
              HasSubstr("a symbol twice"));
  EXPECT_THAT(refusal(R"({"type":"enum","name":"E","symbols":[1]})"), HasSubstr("is not a string"));
  EXPECT_THAT(refusal(R"({"type":"fixed","name":"F","size":0})"),
              HasSubstr("the size of fixed \"F\""));
  EXPECT_THAT(refusal(R"({"type":"fixed","name":"string","size":1})"),
              HasSubstr("names a primitive type"));
  EXPECT_THAT(
      refusal(R"([{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}])"),
      HasSubstr("\"F\" is defined twice"));
}

TEST(SchemaTest, ATypeThatContainsItselfIsRefused) {
  EXPECT_THAT(
      refusal(R"({"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]})"),
      HasSubstr("type \"R\" contains itself"));
}

TEST(SchemaTest, BoundsHold) {
  EXPECT_THAT(refusal(std::string(kSchemaBytesMax + 1, ' ')),
              HasSubstr("at most 4194304 are taken"));

  std::string deep = "\"int\"";
  for (std::size_t i = 0; i <= kSchemaDepthMax; ++i)
    deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_THAT(refusal(deep), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("it is not JSON"));

  std::string wide = R"({"type":"record","name":"R","fields":[)";
  for (std::size_t i = 0; i <= kSchemaFieldsMax; ++i) {
    wide +=
        (i ? "," : "") + std::string(R"({"name":"f)") + std::to_string(i) + R"(","type":"int"})";
  }
  EXPECT_THAT(refusal(wide + "]}"), HasSubstr("more than 4000 fields"));

  std::string many = "[";
  for (std::size_t i = 0; i <= kSchemaNodesMax; ++i) {
    many += (i ? "," : "") + std::string(R"({"type":"fixed","size":1,"name":"F)") +
            std::to_string(i) + "\"}";
  }
  EXPECT_THAT(refusal(many + "]"), HasSubstr("more than 20000 types"));
}

}  // namespace
}  // namespace headwater::avro
