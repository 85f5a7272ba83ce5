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

/// The texts of a multi-select, one after the other.
template <typename Each>
void for_each_picked(std::string_view rest, Each each) {
  while (!rest.empty()) {
    const auto end = rest.find(';');
    each(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
}

char* write_multi(char* to, std::string_view text) {
  *to++ = '[';
  bool first = true;
  for_each_picked(text, [&](std::string_view picked) {
    if (!first) *to++ = ',';
    first = false;
    to = write_json_string(to, picked);
  });
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

std::size_t json_value_size(const ValueView& value) {
  switch (value.tag) {
    case Tag::Null:
    case Tag::True:
      return 4;
    case Tag::False:
      return 5;
    case Tag::Text:
    case Tag::Ref:
      return json_string_size(value.text);
    case Tag::Json:
      return value.text.size();
    case Tag::Multi: {
      std::size_t size = 2;
      for_each_picked(value.text,
                      [&](std::string_view picked) { size += 1 + json_string_size(picked); });
      return size;
    }
    default:
      return json_value_room(value);
  }
}

void append_json_value(std::string& out, const ValueView& value) {
  thread_local RawText scratch;
  scratch.append_to(out, write_json_value(scratch.room(json_value_room(value)), value));
}

}  // namespace headwater
