#include "schemas/avro/platform_decoder.hpp"

#include <algorithm>

#include "schemas/core/json_text.hpp"

namespace headwater::avro {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

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
    Field field{i, {}};
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
  json_.clear();
  json_.push_back('{');
  for (const Field& field : fields_) {
    ValueView value;
    if (!values_.read(field.leaf, decoded_.slots[field.leaf], scratch, value))
      return values_.error();
    if (field.leaf == created_date_ && value.tag == Tag::DateTime) out.created_at = value.number;
    if (field.leaf == created_by_ && value.holds_text()) out.created_by = value.text;
    if (json_.size() > 1) json_.push_back(',');
    json_.append(field.json_key);
    append_json_value(json_, value);
  }
  json_.push_back('}');
  out.fields = scratch.copy(json_);
  return {};
}

}  // namespace headwater::avro
