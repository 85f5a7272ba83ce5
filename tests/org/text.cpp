#include "tests/org/text.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "schemas/core/json_text.hpp"
#include "schemas/core/time.hpp"

namespace headwater::org {
namespace {

enum class Form { Text, Boolean, Integer, Real, DateTime, Date, Time };

Form form_of(FieldType type) {
  switch (type) {
    case FieldType::Boolean:
      return Form::Boolean;
    case FieldType::Integer:
      return Form::Integer;
    case FieldType::Double:
    case FieldType::Currency:
    case FieldType::Percent:
      return Form::Real;
    case FieldType::DateTime:
    case FieldType::CreatedDate:
      return Form::DateTime;
    case FieldType::Date:
      return Form::Date;
    case FieldType::Time:
      return Form::Time;
    default:
      return Form::Text;
  }
}

Error misfit(FieldType type, std::string_view text) {
  return rejected(fmt::format("'{}' is not a {}", text, describe_type(type)), "JSON_PARSER_ERROR");
}

std::optional<Value> parse_moment(Form form, std::string_view text) {
  if (form == Form::DateTime) {
    if (const auto ms = parse_datetime(text)) return Value(std::int64_t{*ms});
  } else if (form == Form::Date) {
    if (const auto days = parse_date(text)) return Value(std::int64_t{*days * kMsPerDay});
  } else if (const auto ms = parse_time_of_day(text)) {
    return Value(std::int64_t{*ms});
  }
  return std::nullopt;
}

}  // namespace

void append_rest_value(std::string& out, FieldType type, const Value& value) {
  if (is_null(value)) {
    out += "null";
    return;
  }
  switch (form_of(type)) {
    case Form::Boolean:
      out += std::get<bool>(value) ? "true" : "false";
      return;
    case Form::Integer:
      append_json_number(out, std::get<std::int64_t>(value));
      return;
    case Form::Real:
      append_json_number(out, std::get<double>(value));
      return;
    case Form::Text:
      append_json_string(out, std::get<std::string>(value));
      return;
    default:
      break;
  }
  const auto number = std::get<std::int64_t>(value);
  out += '"';
  if (form_of(type) == Form::DateTime) {
    append_datetime(out, number);
    out.pop_back();  // REST says +0000 where we say Z
    out += "+0000";
  } else if (form_of(type) == Form::Date) {
    append_date(out, number / kMsPerDay);
  } else {
    append_time(out, number);
  }
  out += '"';
}

Result<Value> parse_rest_value(FieldType type, const boost::json::value& json) {
  if (json.is_null()) return Value{};
  const auto form = form_of(type);
  boost::system::error_code fault;
  if (form == Form::Boolean && json.is_bool()) return Value(json.get_bool());
  if (form == Form::Integer) {
    const auto number = json.to_number<std::int64_t>(fault);
    if (!fault) return Value(number);
  }
  if (form == Form::Real) {
    const auto number = json.to_number<double>(fault);
    if (!fault) return Value(number);
  }
  if (json.is_string()) {
    const std::string text(json.get_string());
    if (form == Form::Text) return text.empty() ? Value{} : Value(text);
    if (form == Form::DateTime || form == Form::Date || form == Form::Time) {
      if (auto value = parse_moment(form, text)) return *value;
    }
  }
  return misfit(type, boost::json::serialize(json));
}

Result<Value> parse_literal(FieldType type, std::string_view text) {
  if (text == "null") return Value{};
  switch (form_of(type)) {
    case Form::Text:
      return Value(std::string(text));
    case Form::Boolean:
      if (text == "true" || text == "false") return Value(text == "true");
      break;
    case Form::Integer: {
      std::int64_t number = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) {
        return Value(number);
      }
      break;
    }
    case Form::Real: {
      double number = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) {
        return Value(number);
      }
      break;
    }
    default:
      if (auto value = parse_moment(form_of(type), text)) return *value;
  }
  return misfit(type, text);
}

}  // namespace headwater::org
