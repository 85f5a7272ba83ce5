#include "connectors/salesforce/org_facts.hpp"

#include <algorithm>

#include "connectors/salesforce/quota.hpp"

namespace headwater::salesforce {
namespace {

/// The type of records whose object has no types of its own. No row of RecordType stands for it,
/// but describe's recordTypeInfos lists it.
constexpr const char* kMasterId = "012000000000000AAA";
constexpr const char* kMasterName = "Master";

/// The objects that the channels are set up for. Rejected: not told, or not in words that we know.
Result<std::set<std::string>> members_of(OrgApi& api, std::span<const std::string> channels) {
  std::set<std::string> out;
  for (const auto& channel : channels) {
    const auto members = api.channel_members(channel);
    if (!members) return members.error();
    for (const auto& entity : *members) {
      auto object = object_of_change_event(entity);
      if (object.empty())
        return rejected("channel " + channel + " has a member " + entity +
                        ", which is no change event");
      out.insert(std::move(object));
    }
  }
  return out;
}

/// What asking again would not change; a used-up quota passes.
bool is_refusal(const Error& error) {
  if (error.code == kQuotaReserved || error.code == "REQUEST_LIMIT_EXCEEDED") return false;
  return error.kind == ErrorKind::Rejected || error.kind == ErrorKind::Blocked;
}

/// Every object that has change events, selected or not. An org that lists no change event at all
/// leaves what can be read.
std::set<std::string> capturable(std::span<const ObjectInfo> objects) {
  std::set<std::string> out, readable;
  for (const auto& object : objects) {
    auto told = object_of_change_event(object.name);
    if (!told.empty())
      out.insert(std::move(told));
    else if (object.queryable && object.retrieveable && !object.key_prefix.empty())
      readable.insert(object.name);
  }
  return out.empty() ? readable : out;
}

}  // namespace

std::string object_of_change_event(std::string_view entity) {
  static constexpr std::string_view kEvent = "ChangeEvent";
  if (!entity.ends_with(kEvent)) return {};
  entity.remove_suffix(kEvent.size());
  std::string object(entity);
  if (object.ends_with("__")) object += 'c';
  return object;
}

std::string object_of_topic(std::string_view topic) {
  static constexpr std::string_view kData = "/data/";
  if (!topic.starts_with(kData)) return {};
  return object_of_change_event(topic.substr(kData.size()));
}

Result<CapturedObjects> learn_captured(OrgApi& api, std::span<const std::string> channels) {
  const auto listed = api.describe_global();
  if (!listed) return listed.error();
  CapturedObjects out;
  auto members = members_of(api, channels);
  if (members) {
    out.objects = std::move(*members);
  } else if (is_refusal(members.error())) {
    out.objects = capturable(*listed);
    out.exact = false;
    out.why = members.error().message;
  } else {
    return members.error();
  }
  for (const auto& object : out.objects) {
    const auto shown = std::ranges::find(*listed, object, &ObjectInfo::name);
    if (shown == listed->end() || !shown->queryable) out.hidden.insert(object);
  }
  return out;
}

Result<void> learn_objects(OrgApi& api, crm::OrgFacts& facts) {
  auto objects = api.describe_global();
  if (!objects) return objects.error();
  for (const auto& object : *objects) {
    if (!object.key_prefix.empty()) facts.object_by_prefix[object.key_prefix] = object.name;
  }
  return {};
}

Result<bool> learn_record_types(OrgApi& api, crm::OrgFacts& facts) {
  facts.record_types.try_emplace(kMasterId, kMasterName);
  auto types = api.record_types();
  if (!types && types.error().kind == ErrorKind::Rejected) return false;
  if (!types) return types.error();
  for (const auto& type : *types) facts.record_types[type.id.str()] = type.developer_name;
  return true;
}

}  // namespace headwater::salesforce
