#include <fmt/format.h>

#include "schemas/avro/datum.hpp"
#include "schemas/avro/plan_compiler.hpp"
#include "schemas/avro/wire.hpp"

namespace headwater::avro {
namespace {

constexpr std::string_view Header::*kTexts[] = {
    &Header::entity_name, &Header::change_origin, &Header::transaction_key, &Header::commit_user};
constexpr std::int64_t Header::*kNumbers[] = {
    &Header::sequence_number, &Header::commit_timestamp, &Header::commit_number};
constexpr std::string_view Header::*kStrings[] = {
    &Header::record_ids, &Header::nulled_fields, &Header::diff_fields, &Header::changed_fields};

void set_text(Slot& slot, std::string_view text) {
  slot.data = text.data();
  slot.size = static_cast<std::uint32_t>(text.size());
  slot.kind = Slot::Kind::Text;
}
void set_number(Slot& slot, std::int64_t number) {
  slot.number = number;
  slot.kind = Slot::Kind::Int;
}
void set_real(Slot& slot, double real) {
  slot.real = real;
  slot.kind = Slot::Kind::Double;
}
void set_boolean(Slot& slot, bool value) {
  slot.kind = value ? Slot::Kind::True : Slot::Kind::False;
}

constexpr std::string_view kNoStrings{"\0", 1};  // an encoded array without items

/// An encoded array of strings as it stands, checked.
std::string_view read_strings(Input& in) {
  const char* begin = in.at();
  while (in.ok()) {
    const auto block = in.open_block(1);
    for (std::uint64_t i = 0; i < block.count && in.ok(); ++i) in.read_text();
    in.close_block(block);
    if (block.count == 0) break;
  }
  if (!in.ok()) return kNoStrings;
  return {begin, static_cast<std::size_t>(in.at() - begin)};
}

}  // namespace

Result<Plan> Plan::compile(Schema schema, PlanKind kind) {
  return PlanCompiler().run(std::move(schema), kind);
}

Result<Plan> Plan::parse(std::string_view schema_json, PlanKind kind) {
  auto schema = Schema::parse(schema_json);
  if (!schema) return std::move(schema).error();
  return compile(*std::move(schema), kind);
}

Result<void> Plan::decode(std::string_view payload, Decoded& out) const {
  out.slots.resize(leaves_.size());
  out.header = {};
  for (const auto member : kStrings) out.header.*member = kNoStrings;
  if (payload.size() > kPayloadBytesMax) {
    return rejected(fmt::format("avro: decode {}: {} bytes, at most {} are taken",
                                name(),
                                payload.size(),
                                kPayloadBytesMax));
  }
  Input in(payload);
  const std::size_t op = run(in, out);
  if (in.ok() && in.left() > 0) in.fail(Fault::Trailing);
  if (!in.ok()) return describe(in, op, out);
  return {};
}

Error Plan::describe(const Input& in, std::size_t op, const Decoded& out) const {
  const auto& fields = schema_.at(schema_.root).fields;
  std::string where =
      op < ops_.size() ? fmt::format(" in {}", fields[ops_[op].top].name) : std::string();
  if (in.fault() == Fault::ChangeType && out.header.change_symbol.size() <= 64) {
    where = fmt::format(" (\"{}\")", out.header.change_symbol);
  }
  return rejected(fmt::format("avro: decode {}: the datum {}, at byte {}{}",
                              name(),
                              to_string(in.fault()),
                              in.fault_offset(),
                              where),
                  "undecodable");
}

/// Runs all operations, or stops after the one that met a fault. Returns its number, else their
/// count.
std::size_t Plan::run(Input& in, Decoded& out) const {
  Slot* const slots = out.slots.data();
  const Op* const ops = ops_.data();
  const std::size_t count = ops_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Op& op = ops[i];
    switch (op.code) {
      case Code::OptionalText:
        if (run_optional(op, in, slots[op.leaf])) set_text(slots[op.leaf], in.read_text());
        break;
      case Code::OptionalLong:
        if (run_optional(op, in, slots[op.leaf])) set_number(slots[op.leaf], in.read_long());
        break;
      case Code::OptionalInt:
        if (run_optional(op, in, slots[op.leaf])) set_number(slots[op.leaf], in.read_int());
        break;
      case Code::OptionalDouble:
        if (run_optional(op, in, slots[op.leaf])) set_real(slots[op.leaf], in.read_double());
        break;
      case Code::OptionalBoolean:
        if (run_optional(op, in, slots[op.leaf])) set_boolean(slots[op.leaf], in.read_boolean());
        break;
      case Code::Text:
        set_text(slots[op.leaf], in.read_text());
        break;
      case Code::Long:
        set_number(slots[op.leaf], in.read_long());
        break;
      case Code::Int:
        set_number(slots[op.leaf], in.read_int());
        break;
      case Code::Double:
        set_real(slots[op.leaf], in.read_double());
        break;
      case Code::Boolean:
        set_boolean(slots[op.leaf], in.read_boolean());
        break;
      case Code::Datum: {
        const char* begin = in.at();
        skip_datum(schema_, op.node, in);
        set_text(slots[op.leaf], {begin, static_cast<std::size_t>(in.at() - begin)});
        slots[op.leaf].node = op.node;
        slots[op.leaf].kind = Slot::Kind::Datum;
        break;
      }
      case Code::Skip:
        skip_datum(schema_, op.node, in);
        break;
      case Code::Union: {
        for (std::uint32_t k = 0; k < op.leaf_count; ++k)
          slots[op.leaf + k].kind = Slot::Kind::Null;
        i = branches_[op.target + in.read_index(op.node, Fault::Branch)] - 1;
        break;
      }
      case Code::Jump:
        i = op.target - 1;
        break;
      default:
        run_header(op, in, out.header);
        break;
    }
    if (!in.ok()) [[unlikely]]
      return static_cast<std::size_t>(&op - ops);
  }
  return count;
}

/// True if the union's value is there, else the slot is null.
inline bool Plan::run_optional(const Op& op, Input& in, Slot& slot) const {
  const auto branch = in.read_index(2, Fault::Branch);
  if (branch != op.null_branch) return true;
  slot.kind = Slot::Kind::Null;
  return false;
}

void Plan::run_header(const Op& op, Input& in, Header& header) const {
  switch (op.code) {
    case Code::HeaderText:
      header.*kTexts[op.leaf] = in.read_text();
      break;
    case Code::HeaderInt:
      header.*kNumbers[op.leaf] = in.read_int();
      break;
    case Code::HeaderLong:
      header.*kNumbers[op.leaf] = in.read_long();
      break;
    case Code::HeaderStrings:
      header.*kStrings[op.leaf] = read_strings(in);
      break;
    case Code::HeaderSymbol: {
      const auto index = in.read_index(change_types_.size(), Fault::Symbol);
      if (!in.ok()) return;
      header.change_symbol = schema_.at(op.node).symbols[index];
      if (change_types_[index] < 0) return in.fail(Fault::ChangeType);
      header.change_type = static_cast<ChangeType>(change_types_[index]);
      break;
    }
    case Code::HeaderSymbolText:
      header.change_symbol = in.read_text();
      if (in.ok() && !parse_change_type(header.change_symbol, header.change_type)) {
        in.fail(Fault::ChangeType);
      }
      break;
    default:
      HEADWATER_ASSERT(false);
  }
}

}  // namespace headwater::avro
