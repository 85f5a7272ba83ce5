#include "schemas/model/value.hpp"

#include "schemas/core/assert.hpp"
#include "schemas/core/json_text.hpp"
#include "schemas/core/raw_text.hpp"

namespace headwater {
namespace {

static_assert(kJsonNumberRoom <= kTimeTextRoom);

template <typename Write>
char* quoted(char* to, Write write) {
  *to++ = '"';
  to = write(to);
  *to++ = '"';
  return to;
}

char* write_multi(char* to, std::string_view rest) {
  *to++ = '[';
  bool first = true;
  while (!rest.empty()) {
    const auto end = rest.find(';');
    if (!first) *to++ = ',';
    first = false;
    to = write_json_string(to, rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  *to++ = ']';
  return to;
}

}  // namespace

char* write_value(char* to, const ValueView& value) {
  *to++ = static_cast<char>(value.tag);
  switch (value.tag) {
    case Tag::Null:
    case Tag::False:
    case Tag::True:
    case Tag::Absent:
      return to;
    case Tag::Int:
    case Tag::Date:
    case Tag::DateTime:
    case Tag::Time:
      return write_signed(to, value.number);
    case Tag::Double:
      return write_double(to, value.real);
    case Tag::Text:
    case Tag::Multi:
    case Tag::Ref:
    case Tag::Json:
      return write_text(to, value.text);
  }
  return to;
}

void put_value(std::string& out, const ValueView& value) {
  thread_local RawText scratch;
  scratch.append_to(out, write_value(scratch.room(value_room(value)), value));
}

char* write_json_value(char* to, const ValueView& value) {
  switch (value.tag) {
    case Tag::Null:
      return write_raw(to, "null");
    case Tag::False:
      return write_raw(to, "false");
    case Tag::True:
      return write_raw(to, "true");
    case Tag::Int:
      return write_json_number(to, value.number);
    case Tag::Double:
      return write_json_number(to, value.real);
    case Tag::Text:
    case Tag::Ref:
      return write_json_string(to, value.text);
    case Tag::Json:
      return write_raw(to, value.text);
    case Tag::Date:
      return quoted(to, [&](char* at) { return write_date(at, value.number); });
    case Tag::DateTime:
      return quoted(to, [&](char* at) { return write_datetime(at, value.number); });
    case Tag::Time:
      return quoted(to, [&](char* at) { return write_time(at, value.number); });
    case Tag::Multi:
      return write_multi(to, value.text);
    case Tag::Absent:
      HEADWATER_ASSERT(value.tag != Tag::Absent);
  }
  return to;
}

void append_json_value(std::string& out, const ValueView& value) {
  thread_local RawText scratch;
  scratch.append_to(out, write_json_value(scratch.room(json_value_room(value)), value));
}

}  // namespace headwater
