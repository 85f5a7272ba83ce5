#include "schemas/crm/convert.hpp"

#include <algorithm>
#include <cmath>

#include "schemas/core/ids.hpp"
#include "schemas/crm/text.hpp"

namespace headwater::crm {
namespace {

constexpr std::int64_t kExactInDouble = std::int64_t{1} << 53;

Fit accept(const ValueView& in, ValueView& out) {
  out = in;
  return Fit::Same;
}

Fit as_trimmed(const ValueView& in, ValueView& out) {
  if (in.tag != Tag::Text) return Fit::Error;
  const std::string_view text = trimmed(in.text);
  out = text.empty() ? ValueView::null() : ValueView::of_text(text);
  return text.size() == in.text.size() && !text.empty() ? Fit::Same : Fit::Changed;
}

Fit as_decimal(const ValueView& in, ValueView& out) {
  if (in.tag == Tag::Double) return std::isfinite(in.real) ? accept(in, out) : Fit::Error;
  if (in.tag != Tag::Int) return Fit::Error;
  const bool exact = in.number >= -kExactInDouble && in.number <= kExactInDouble;
  out = exact ? ValueView::decimal(static_cast<double>(in.number)) : in;
  return Fit::Same;
}

Fit as_int(const ValueView& in, ValueView& out) {
  if (in.tag == Tag::Int) return accept(in, out);
  if (in.tag != Tag::Double || in.real != std::trunc(in.real) ||
      std::fabs(in.real) > static_cast<double>(kExactInDouble)) {
    return Fit::Error;
  }
  out = ValueView::integer(static_cast<std::int64_t>(in.real));
  return Fit::Same;
}

Fit as_enum(const FieldMapping& field, const ValueView& in, ValueView& out) {
  const bool listed =
      in.tag == Tag::Text &&
      std::find(field.values.begin(), field.values.end(), in.text) != field.values.end();
  return listed ? accept(in, out) : Fit::Error;
}

Fit accept_if(bool fits, const ValueView& in, ValueView& out) {
  return fits ? accept(in, out) : Fit::Error;
}

}  // namespace

Fit convert_to_ref(const ValueView& in, std::pmr::memory_resource& arena, ValueView& out) {
  if ((in.tag != Tag::Text && in.tag != Tag::Ref) || !looks_like_id(in.text)) return Fit::Error;
  if (in.text.size() == RecordId::kSize) {
    out = ValueView::of_text(in.text, Tag::Ref);
    return Fit::Same;
  }
  auto* wide = static_cast<char*>(arena.allocate(RecordId::kSize, 1));
  in.text.copy(wide, in.text.size());
  id_suffix(in.text, wide + in.text.size());
  out = ValueView::of_text({wide, RecordId::kSize}, Tag::Ref);
  return Fit::Same;  // 15 characters are the first of the 18: nothing is lost
}

bool fits_as_is(FieldType type, Tag tag) {
  switch (type) {
    case FieldType::Text:
      return tag == Tag::Text;
    case FieldType::Bool:
      return tag == Tag::True || tag == Tag::False;
    case FieldType::Int:
      return tag == Tag::Int;
    case FieldType::Date:
      return tag == Tag::Date;
    case FieldType::Timestamp:
      return tag == Tag::DateTime;
    case FieldType::Time:
      return tag == Tag::Time;
    case FieldType::TextArray:
      return tag == Tag::Multi;
    default:
      return false;
  }
}

Fit convert(const FieldMapping& field,
            const ValueView& in,
            std::pmr::memory_resource& arena,
            ValueView& out) {
  out = ValueView::null();
  switch (field.type) {
    case FieldType::Text:
      if (in.tag != Tag::Text && in.tag != Tag::Ref) return Fit::Error;
      out = ValueView::of_text(in.text);
      return Fit::Same;
    case FieldType::Bool:
      return accept_if(in.is_bool(), in, out);
    case FieldType::Int:
      return as_int(in, out);
    case FieldType::Decimal:
      return as_decimal(in, out);
    case FieldType::Date:
      return accept_if(in.tag == Tag::Date, in, out);
    case FieldType::Timestamp:
      return accept_if(in.tag == Tag::DateTime, in, out);
    case FieldType::Time:
      return accept_if(in.tag == Tag::Time, in, out);
    case FieldType::Ref:
      return convert_to_ref(in, arena, out);
    case FieldType::TextArray:
      if (in.tag != Tag::Text && in.tag != Tag::Multi) return Fit::Error;
      out = ValueView::of_text(in.text, Tag::Multi);
      return Fit::Same;
    case FieldType::Email:
    case FieldType::Phone:
    case FieldType::Url:
      return as_trimmed(in, out);
    case FieldType::Address:
    case FieldType::Geo:
      return accept_if(in.tag == Tag::Json, in, out);
    case FieldType::Json:
      return accept_if(in.tag != Tag::Double || std::isfinite(in.real), in, out);
    case FieldType::Enum:
      return as_enum(field, in, out);
  }
  return Fit::Error;
}

Fit convert(const FieldMapping& field,
            const Datum& in,
            std::pmr::memory_resource& arena,
            ValueView& out) {
  if (!in.exact) return convert(field, in.value, arena, out);
  const auto whole = in.number.to_integer();
  const bool integer = whole && field.type != FieldType::Decimal;
  return convert(field,
                 integer ? ValueView::integer(*whole) : ValueView::decimal(in.number.to_double()),
                 arena,
                 out);
}

bool tells(const ValueView& field, const ValueView& source) {
  if (field.holds_text() && source.holds_text()) return field.text == source.text;
  if (field.tag == Tag::Double && source.tag == Tag::Int) {
    return field.real == static_cast<double>(source.number);
  }
  if (field.tag == Tag::Int && source.tag == Tag::Double) {
    return static_cast<double>(field.number) == source.real;
  }
  return field == source;
}

}  // namespace headwater::crm
