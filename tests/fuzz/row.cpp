// A row of the org, by REST or as a line of a Bulk result: typed values that render, or Rejected.

#include "connectors/salesforce/row.hpp"

#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

const salesforce::ObjectDescription& object() {
  static const salesforce::ObjectDescription out = [] {
    salesforce::ObjectDescription made;
    made.name = "Account";
    for (const char* type : {"id",
                             "string",
                             "boolean",
                             "int",
                             "double",
                             "currency",
                             "date",
                             "datetime",
                             "time",
                             "reference",
                             "multipicklist",
                             "address",
                             "anyType"}) {
      salesforce::FieldInfo field;
      field.name = field.path = std::string(type) == "id" ? "Id" : std::string(type) + "__c";
      field.type = type;
      made.fields.push_back(field);
    }
    for (const char* name : {"SystemModstamp", "IsPersonAccount", "Name"}) {
      salesforce::FieldInfo field;
      field.name = field.path = name;
      field.type = "string";
      made.fields.push_back(field);
    }
    return made;
  }();
  return out;
}

void check(const Result<void>& done, const salesforce::RecordRow& row) {
  if (!done) {
    HEADWATER_ASSERT(done.error().kind == ErrorKind::Rejected);
    return;
  }
  std::string json;
  for (const auto& field : row.fields) {
    json.clear();
    append_json_value(json, field.value);
    fuzz::parsed(json);
  }
}

}  // namespace

FUZZ_TARGET(row) {
  static const salesforce::RowDecoder decoder(object());
  static const std::vector<std::string> columns = [] {
    std::vector<std::string> out;
    for (const auto& field : object().fields) out.push_back(field.name);
    return out;
  }();
  const fuzz::Exact text(input);
  salesforce::RecordRow row;
  check(decoder.decode(text.view(), row), row);

  salesforce::CsvParser parser(columns, 1 << 16);
  if (!parser.feed(text.view()).ok()) return;
  const auto page = parser.finish();
  if (!page) return;
  for (std::size_t i = 0; i < page->rows(); ++i) check(decoder.decode(*page, i, columns, row), row);
}
