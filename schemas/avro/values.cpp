#include "schemas/avro/values.hpp"

#include <fmt/format.h>

#include <cmath>

#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"

namespace headwater::avro {
namespace {

constexpr double kExactIntegers =
    9'007'199'254'740'992.0;  // 2^53: doubles below it hold whole numbers exactly
constexpr std::string_view kTooLarge = "takes more memory than an event may use";
constexpr std::size_t kTextKeptBytesMax = 64u << 10;

/// The years 0 to 9999, in milliseconds: what a date of four digits can say. Salesforce itself
/// takes 1700 to 4000.
constexpr EpochMs kDatesFrom = -719'528 * kMsPerDay, kDatesTo = 2'932'897 * kMsPerDay;
constexpr std::string_view kNoDate = "is a time outside the years 0 to 9999";

bool is_date(EpochMs ms) { return ms >= kDatesFrom && ms < kDatesTo; }

EpochDays floor_days(std::int64_t ms) {
  return ms >= 0 ? ms / kMsPerDay : -((-(ms + 1)) / kMsPerDay) - 1;
}

/// True for an array whose items are strings, or null and strings.
bool holds_strings(const Schema& schema, const Node& array) {
  const Node& items = schema.at(array.parts[0]);
  if (items.type == Type::String) return true;
  if (items.type != Type::Union) return false;
  for (const NodeId part : items.parts) {
    const Type type = schema.at(part).type;
    if (type != Type::Null && type != Type::String) return false;
  }
  return true;
}

}  // namespace

ValueReader::ValueReader(const Plan& plan) : plan_(&plan), json_(plan.schema()) {
  for (const auto& leaf : plan.leaves()) types_.push_back(leaf.type);
}

bool ValueReader::refuse(std::uint32_t leaf, std::string_view what) {
  error_ = rejected(
      fmt::format("avro: decode {}: field {} {}", plan_->name(), plan_->leaves()[leaf].path, what),
      "undecodable");
  return false;
}

bool ValueReader::spend(std::size_t bytes) {
  if (bytes > budget_) return false;
  budget_ -= bytes;
  return true;
}

bool ValueReader::read_number(std::uint32_t leaf, std::int64_t number, ValueView& out) {
  switch (types_[leaf]) {
    case DocType::DateOnly:
      if (!is_date(number)) return refuse(leaf, kNoDate);
      out = ValueView::of_number(floor_days(number), Tag::Date);
      return true;
    case DocType::DateTime:
      if (!is_date(number)) return refuse(leaf, kNoDate);
      out = ValueView::of_number(number, Tag::DateTime);
      return true;
    case DocType::TimeOnly:
      if (number < 0 || number >= kMsPerDay) return refuse(leaf, "is a time of day beyond the day");
      out = ValueView::of_number(number, Tag::Time);
      return true;
    case DocType::Number:
      out = ValueView::decimal(static_cast<double>(number));
      return true;
    default:
      out = ValueView::integer(number);
      return true;
  }
}

bool ValueReader::read_real(std::uint32_t leaf, double real, ValueView& out) {
  switch (types_[leaf]) {
    case DocType::Integer:
    case DocType::DateOnly:
    case DocType::DateTime:
    case DocType::TimeOnly:
      if (std::trunc(real) == real && std::abs(real) < kExactIntegers) {
        return read_number(leaf, static_cast<std::int64_t>(real), out);
      }
      break;
    default:
      break;
  }
  out = ValueView::decimal(real);
  return true;
}

bool ValueReader::read_text(std::uint32_t leaf,
                            std::string_view text,
                            Scratch& scratch,
                            ValueView& out) {
  const DocType type = types_[leaf];
  if (type != DocType::EntityId || !looks_like_id(text)) {
    out = ValueView::of_text(text, type == DocType::MultiEnum ? Tag::Multi : Tag::Text);
    return true;
  }
  out = ValueView::of_text(text, Tag::Ref);
  if (text.size() == RecordId::kSize) return true;
  // 15 characters: ids are widened wherever they enter.
  if (!spend(RecordId::kSize)) return refuse(leaf, kTooLarge);
  const auto wide = scratch.array<char>(RecordId::kSize);
  std::memcpy(wide.data(), text.data(), text.size());
  id_suffix(text, wide.data() + text.size());
  out.text = {wide.data(), wide.size()};
  return true;
}

bool ValueReader::read_datum(
    std::uint32_t leaf, std::string_view datum, NodeId id, Scratch& scratch, ValueView& out) {
  const Schema& schema = plan_->schema();
  const Node& node = schema.at(id);
  Input in(datum);
  switch (node.type) {
    case Type::Null:
      out = ValueView::null();
      return true;
    case Type::Boolean:
      out = ValueView::boolean(in.read_boolean());
      return true;
    case Type::Int:
    case Type::Long:
      return read_number(leaf, in.read_long(), out);
    case Type::Float:
      return read_real(leaf, in.read_float(), out);
    case Type::Double:
      return read_real(leaf, in.read_double(), out);
    case Type::String:
      return read_text(leaf, in.read_text(), scratch, out);
    case Type::Enum: {
      const auto index = in.read_index(node.symbols.size(), Fault::Symbol);
      return read_text(leaf, node.symbols[index], scratch, out);
    }
    case Type::Union: {
      const NodeId part = node.parts[in.read_index(node.parts.size(), Fault::Branch)];
      return read_datum(leaf, {in.at(), in.left()}, part, scratch, out);
    }
    case Type::Array:
      if (holds_strings(schema, node))
        return read_strings(leaf, datum, node.parts[0], scratch, out);
      break;
    default:
      break;
  }
  const bool fits = json_.render(datum, id, text_, budget_) && spend(text_.size());
  if (fits) out = ValueView::of_text(scratch.copy(text_), Tag::Json);
  if (text_.capacity() > kTextKeptBytesMax) std::string().swap(text_);
  return fits || refuse(leaf, kTooLarge);
}

bool ValueReader::read_strings(
    std::uint32_t leaf, std::string_view datum, NodeId items, Scratch& scratch, ValueView& out) {
  // Joined, an array is no longer than it was encoded: every item had at least its length in front.
  if (!spend(datum.size())) return refuse(leaf, kTooLarge);
  const auto joined = scratch.array<char>(datum.size());
  const Node& item = plan_->schema().at(items);
  Input in(datum);
  std::size_t size = 0;
  for (auto block = in.open_block(1); block.count > 0; block = in.open_block(1)) {
    for (std::uint64_t i = 0; i < block.count; ++i) {
      if (item.type == Type::Union) {
        const auto branch = in.read_index(item.parts.size(), Fault::Branch);
        if (plan_->schema().at(item.parts[branch]).type == Type::Null) continue;
      }
      const auto text = in.read_text();
      if (size > 0) joined[size++] = ';';
      std::memcpy(joined.data() + size, text.data(), text.size());
      size += text.size();
    }
  }
  out = ValueView::of_text({joined.data(), size}, Tag::Multi);
  return true;
}

}  // namespace headwater::avro
