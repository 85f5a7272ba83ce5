#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/core/bytes.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

/// The type of a value, the same whether it came by Avro or by REST (unified-model.md section 4).
/// The numbers are part of the ledger's on-disk format: never reuse one.
enum class Tag : std::uint8_t {
  Null = 0,
  False = 1,
  True = 2,
  Int = 3,
  Double = 4,
  Text = 5,
  Multi = 6,     ///< multi-select picklist: `A;B;C` in text
  Date = 7,      ///< days since the epoch in number
  DateTime = 8,  ///< ms since the epoch in number
  Time = 9,      ///< ms of the day in number
  Ref = 10,      ///< 18-character record id in text
  Json = 11,     ///< canonical JSON text: addresses, locations, anything without a type of its own
  Absent = 12,   ///< only among old values: the member did not exist
};

/// One value. `text` is borrowed: it lives as long as the buffer of the event, state or entry it
/// came from.
struct ValueView {
  Tag tag = Tag::Null;
  std::int64_t number = 0;  ///< Int, Date, DateTime, Time
  double real = 0;          ///< Double
  std::string_view text;    ///< Text, Multi, Ref, Json

  static ValueView null() { return {}; }
  static ValueView boolean(bool b) { return {b ? Tag::True : Tag::False, 0, 0, {}}; }
  static ValueView integer(std::int64_t n) { return {Tag::Int, n, 0, {}}; }
  static ValueView decimal(double d) { return {Tag::Double, 0, d, {}}; }
  static ValueView of_text(std::string_view s, Tag tag = Tag::Text) { return {tag, 0, 0, s}; }
  static ValueView of_number(std::int64_t n, Tag tag) { return {tag, n, 0, {}}; }

  bool is_null() const { return tag == Tag::Null; }
  bool is_bool() const { return tag == Tag::False || tag == Tag::True; }
  bool holds_text() const {
    return tag == Tag::Text || tag == Tag::Multi || tag == Tag::Ref || tag == Tag::Json;
  }
  bool holds_number() const {
    return tag == Tag::Int || tag == Tag::Date || tag == Tag::DateTime || tag == Tag::Time;
  }
  /// Same tag and same bits: doubles compare by representation, so that equality is what hashes
  /// see.
  friend bool operator==(const ValueView& a, const ValueView& b) {
    return a.tag == b.tag && a.number == b.number &&
           std::bit_cast<std::uint64_t>(a.real) == std::bit_cast<std::uint64_t>(b.real) &&
           a.text == b.text;
  }
};

/// Appends tag and payload: 1 byte for null and bool, else 1 + a varint, 8 bytes, or length and
/// text.
void put_value(std::string& out, const ValueView& value);
/// The same into raw memory; returns where it ended. REQUIRES: value_room(value) bytes.
char* write_value(char* to, const ValueView& value);
inline std::size_t value_room(const ValueView& value) {
  return 1 + kVarintRoom + value.text.size();
}
/// Reads what put_value wrote; the view borrows from the reader's bytes. Check reader.ok()
/// afterwards.
inline ValueView read_value(ByteReader& reader) {
  ValueView value;
  const std::uint8_t tag = reader.byte();
  if (tag > static_cast<std::uint8_t>(Tag::Absent)) {
    reader.take(reader.left() + 1);  // not a tag we know: the bytes are damaged, fail the reader
    return value;
  }
  value.tag = static_cast<Tag>(tag);
  if (value.holds_text()) {
    value.text = reader.text();
  } else if (value.holds_number()) {
    value.number = reader.signed_varint();
  } else if (value.tag == Tag::Double) {
    value.real = reader.float64();
  }
  return value;
}

/// Appends the value as JSON: section 4's "JSON" column. Absent is not a value: never passed here.
void append_json_value(std::string& out, const ValueView& value);
/// The same into raw memory; returns where it ended. REQUIRES: json_value_room(value) bytes.
char* write_json_value(char* to, const ValueView& value);
/// The worst is a multi-select of empty or escaped pieces: each gets quotes and a comma.
inline std::size_t json_value_room(const ValueView& value) {
  return kTimeTextRoom + 9 * value.text.size();
}
/// Room that is enough for this very value: exact but for numbers and times. Texts are looked
/// through.
std::size_t json_value_size(const ValueView& value);

}  // namespace headwater
