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

}  // namespace headwater::fuzz
