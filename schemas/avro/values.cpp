#include "schemas/avro/values.hpp"

#include <fmt/format.h>

#include <cmath>

#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"

namespace headwater::avro {
namespace {

constexpr double kExactIntegers =
    9'007'199'254'740'992.0;  // 2^53: doubles below it hold whole numbers exactly
constexpr std::size_t kTextKeptBytesMax = 64u << 10;

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

Error ValueReader::refuse(const Leaf& leaf, std::string_view what) const {
  return rejected(fmt::format("avro: decode {}: field {} {}", plan_->name(), leaf.path, what),
                  "undecodable");
}

bool ValueReader::spend(std::size_t bytes) {
  if (bytes > budget_) return false;
  budget_ -= bytes;
  return true;
}

Result<ValueView> ValueReader::read(const Leaf& leaf, const Slot& slot, Scratch& scratch) {
  switch (slot.kind) {
    case Slot::Kind::Null:
      return ValueView::null();
    case Slot::Kind::False:
      return ValueView::boolean(false);
    case Slot::Kind::True:
      return ValueView::boolean(true);
    case Slot::Kind::Int:
      return read_number(leaf, slot.number);
    case Slot::Kind::Double:
      return read_real(leaf, slot.real);
    case Slot::Kind::Text:
      return read_text(leaf, slot.text(), scratch);
    case Slot::Kind::Datum:
      return read_datum(leaf, slot.text(), slot.node, scratch);
  }
  return ValueView::null();
}

Result<ValueView> ValueReader::read_number(const Leaf& leaf, std::int64_t number) const {
  switch (leaf.type) {
    case DocType::DateOnly:
      return ValueView::of_number(floor_days(number), Tag::Date);
    case DocType::DateTime:
      return ValueView::of_number(number, Tag::DateTime);
    case DocType::TimeOnly:
      if (number < 0 || number >= kMsPerDay) return refuse(leaf, "is a time of day beyond the day");
      return ValueView::of_number(number, Tag::Time);
    case DocType::Number:
      return ValueView::decimal(static_cast<double>(number));
    default:
      return ValueView::integer(number);
  }
}

Result<ValueView> ValueReader::read_real(const Leaf& leaf, double real) const {
  const bool whole = std::trunc(real) == real && std::abs(real) < kExactIntegers;
  switch (leaf.type) {
    case DocType::Integer:
    case DocType::DateOnly:
    case DocType::DateTime:
    case DocType::TimeOnly:
      if (whole) return read_number(leaf, static_cast<std::int64_t>(real));
      break;
    default:
      break;
  }
  return ValueView::decimal(real);
}

Result<ValueView> ValueReader::read_text(const Leaf& leaf,
                                         std::string_view text,
                                         Scratch& scratch) {
  if (leaf.type == DocType::MultiEnum) return ValueView::of_text(text, Tag::Multi);
  if (leaf.type != DocType::EntityId || !looks_like_id(text)) return ValueView::of_text(text);
  if (text.size() == RecordId::kSize) return ValueView::of_text(text, Tag::Ref);
  // 15 characters: ids are widened wherever they enter.
  if (!spend(RecordId::kSize)) return refuse(leaf, "takes more memory than an event may use");
  const auto out = scratch.array<char>(RecordId::kSize);
  std::memcpy(out.data(), text.data(), text.size());
  id_suffix(text, out.data() + text.size());
  return ValueView::of_text({out.data(), out.size()}, Tag::Ref);
}

Result<ValueView> ValueReader::read_datum(const Leaf& leaf,
                                          std::string_view datum,
                                          NodeId id,
                                          Scratch& scratch) {
  const Schema& schema = plan_->schema();
  const Node& node = schema.at(id);
  Input in(datum);
  switch (node.type) {
    case Type::Null:
      return ValueView::null();
    case Type::Boolean:
      return ValueView::boolean(in.read_boolean());
    case Type::Int:
    case Type::Long:
      return read_number(leaf, in.read_long());
    case Type::Float:
      return read_real(leaf, in.read_float());
    case Type::Double:
      return read_real(leaf, in.read_double());
    case Type::String:
      return read_text(leaf, in.read_text(), scratch);
    case Type::Enum: {
      const auto index = in.read_index(node.symbols.size(), Fault::Symbol);
      return read_text(leaf, node.symbols[index], scratch);
    }
    case Type::Union: {
      const NodeId part = node.parts[in.read_index(node.parts.size(), Fault::Branch)];
      return read_datum(leaf, {in.at(), in.left()}, part, scratch);
    }
    case Type::Array:
      if (holds_strings(schema, node)) return read_strings(leaf, datum, node.parts[0], scratch);
      break;
    default:
      break;
  }
  const bool fits = json_.render(datum, id, text_, budget_);
  const auto json = fits ? scratch.copy(text_) : std::string_view{};
  if (fits) spend(json.size());
  if (text_.capacity() > kTextKeptBytesMax) std::string().swap(text_);
  if (!fits) return refuse(leaf, "takes more memory than an event may use");
  return ValueView::of_text(json, Tag::Json);
}

Result<ValueView> ValueReader::read_strings(const Leaf& leaf,
                                            std::string_view datum,
                                            NodeId items,
                                            Scratch& scratch) {
  // Joined, an array is no longer than it was encoded: every item had at least its length in front.
  if (!spend(datum.size())) return refuse(leaf, "takes more memory than an event may use");
  const auto out = scratch.array<char>(datum.size());
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
      if (size > 0) out[size++] = ';';
      std::memcpy(out.data() + size, text.data(), text.size());
      size += text.size();
    }
  }
  return ValueView::of_text({out.data(), size}, Tag::Multi);
}

}  // namespace headwater::avro
