#include "schemas/model/value.hpp"

#include "schemas/core/assert.hpp"
#include "schemas/core/json_text.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

void put_value(std::string& out, const ValueView& value) {
  put_byte(out, static_cast<std::uint8_t>(value.tag));
  switch (value.tag) {
    case Tag::Null:
    case Tag::False:
    case Tag::True:
    case Tag::Absent:
      return;
    case Tag::Int:
    case Tag::Date:
    case Tag::DateTime:
    case Tag::Time:
      put_signed(out, value.number);
      return;
    case Tag::Double:
      put_double(out, value.real);
      return;
    case Tag::Text:
    case Tag::Multi:
    case Tag::Ref:
    case Tag::Json:
      put_text(out, value.text);
      return;
  }
}

ValueView read_value(ByteReader& reader) {
  ValueView value;
  const std::uint8_t tag = reader.byte();
  if (tag > static_cast<std::uint8_t>(Tag::Absent)) {
    reader.take(reader.left() + 1);  // not a tag we know: the bytes are damaged, fail the reader
    return value;
  }
  value.tag = static_cast<Tag>(tag);
  if (value.holds_number()) {
    value.number = reader.signed_varint();
  } else if (value.tag == Tag::Double) {
    value.real = reader.float64();
  } else if (value.holds_text()) {
    value.text = reader.text();
  }
  return value;
}

void append_json_value(std::string& out, const ValueView& value) {
  switch (value.tag) {
    case Tag::Null:
      out.append("null");
      return;
    case Tag::False:
      out.append("false");
      return;
    case Tag::True:
      out.append("true");
      return;
    case Tag::Int:
      append_json_number(out, value.number);
      return;
    case Tag::Double:
      append_json_number(out, value.real);
      return;
    case Tag::Text:
    case Tag::Ref:
      append_json_string(out, value.text);
      return;
    case Tag::Json:
      out.append(value.text);
      return;
    case Tag::Date:
      out.push_back('"');
      append_date(out, value.number);
      out.push_back('"');
      return;
    case Tag::DateTime:
      out.push_back('"');
      append_datetime(out, value.number);
      out.push_back('"');
      return;
    case Tag::Time:
      out.push_back('"');
      append_time(out, value.number);
      out.push_back('"');
      return;
    case Tag::Multi: {
      out.push_back('[');
      std::string_view rest = value.text;
      bool first = true;
      while (!rest.empty()) {
        const auto end = rest.find(';');
        if (!first) out.push_back(',');
        first = false;
        append_json_string(out, rest.substr(0, end));
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
      }
      out.push_back(']');
      return;
    }
    case Tag::Absent:
      HEADWATER_ASSERT(value.tag != Tag::Absent);
  }
}

}  // namespace headwater
