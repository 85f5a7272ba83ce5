#include "schemas/crm/mapping.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "schemas/crm/text.hpp"

namespace headwater::crm {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

/// `ConvertedContact` -> `converted_contact`, `SLAPolicy` -> `sla_policy`.
std::string snake_case(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool starts_word =
        is_upper(name[i]) && i > 0 && name[i - 1] != '_' &&
        (!is_upper(name[i - 1]) || (i + 1 < name.size() && is_lower(name[i + 1])));
    if (starts_word) out.push_back('_');
    out.push_back(lower(name[i]));
  }
  return out;
}

bool by_object(const EntityMapping& entity, std::string_view object) {
  return entity.object < object;
}

}  // namespace

struct Mapping::Unmapped {
  std::mutex mutex;
  std::unordered_map<std::string, std::unique_ptr<EntityMapping>> entities;
};

std::string projection_tables() { return "projection 2; " + public_suffix_version(); }

const EntityMapping& Mapping::of_object(std::string_view object) const {
  const auto at = std::lower_bound(entities_.begin(), entities_.end(), object, by_object);
  if (at != entities_.end() && at->object == object) return *at;
  const std::scoped_lock lock(unmapped_->mutex);
  auto& made = unmapped_->entities[std::string(object)];
  if (!made) {
    made = std::make_unique<EntityMapping>(common_);
    made->object = object;
    made->entity = "custom:" + made->object;
  }
  return *made;
}

const OrgBlock* Mapping::org(std::string_view name) const {
  const auto at = orgs_.find(name);
  return at == orgs_.end() ? nullptr : &at->second;
}

std::string Mapping::relation_of(std::string_view name) {
  if (name.ends_with("__c")) return std::string(name.substr(0, name.size() - 3));
  if (name.size() > 3 && name.ends_with("_id")) return std::string(name.substr(0, name.size() - 3));
  if (name.size() > 2 && name.ends_with("Id")) name.remove_suffix(2);
  return snake_case(name);
}

std::shared_ptr<const Mapping> Mapping::build(std::vector<EntityMapping> entities,
                                              EntityMapping common,
                                              std::uint32_t mapping_rev,
                                              std::string digest,
                                              std::string source,
                                              std::map<std::string, OrgBlock, std::less<>> orgs) {
  const auto by_name = [](const FieldMapping& a, const FieldMapping& b) { return a.name < b.name; };
  auto out = std::make_shared<Mapping>();
  std::sort(common.fields.begin(), common.fields.end(), by_name);
  for (auto& entity : entities) {
    // What every entity has; a field that the entity states itself wins.
    for (const auto& field : common.fields) {
      const bool own = std::any_of(entity.fields.begin(), entity.fields.end(), [&](const auto& f) {
        return f.name == field.name;
      });
      if (!own) entity.fields.push_back(field);
    }
    std::sort(entity.fields.begin(), entity.fields.end(), by_name);
  }
  std::sort(entities.begin(), entities.end(), [](const EntityMapping& a, const EntityMapping& b) {
    return a.object < b.object;
  });
  out->entities_ = std::move(entities);
  out->orgs_ = std::move(orgs);
  out->common_ = std::move(common);
  out->mapping_rev_ = mapping_rev;
  out->digest_ = std::move(digest);
  out->source_ = std::move(source);
  out->unmapped_ = std::make_shared<Unmapped>();
  return out;
}

}  // namespace headwater::crm
