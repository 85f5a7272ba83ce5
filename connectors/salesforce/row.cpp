#include "connectors/salesforce/row.hpp"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "connectors/salesforce/describe.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

std::string_view kept(std::string_view text, std::pmr::memory_resource& memory) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(memory.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

/// One value of a record, before its type is known.
struct Scalar {
  enum class Kind { Null, Bool, Number, Text } kind = Kind::Null;
  bool flag = false;
  std::string_view text;  // a number's digits, or the text
};

std::optional<ValueView> number_value(const Scalar& scalar) {
  if (scalar.kind != Scalar::Kind::Number) return std::nullopt;
  double value = 0;
  const auto end = scalar.text.data() + scalar.text.size();
  const auto [stop, error] = std::from_chars(scalar.text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return ValueView::decimal(value);
}

std::optional<ValueView> integer_value(const Scalar& scalar) {
  if (scalar.kind != Scalar::Kind::Number) return std::nullopt;
  std::int64_t value = 0;
  const auto end = scalar.text.data() + scalar.text.size();
  if (const auto [stop, error] = std::from_chars(scalar.text.data(), end, value);
      error == std::errc{} && stop == end)
    return ValueView::integer(value);
  // `12.0` is how some versions print an integer.
  const auto decimal = number_value(scalar);
  if (!decimal || decimal->real != std::trunc(decimal->real) || std::abs(decimal->real) > 9e15)
    return std::nullopt;
  return ValueView::integer(static_cast<std::int64_t>(decimal->real));
}

template <typename T>
std::optional<ValueView> time_value(const Scalar& scalar,
                                    std::optional<T> (*parse)(std::string_view),
                                    Tag tag) {
  if (scalar.kind != Scalar::Kind::Text) return std::nullopt;
  const auto number = parse(scalar.text);
  if (!number) return std::nullopt;
  return ValueView::of_number(*number, tag);
}

ValueView reference_value(std::string_view text, std::pmr::memory_resource& memory) {
  const auto id = RecordId::parse(text);
  if (!id) return ValueView::of_text(kept(text, memory));
  return ValueView::of_text(kept(id->view(), memory), Tag::Ref);
}

/// A scalar of a type that describe and the schema do not agree on by table: typed by what it is.
ValueView plain_value(const Scalar& scalar, std::pmr::memory_resource& memory) {
  switch (scalar.kind) {
    case Scalar::Kind::Bool:
      return ValueView::boolean(scalar.flag);
    case Scalar::Kind::Number:
      return number_value(scalar).value_or(ValueView::null());
    case Scalar::Kind::Text:
      return ValueView::of_text(kept(scalar.text, memory));
    case Scalar::Kind::Null:
      break;
  }
  return ValueView::null();
}

/// Nothing: the value does not fit the type.
std::optional<ValueView> typed(const Scalar& scalar,
                               std::string_view type,
                               std::pmr::memory_resource& memory) {
  const bool text = scalar.kind == Scalar::Kind::Text;
  if (scalar.kind == Scalar::Kind::Null || (text && scalar.text.empty())) return ValueView::null();
  if (type == "boolean") {
    if (scalar.kind != Scalar::Kind::Bool) return std::nullopt;
    return ValueView::boolean(scalar.flag);
  }
  if (type == "int" || type == "long") return integer_value(scalar);
  if (type == "double" || type == "currency" || type == "percent") return number_value(scalar);
  if (type == "date") return time_value(scalar, parse_date, Tag::Date);
  if (type == "datetime") return time_value(scalar, parse_datetime, Tag::DateTime);
  if (type == "time") return time_value(scalar, parse_time_of_day, Tag::Time);
  if (text && type == "reference") return reference_value(scalar.text, memory);
  if (text && type == "multipicklist")
    return ValueView::of_text(kept(scalar.text, memory), Tag::Multi);
  return plain_value(scalar, memory);
}

using ByName = std::unordered_map<std::string_view, const FieldInfo*>;

/// Takes the parser's calls for one flat record. What is nested (`attributes`, compounds) is passed
/// over.
struct RowHandler {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  const ByName* by_name = nullptr;
  RecordRow* row = nullptr;
  const FieldInfo* misfit = nullptr;  // whose value did not fit its type
  bool is_object = false, has_id = false, person = false;
  int depth = 0;
  std::string key, text;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    if (depth++ == 0) is_object = true;
    return true;
  }
  bool on_object_end(std::size_t, error_code&) { return leave(); }
  bool on_array_begin(error_code&) { return ++depth, true; }
  bool on_array_end(std::size_t, error_code&) { return leave(); }
  bool on_key_part(string_view part, std::size_t, error_code&) { return append(key, part); }
  bool on_key(string_view part, std::size_t, error_code&) { return append(key, part); }
  bool on_string_part(string_view part, std::size_t, error_code&) { return append(text, part); }
  bool on_string(string_view part, std::size_t, error_code& error) {
    append(text, part);
    return take({Scalar::Kind::Text, false, text}, error);
  }
  bool on_number_part(string_view part, error_code&) { return append(text, part); }
  bool on_int64(std::int64_t, string_view part, error_code& error) { return number(part, error); }
  bool on_uint64(std::uint64_t, string_view part, error_code& error) { return number(part, error); }
  bool on_double(double, string_view part, error_code& error) { return number(part, error); }
  bool on_bool(bool value, error_code& error) {
    return take({Scalar::Kind::Bool, value, {}}, error);
  }
  bool on_null(error_code& error) { return take({}, error); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  // Keys and values inside what is nested would otherwise run together.
  bool append(std::string& to, string_view part) {
    if (depth == 1) to.append(part.data(), part.size());
    return true;
  }
  bool leave() {
    if (--depth == 1) key.clear();
    return true;
  }
  bool number(string_view part, error_code& error) {
    append(text, part);
    return take({Scalar::Kind::Number, false, text}, error);
  }
  bool take(const Scalar& scalar, error_code& error) {
    if (depth != 1) return true;
    const bool fits = put(scalar) || misfit != nullptr;
    if (!fits) error = json::make_error_code(json::error::exception);
    key.clear();
    text.clear();
    return fits;
  }

 public:
  /// Takes the value of `key`. False: it does not fit the field's type, see misfit.
  bool put(const Scalar& scalar) {
    const auto found = by_name->find(key);
    if (key == "Id") {
      const auto id = RecordId::parse(scalar.text);
      if (id) row->id = *id;
      return has_id = id.ok();
    }
    if (found == by_name->end()) return true;
    const auto& field = *found->second;
    if (key == "SystemModstamp") {
      row->stamp = parse_datetime(scalar.text).value_or(0);
      return true;
    }
    if (key == "IsDeleted") row->deleted = scalar.flag;
    if (never_in_events(field)) return true;
    if (key == "IsPersonAccount") person = scalar.flag;
    const auto value = typed(scalar, field.type, *row->texts);
    if (!value) return misfit = misfit == nullptr ? &field : misfit, false;
    row->fields.push_back({field.path, *value, field.calculated});
    return true;
  }
};

/// A cell has no type of its own: describe's decides how it is read.
Scalar scalar_of_cell(std::string_view text, std::string_view type) {
  if (text.empty()) return {};
  if (type == "boolean" && (text == "true" || text == "false"))
    return {Scalar::Kind::Bool, text == "true", {}};
  const bool number = type == "int" || type == "long" || type == "double" || type == "currency" ||
                      type == "percent";
  return {number ? Scalar::Kind::Number : Scalar::Kind::Text, false, text};
}

void clear(RecordRow& row) {
  row.id = {};
  row.stamp = 0;
  row.deleted = false;
  row.fields.clear();
  row.texts->release();
}

/// A person's name comes in parts, as in events; a business has no parts.
void drop_whole_name(RecordRow& row) {
  std::erase_if(row.fields, [](const RowField& field) { return field.path == "Name"; });
}

}  // namespace

RowDecoder::RowDecoder(const ObjectDescription& object) : object_(object) {
  for (const auto& field : object.fields) by_name_.emplace(field.name, &field);
}

Error RowDecoder::misfit(const FieldInfo& field) const {
  return rejected(
      fmt::format("read a row of {}: field {} holds no {}, which the org describes it as; "
                  "it is described and read again",
                  object_.name,
                  field.name,
                  field.type));
}

Result<void> RowDecoder::decode(std::string_view text, RecordRow& out) const {
  clear(out);
  json::basic_parser<RowHandler> parser(json::parse_options{});
  auto& handler = parser.handler();
  handler.by_name = &by_name_;
  handler.row = &out;
  error_code error;
  const auto used = parser.write_some(false, text.data(), text.size(), error);
  if (error || used != text.size() || !handler.is_object || !handler.has_id)
    return rejected(fmt::format("read a row of {}: not a JSON object with an Id", object_.name));
  if (handler.misfit) return misfit(*handler.misfit);
  if (handler.person) drop_whole_name(out);
  return {};
}

Result<void> RowDecoder::decode(const CsvPage& page,
                                std::size_t row,
                                std::span<const std::string> columns,
                                RecordRow& out) const {
  clear(out);
  RowHandler handler;
  handler.by_name = &by_name_;
  handler.row = &out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    handler.key = columns[i];
    const auto field = by_name_.find(handler.key);
    const auto type = field == by_name_.end() ? std::string_view() : field->second->type;
    handler.put(scalar_of_cell(page.cell(row, i), type));
  }
  if (!handler.has_id) return rejected(fmt::format("read a row of {}: it has no Id", object_.name));
  if (handler.misfit) return misfit(*handler.misfit);
  if (handler.person) drop_whole_name(out);
  return {};
}

Result<std::vector<std::string_view>> array_elements(std::string_view text) {
  const auto fail = [] {
    return transient("read rows: the answer is not a JSON array; trying again");
  };
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  std::vector<std::string_view> elements;
  std::size_t at = 0, begin = 0;
  int depth = 0;
  const auto close = [&](bool last) {
    auto element = text.substr(begin, at - begin);
    while (!element.empty() && blank(element.front())) element.remove_prefix(1);
    while (!element.empty() && blank(element.back())) element.remove_suffix(1);
    if (element.empty()) return last && elements.empty();
    elements.push_back(element);
    return true;
  };
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    } else if (c == '[' || c == '{') {
      if (depth++ == 0) {
        if (c != '[') return fail();
        begin = at + 1;
      }
    } else if (c == ']' || c == '}') {
      if (--depth == 0) break;
    } else if (depth == 0 && !blank(c)) {
      return fail();
    } else if (c == ',' && depth == 1) {
      if (!close(false)) return fail();
      begin = at + 1;
    }
  }
  if (at >= text.size() || depth != 0 || text[at] != ']' || !close(true)) return fail();
  return elements;
}

}  // namespace headwater::salesforce
