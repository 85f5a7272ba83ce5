#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace headwater::avro::test {

/// A change event's schema: Salesforce's header and then `fields`, JSON objects separated by
/// commas.
inline std::string event_schema(std::string_view fields) {
  static constexpr std::string_view kStrings = R"({"type":"array","items":"string"})";
  std::string out =
      R"({"type":"record","name":"TestChangeEvent","namespace":"com.sforce.eventbus","fields":[
    {"name":"ChangeEventHeader","doc":"Data:ComplexValueType","type":{"type":"record","name":"ChangeEventHeader","fields":[
    {"name":"entityName","type":"string"},{"name":"recordIds","type":)";
  out.append(kStrings);
  out +=
      R"(},{"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE","DELETE",
    "UNDELETE","GAP_CREATE","GAP_UPDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT","NEWER"]}},
    {"name":"changeOrigin","type":"string"},{"name":"transactionKey","type":"string"},
    {"name":"sequenceNumber","type":"int"},{"name":"commitTimestamp","type":"long"},
    {"name":"commitNumber","type":"long"},{"name":"commitUser","type":"string"},{"name":"nulledFields","type":)";
  out.append(kStrings).append(R"(},{"name":"diffFields","type":)").append(kStrings);
  out.append(R"(},{"name":"changedFields","type":)").append(kStrings).append("}]}}");
  if (!fields.empty()) out.append(",").append(fields);
  return out + "]}";
}

/// Writes Avro's binary encoding, right or wrong.
struct Bytes {
  std::string out;

  Bytes& number(std::int64_t value) {
    auto bits = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    for (; bits >= 0x80; bits >>= 7) out.push_back(static_cast<char>(bits | 0x80));
    out.push_back(static_cast<char>(bits));
    return *this;
  }
  Bytes& text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    out.append(value);
    return *this;
  }
  Bytes& real(double value) {
    char raw[8];
    std::memcpy(raw, &value, 8);
    out.append(raw, 8);
    return *this;
  }
  Bytes& raw(std::string_view bytes) {
    out.append(bytes);
    return *this;
  }
  Bytes& texts(std::initializer_list<std::string_view> values) {
    if (values.size() > 0) number(static_cast<std::int64_t>(values.size()));
    for (const auto value : values) text(value);
    return number(0);
  }
};

/// A header of event_schema(). `type` is the symbol's number: 0 CREATE, 1 UPDATE, 10 one we do not
/// know.
inline Bytes header(int type,
                    std::initializer_list<std::string_view> changed = {},
                    std::initializer_list<std::string_view> nulled = {},
                    std::initializer_list<std::string_view> diffs = {}) {
  Bytes bytes;
  bytes.text("Test__c").texts({"a00000000000001AAA"}).number(type).text("").text("key-1");
  bytes.number(1).number(1700000000000).number(77).text("005000000000001AAA");
  return bytes.texts(nulled).texts(diffs).texts(changed);
}

}  // namespace headwater::avro::test
