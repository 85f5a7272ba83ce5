#pragma once

#include <deque>
#include <string>
#include <vector>

#include "schemas/avro/plan.hpp"
#include "tests/unit/avro/builder.hpp"
#include "tests/unit/avro/vectors.hpp"

namespace headwater::fuzz {

/// Schemas that hostile payloads are decoded by: one like Salesforce's, one with a type of every
/// kind nested in every other, one with nothing but the header.
inline const std::vector<std::string>& schema_texts() {
  static const std::vector<std::string> all{
      std::string(avro::test::kSchemaT1),
      avro::test::event_schema(R"(
        {"name":"strings","type":{"type":"array","items":"string"},"doc":"Data:MultiEnum"},
        {"name":"map","type":{"type":"map","values":["null","double",{"type":"array","items":"int"}]}},
        {"name":"enum","type":{"type":"enum","name":"E","symbols":["A","B","C"]}},
        {"name":"fixed","type":{"type":"fixed","name":"F","size":3}},
        {"name":"bytes","type":"bytes"},{"name":"float","type":"float"},{"name":"null","type":"null"},
        {"name":"choice","type":["string","long",{"type":"record","name":"R","fields":[
          {"name":"x","type":["null","boolean"]},{"name":"y","type":{"type":"array","items":"F"}}]}]},
        {"name":"records","type":{"type":"array","items":{"type":"record","name":"S","fields":[
          {"name":"e","type":"E"},{"name":"r","type":["null","R"]},{"name":"m","type":{"type":"map","values":"bytes"}}]}}},
        {"name":"date","type":["null","long"],"doc":"Data:DateOnly"},
        {"name":"when","type":["null","long"],"doc":"Data:DateTime"},
        {"name":"time","type":["null","int"],"doc":"Data:TimeOnly"},
        {"name":"back","type":["string","null"],"doc":"ForeignKey:EntityId"},
        {"name":"place","type":["null",{"type":"record","name":"L","fields":[
          {"name":"Latitude","type":["null","double"]},{"name":"Longitude","type":["null","double"]}]}],"doc":"Data:Location"})"),
      avro::test::event_schema(""),
  };
  return all;
}

/// The schema that a byte of the input picks. Plans stay where they are: decoders point at them.
inline const avro::Plan& picked_plan(std::uint8_t byte) {
  static const std::deque<avro::Plan> plans = [] {
    std::deque<avro::Plan> out;
    for (const auto& text : schema_texts()) out.push_back(*avro::Plan::parse(text));
    return out;
  }();
  return plans[byte % plans.size()];
}

/// Platform events: one as Salesforce has them, one with types that none has.
inline const std::vector<std::string>& platform_texts() {
  static const std::vector<std::string> all{
      R"({"type":"record","name":"Order_Event__e","namespace":"com.sforce.eventbus","fields":[
        {"name":"CreatedDate","type":"long","doc":"CreatedDate:DateTime"},
        {"name":"CreatedById","type":"string","doc":"CreatedBy:EntityId"},
        {"name":"Text__c","type":["null","string"],"doc":"Data:Text:00N000000000001","default":null},
        {"name":"Amount__c","type":["null","double"],"doc":"Data:Double:00N000000000002"},
        {"name":"Day__c","type":["null","long"],"doc":"Data:DateOnly:00N000000000003"},
        {"name":"Rush__c","type":["null","boolean"],"doc":"Data:Boolean:00N000000000004"}]})",
      R"({"type":"record","name":"Odd","fields":[{"name":"CreatedDate","type":["null","string"]},
        {"name":"CreatedById","type":{"type":"map","values":"bytes"}},
        {"name":"place","type":["string",{"type":"record","name":"L","fields":[
          {"name":"x","type":["null","double"]},{"name":"y","type":{"type":"array","items":"int"}}]}]},
        {"name":"many","type":{"type":"array","items":"string"},"doc":"Data:MultiEnum"}]})"};
  return all;
}

inline const avro::Plan& picked_platform_plan(std::uint8_t byte) {
  static const std::deque<avro::Plan> plans = [] {
    std::deque<avro::Plan> out;
    for (const auto& text : platform_texts())
      out.push_back(*avro::Plan::parse(text, avro::PlanKind::Platform));
    return out;
  }();
  return plans[byte % plans.size()];
}

}  // namespace headwater::fuzz
