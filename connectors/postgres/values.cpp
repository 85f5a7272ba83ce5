#include "connectors/postgres/values.hpp"

#include <algorithm>
#include <cmath>

namespace headwater::postgres {
namespace {

// PostgreSQL's epoch is 2000-01-01, and its ranges end where its own code ends them.
// Source: src/include/datatype/timestamp.h.
constexpr EpochMs kEpochMs = 946'684'800'000;
constexpr EpochDays kEpochDays = 10'957;
constexpr EpochMs kTimestampMsMin = -211'813'488'000'000, kTimestampMsEnd = 9'223'371'331'200'000;
constexpr EpochDays kDateMin = -2'451'545, kDateEnd = 2'145'031'949;

Error wrong_type() { return rejected("has a value of another type than its column", "22P02"); }
Error out_of_range() {
  return rejected("has a date or time outside of PostgreSQL's range", "22008");
}

/// `{"A","B"}`: always quoted, so that an item called NULL stays text.
void add_text_array(ArrayBuffer& out, std::string_view items) {
  std::string& bytes = out.begin_element();
  bytes.push_back('{');
  for (bool first = true; !items.empty(); first = false) {
    const auto end = std::min(items.find(';'), items.size());
    bytes.append(first ? "\"" : ",\"");
    std::string_view item = items.substr(0, end);
    for (auto at = item.find_first_of("\"\\"); at != std::string_view::npos;
         at = item.find_first_of("\"\\")) {
      append_clean_text(bytes, item.substr(0, at));
      bytes.push_back('\\');
      bytes.push_back(item[at]);
      item.remove_prefix(at + 1);
    }
    append_clean_text(bytes, item);
    bytes.push_back('"');
    items.remove_prefix(std::min(end + 1, items.size()));
  }
  bytes.push_back('}');
  out.end_element();
}

}  // namespace

Element element_of(ColumnType type) {
  switch (type) {
    case ColumnType::Bool:
      return Element::Bool;
    case ColumnType::Bigint:
      return Element::Int8;
    case ColumnType::Date:
      return Element::Date;
    case ColumnType::Timestamp:
      return Element::Timestamptz;
    case ColumnType::Time:
      return Element::Time;
    case ColumnType::Jsonb:
      return Element::Jsonb;
    // Numbers go by their shortest digits; unnest() would flatten an array of arrays.
    case ColumnType::Numeric:
    case ColumnType::TextArray:
    case ColumnType::Text:
    case ColumnType::Id:
    case ColumnType::Currency:
      return Element::Text;
  }
  return Element::Text;
}

Result<void> add_timestamp(ArrayBuffer& out, EpochMs ms) {
  if (ms < kTimestampMsMin + kEpochMs || ms - kEpochMs >= kTimestampMsEnd) return out_of_range();
  out.add_int8((ms - kEpochMs) * 1000);
  return {};
}

void add_timestamp_or_null(ArrayBuffer& out, EpochMs ms) {
  if (ms == 0 || !add_timestamp(out, ms)) out.add_null();
}

Result<void> add_value(ArrayBuffer& out, ColumnType type, const ValueView& value) {
  switch (type) {
    case ColumnType::Text:
    case ColumnType::Id:
    case ColumnType::Currency:
      if (!value.holds_text()) return wrong_type();
      out.add_text(value.text);
      return {};
    case ColumnType::TextArray:
      if (value.tag != Tag::Multi && value.tag != Tag::Text) return wrong_type();
      add_text_array(out, value.text);
      return {};
    case ColumnType::Bool:
      if (!value.is_bool()) return wrong_type();
      out.add_bool(value.tag == Tag::True);
      return {};
    case ColumnType::Bigint:
      if (value.tag == Tag::Int) {
        out.add_int8(value.number);
        return {};
      }
      // Salesforce's Number(18,0) is a double on the wire.
      if (value.tag != Tag::Double || value.real != std::trunc(value.real) ||
          std::fabs(value.real) >= 9.2e18) {
        return wrong_type();
      }
      out.add_int8(static_cast<std::int64_t>(value.real));
      return {};
    case ColumnType::Numeric:
      if (value.tag != Tag::Int && (value.tag != Tag::Double || !std::isfinite(value.real)))
        return wrong_type();
      append_json_value(out.begin_element(), value);
      out.end_element();
      return {};
    case ColumnType::Date:
      if (value.tag != Tag::Date) return wrong_type();
      if (value.number < kDateMin + kEpochDays || value.number - kEpochDays >= kDateEnd)
        return out_of_range();
      out.add_int4(static_cast<std::int32_t>(value.number - kEpochDays));
      return {};
    case ColumnType::Timestamp:
      if (value.tag != Tag::DateTime) return wrong_type();
      return add_timestamp(out, value.number);
    case ColumnType::Time:
      if (value.tag != Tag::Time) return wrong_type();
      if (value.number < 0 || value.number >= kMsPerDay) return out_of_range();
      out.add_int8(value.number * 1000);
      return {};
    case ColumnType::Jsonb:
      add_json(out, [&](std::string& json) { append_json_value(json, value); });
      return {};
  }
  return wrong_type();
}

}  // namespace headwater::postgres
