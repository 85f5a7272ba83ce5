#include "schemas/avro/platform_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "schemas/core/assert.hpp"
#include "schemas/core/json_text.hpp"
#include "schemas/core/raw_text.hpp"

namespace headwater::avro {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
/// What an event's JSON may have beside two bytes for each of the payload: names, and numbers that
/// are shorter in Avro. With what the values take, decoding stays below four bytes for each and
/// 64 KiB. More has what Salesforce does not send: text that is mostly control characters, arrays
/// of small numbers by the ten thousand.
constexpr std::size_t kJsonBytesExtra = 32u << 10;

std::uint32_t leaf_of(const Plan& plan, std::string_view path) {
  for (std::uint32_t i = 0; i < plan.leaves().size(); ++i) {
    if (plan.leaves()[i].path == path) return i;
  }
  return kNone;
}

/// `com.sforce.eventbus.Order_Event__e` -> `Order_Event__e`.
std::string_view last_part(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

PlatformDecoder::PlatformDecoder(const Plan& plan)
    : plan_(&plan),
      name_(last_part(plan.name())),
      created_date_(leaf_of(plan, "CreatedDate")),
      created_by_(leaf_of(plan, "CreatedById")),
      values_(plan) {
  for (std::uint32_t i = 0; i < plan.leaves().size(); ++i) {
    Field field{i, {}, {}};
    append_json_string(field.json_key, plan.leaves()[i].path);
    field.json_key.push_back(':');
    fields_.push_back(std::move(field));
  }
  std::ranges::sort(fields_, {}, [&](const Field& field) -> const std::string& {
    return plan.leaves()[field.leaf].path;
  });
}

Result<void> PlatformDecoder::decode(std::string_view payload,
                                     Scratch& scratch,
                                     PlatformEventView& out) {
  out = {};
  out.name = name_;
  out.payload = payload;
  if (auto decoded = plan_->decode(payload, decoded_); !decoded) return decoded;
  values_.begin_event(payload.size());
  std::size_t room = 2;
  for (Field& field : fields_) {
    ValueView& value = field.value;
    if (!values_.read(field.leaf, decoded_.slots[field.leaf], scratch, value))
      return values_.error();
    if (field.leaf == created_date_ && value.tag == Tag::DateTime) out.created_at = value.number;
    if (field.leaf == created_by_ && value.holds_text()) out.created_by = value.text;
    room += 1 + field.json_key.size() + json_value_size(value);
  }
  if (room > 2 * payload.size() + kJsonBytesExtra) {
    return rejected(
        fmt::format("avro: decode {}: its {} bytes would be up to {} bytes of JSON, more than "
                    "an event may take",
                    plan_->name(),
                    payload.size(),
                    room),
        "undecodable");
  }
  out.fields = write_json(scratch.uninitialized<char>(room));
  HEADWATER_ASSERT(out.fields.size() <= room);
  return {};
}

std::string_view PlatformDecoder::write_json(char* const begin) const {
  char* to = begin;
  *to++ = '{';
  for (const Field& field : fields_) {
    if (to != begin + 1) *to++ = ',';
    to = write_raw(to, field.json_key);
    to = write_json_value(to, field.value);
  }
  *to++ = '}';
  return {begin, static_cast<std::size_t>(to - begin)};
}

}  // namespace headwater::avro
