#pragma once

#include <string>
#include <string_view>

#include "schemas/core/result.hpp"
#include "tests/org/schema.hpp"

namespace boost::json {
class value;
}

namespace headwater::org {

// A value's text in REST's JSON (salesforce.md 11.1), and back.

/// Appends the value as REST prints it: `2024-04-26T18:38:23.000+0000`, `2024-06-30`,
/// `14:30:00.000Z`.
void append_rest_value(std::string& out, FieldType type, const Value& value);
/// Takes a JSON value in REST's form. Rejected: it does not fit the type.
Result<Value> parse_rest_value(FieldType type, const boost::json::value& json);
/// Takes a SOQL literal's text: a quoted string without its quotes, a number, a datetime, true,
/// false, null.
Result<Value> parse_literal(FieldType type, std::string_view text);

}  // namespace headwater::org
