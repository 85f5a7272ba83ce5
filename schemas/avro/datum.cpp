#include "schemas/avro/datum.hpp"

#include <algorithm>
#include <array>

#include "schemas/core/json_text.hpp"

namespace headwater::avro {

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::None:
      return "is sound";
    case Fault::Truncated:
      return "ends too early";
    case Fault::Varint:
      return "holds a number of more than 64 bits";
    case Fault::IntRange:
      return "holds an int beyond 32 bits";
    case Fault::Length:
      return "claims a length that it does not have";
    case Fault::Boolean:
      return "holds a boolean that is neither 0 nor 1";
    case Fault::NotFinite:
      return "holds a number that is not finite";
    case Fault::Branch:
      return "names a branch that its union does not have";
    case Fault::Symbol:
      return "names a symbol that its enum does not have";
    case Fault::BlockCount:
      return "claims more items than its bytes can hold";
    case Fault::BlockSize:
      return "claims a block size that does not fit its items";
    case Fault::ZeroWidth:
      return "holds items that take no bytes";
    case Fault::Trailing:
      return "goes on after its end";
    case Fault::ChangeType:
      return "has a change type that this version does not know";
  }
  return "is broken";
}

namespace {

constexpr std::size_t kPieceBytes = 1'024;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Steps over the items of all blocks. `each` steps over one.
template <typename Each>
void skip_blocks(std::size_t least, Input& in, Each each) {
  while (in.ok()) {
    const auto block = in.open_block(least);
    for (std::uint64_t i = 0; i < block.count && in.ok(); ++i) each();
    in.close_block(block);
    if (block.count == 0) return;
  }
}

void skip_union(const Schema& schema, const Node& node, Input& in) {
  const auto branch = in.read_index(node.parts.size(), Fault::Branch);
  if (!in.ok() || schema.at(node.parts[branch]).type == Type::Null) return;
  skip_datum(schema, node.parts[branch], in);
}

void skip_items(const Schema& schema, const Node& node, Input& in) {
  const NodeId part = node.parts[0];
  const Node& item = schema.at(part);
  if (node.type == Type::Map) {
    return skip_blocks(item.least + 1, in, [&] {
      in.read_text();
      skip_datum(schema, part, in);
    });
  }
  switch (item.type) {  // the short ones, of which a payload can hold the most
    case Type::String:
      return skip_blocks(1, in, [&] { in.read_text(); });
    case Type::Long:
      return skip_blocks(1, in, [&] { in.read_long(); });
    case Type::Boolean:
      return skip_blocks(1, in, [&] { in.read_boolean(); });
    case Type::Union:
      return skip_blocks(1, in, [&] { skip_union(schema, item, in); });
    default:
      return skip_blocks(item.least, in, [&] { skip_datum(schema, part, in); });
  }
}

}  // namespace

void skip_datum(const Schema& schema, NodeId id, Input& in) {
  const Node& node = schema.at(id);
  switch (node.type) {
    case Type::Null:
      return;
    case Type::Boolean:
      in.read_boolean();
      return;
    case Type::Int:
      in.read_int();
      return;
    case Type::Long:
      in.read_long();
      return;
    case Type::Float:
      in.read_float();
      return;
    case Type::Double:
      in.read_double();
      return;
    case Type::Bytes:
    case Type::String:
      in.read_text();
      return;
    case Type::Fixed:
      in.read_fixed(node.size);
      return;
    case Type::Enum:
      in.read_index(node.symbols.size(), Fault::Symbol);
      return;
    case Type::Record:
      // Only fields that take bytes: otherwise a schema of nulls would cost time without costing
      // input.
      for (const auto i : node.wide) {
        if (!in.ok()) return;
        skip_datum(schema, node.fields[i].node, in);
      }
      return;
    case Type::Array:
    case Type::Map:
      return skip_items(schema, node, in);
    case Type::Union:
      return skip_union(schema, node, in);
  }
}

bool JsonRenderer::render(std::string_view datum,
                          NodeId node,
                          std::string& out,
                          std::size_t bytes_max) {
  out.clear();
  out_ = &out;
  bytes_max_ = bytes_max;
  full_ = false;
  end_ = datum.data() + datum.size();
  starts_.clear();
  entries_.clear();
  Input in(datum);
  write(in, node);
  HEADWATER_ASSERT(in.ok());
  return !full();
}

void JsonRenderer::write(Input& in, NodeId id) {
  if (full()) return;
  const Node& node = schema_->at(id);
  std::string& out = *out_;
  switch (node.type) {
    case Type::Null:
      out += "null";
      return;
    case Type::Boolean:
      out += in.read_boolean() ? "true" : "false";
      return;
    case Type::Int:
    case Type::Long:
      return append_json_number(out, in.read_long());
    case Type::Float:
      return append_json_number(out, in.read_float());
    case Type::Double:
      return append_json_number(out, in.read_double());
    case Type::String:
      return append_json_string(out, in.read_text());
    case Type::Bytes:
      return write_bytes(in.read_text());
    case Type::Fixed:
      return write_bytes(in.read_fixed(node.size));
    case Type::Enum:
      return append_json_string(out,
                                node.symbols[in.read_index(node.symbols.size(), Fault::Symbol)]);
    case Type::Record:
      return write_record(in, node);
    case Type::Array:
      return write_array(in, node);
    case Type::Map:
      return write_map(in, node);
    case Type::Union:
      return write(in, node.parts[in.read_index(node.parts.size(), Fault::Branch)]);
  }
}

void JsonRenderer::write_record(Input& in, const Node& node) {
  // First find where each field begins, then write them in the order of their names.
  const std::size_t base = starts_.size();
  starts_.resize(base + node.fields.size());
  for (std::size_t i = 0; i < node.fields.size(); ++i) {
    starts_[base + i] = in.at();
    skip_datum(*schema_, node.fields[i].node, in);
  }
  out_->push_back('{');
  for (std::size_t i = 0; i < node.sorted.size() && !full(); ++i) {
    const Field& field = node.fields[node.sorted[i]];
    if (i > 0) out_->push_back(',');
    append_json_string(*out_, field.name);
    out_->push_back(':');
    const char* start = starts_[base + node.sorted[i]];
    Input value({start, static_cast<std::size_t>(end_ - start)});
    write(value, field.node);
  }
  out_->push_back('}');
  starts_.resize(base);
}

void JsonRenderer::write_array(Input& in, const Node& node) {
  out_->push_back('[');
  bool first = true;
  while (!full()) {
    const auto block = in.open_block(1);
    if (block.count == 0) break;
    for (std::uint64_t i = 0; i < block.count && !full(); ++i) {
      if (!first) out_->push_back(',');
      first = false;
      write(in, node.parts[0]);
    }
  }
  out_->push_back(']');
}

void JsonRenderer::write_map(Input& in, const Node& node) {
  const std::size_t base = entries_.size();
  for (;;) {
    const auto block = in.open_block(1);
    if (block.count == 0) break;
    for (std::uint64_t i = 0; i < block.count; ++i) {
      const auto key = in.read_text();
      entries_.push_back({key, in.at()});
      skip_datum(*schema_, node.parts[0], in);
      // Keys that repeat are written once, so the text alone would not bound this.
      full_ = full_ || entries_.size() * sizeof(Entry) > bytes_max_;
      if (full_) return;
    }
  }
  const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(base);
  std::sort(begin, entries_.end(), [](const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key : a.value < b.value;
  });
  out_->push_back('{');
  bool first = true;
  for (std::size_t i = base; i < entries_.size() && !full(); ++i) {
    const Entry entry = entries_[i];
    if (i + 1 < entries_.size() && entries_[i + 1].key == entry.key)
      continue;  // the last one counts
    if (!first) out_->push_back(',');
    first = false;
    write_text(entry.key);
    out_->push_back(':');
    Input value({entry.value, static_cast<std::size_t>(end_ - entry.value)});
    write(value, node.parts[0]);
  }
  out_->push_back('}');
  entries_.resize(base);
}

void JsonRenderer::write_text(std::string_view text) {
  // Escaping can make six bytes of one: in pieces, so that the bound is noticed before memory is
  // taken.
  out_->push_back('"');
  while (!text.empty() && !full()) {
    std::size_t size = std::min(text.size(), kPieceBytes);
    for (int back = 0; back < 3 && size > 1 && size < text.size() && is_continuation(text[size]);
         ++back)
      --size;
    const std::size_t at = out_->size();
    append_json_string(*out_, text.substr(0, size));
    out_->pop_back();
    out_->erase(at, 1);  // the piece's own quotes
    text.remove_prefix(size);
  }
  out_->push_back('"');
}

void JsonRenderer::write_bytes(std::string_view bytes) {
  std::array<char, 2 * kPieceBytes> piece;
  out_->push_back('"');
  while (!bytes.empty() && !full()) {
    std::size_t size = 0;
    for (const char c : bytes.substr(0, kPieceBytes)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x80) piece[size++] = static_cast<char>(0xc0 | byte >> 6);
      piece[size++] = byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3f));
    }
    const std::size_t at = out_->size();
    append_json_string(*out_, {piece.data(), size});
    out_->pop_back();
    out_->erase(at, 1);
    bytes.remove_prefix(std::min(bytes.size(), kPieceBytes));
  }
  out_->push_back('"');
}

}  // namespace headwater::avro
