#include "connectors/salesforce/org_facts.hpp"

namespace headwater::salesforce {
namespace {

/// The type of records whose object has no types of its own. No row of RecordType stands for it,
/// but describe's recordTypeInfos lists it.
constexpr const char* kMasterId = "012000000000000AAA";
constexpr const char* kMasterName = "Master";

}  // namespace

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
