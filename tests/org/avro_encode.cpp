#include "tests/org/avro_encode.hpp"

#include <fmt/format.h>

#include <array>

#include "schemas/core/bytes.hpp"

namespace headwater::org {
namespace {

constexpr std::array<std::string_view, 10> kSymbols{"CREATE",
                                                    "UPDATE",
                                                    "DELETE",
                                                    "UNDELETE",
                                                    "GAP_CREATE",
                                                    "GAP_UPDATE",
                                                    "GAP_DELETE",
                                                    "GAP_UNDELETE",
                                                    "GAP_OVERFLOW",
                                                    "SNAPSHOT"};

void put_string(std::string& out, std::string_view text) {
  put_signed(out, static_cast<std::int64_t>(text.size()));
  out.append(text);
}

void put_array(std::string& out, const std::vector<std::string>& items) {
  if (!items.empty()) {
    put_signed(out, static_cast<std::int64_t>(items.size()));
    for (const auto& item : items) put_string(out, item);
  }
  put_signed(out, 0);
}

void put_double(std::string& out, double value) {
  char bytes[8];
  out.append(bytes, write_double(bytes, value));
}

struct PutValue {
  std::string& out;
  void operator()(std::monostate) const {}
  void operator()(bool value) const { put_byte(out, value ? 1 : 0); }
  void operator()(std::int64_t value) const { put_signed(out, value); }
  void operator()(double value) const { put_double(out, value); }
  void operator()(const std::string& value) const { put_string(out, value); }
};

/// A union of null and one branch.
void put_optional(std::string& out, const Value& value, bool shown, std::int64_t branch = 1) {
  if (!shown || is_null(value)) {
    put_signed(out, 0);
    return;
  }
  put_signed(out, branch);
  std::visit(PutValue{out}, value);
}

}  // namespace

std::optional<ChangeType> parse_change_type(std::string_view symbol) {
  for (std::size_t i = 0; i < kSymbols.size(); ++i) {
    if (kSymbols[i] == symbol) return static_cast<ChangeType>(i);
  }
  return std::nullopt;
}

std::string bitmap(const std::vector<bool>& bits) {
  std::string bytes;  // least significant first
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (!bits[i]) continue;
    if (bytes.size() <= i / 8) bytes.resize(i / 8 + 1, '\0');
    bytes[i / 8] = static_cast<char>(static_cast<unsigned char>(bytes[i / 8]) | 1U << (i % 8));
  }
  if (bytes.empty()) return {};
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out = "0x";
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    out += kDigits[static_cast<unsigned char>(*byte) >> 4];
    out += kDigits[static_cast<unsigned char>(*byte) & 15];
  }
  return out;
}

std::vector<std::string> bitmaps(const ObjectDef& object, const LeafSet& leaves) {
  std::vector<std::string> out;
  std::vector<bool> top(object.event_fields.size() + 1);
  std::vector<std::string> nested;
  for (std::size_t i = 0; i < object.event_fields.size(); ++i) {
    const auto& field = object.event_fields[i];
    if (field.plain >= 0 && leaves[static_cast<std::size_t>(field.plain)]) top[i + 1] = true;
    if (field.parts.empty()) continue;
    std::vector<bool> parts;
    for (const int leaf : field.parts) parts.push_back(leaves[static_cast<std::size_t>(leaf)]);
    const auto text = bitmap(parts);
    if (!text.empty()) nested.push_back(fmt::format("{}-{}", i + 1, text));
  }
  auto text = bitmap(top);
  if (!text.empty()) out.push_back(std::move(text));
  for (auto& part : nested) out.push_back(std::move(part));
  return out;
}

void encode_header(std::string& out, const EventHeader& header) {
  put_string(out, header.entity);
  put_array(out, header.record_ids);
  put_signed(out, static_cast<std::int64_t>(header.type));
  put_string(out, header.origin);
  put_string(out, header.transaction_key);
  put_signed(out, header.sequence);
  put_signed(out, header.commit_timestamp);
  put_signed(out, header.commit_number);
  put_string(out, header.commit_user);
  put_array(out, header.nulled);
  put_array(out, header.diff);
  put_array(out, header.changed);
}

void encode_body(std::string& out,
                 const ObjectDef& object,
                 std::span<const Value> values,
                 const LeafSet& shown) {
  for (const auto& field : object.event_fields) {
    const auto filled = [&](int leaf) {
      const auto i = static_cast<std::size_t>(leaf);
      return shown[i] && !is_null(values[i]);
    };
    bool any_part = false;
    for (const int leaf : field.parts) any_part = any_part || filled(leaf);
    if (!any_part) {
      if (field.plain < 0) {
        put_signed(out, 0);
      } else {
        const auto i = static_cast<std::size_t>(field.plain);
        put_optional(out, values[i], shown[i]);
      }
      continue;
    }
    // Account.Name is [null, string, record]: a person's name is the third branch.
    put_signed(out, field.plain < 0 ? 1 : 2);
    for (const int leaf : field.parts) {
      const auto i = static_cast<std::size_t>(leaf);
      put_optional(out, values[i], shown[i]);
    }
  }
}

void encode_platform_event(std::string& out,
                           const ObjectDef& event,
                           std::span<const Value> values) {
  for (const auto& field : event.event_fields) {
    const auto& value = values[static_cast<std::size_t>(field.plain)];
    if (is_set_by_org(event.fields[field.field])) {
      std::visit(PutValue{out}, value);
    } else {
      put_optional(out, value, true);
    }
  }
}

}  // namespace headwater::org
