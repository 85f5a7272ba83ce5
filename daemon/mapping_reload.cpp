#include "daemon/mapping_reload.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace headwater {
namespace {

const crm::FieldMapping* column_of(const crm::EntityMapping& entity, std::string_view name) {
  const auto at = std::ranges::find(entity.fields, name, &crm::FieldMapping::name);
  return at != entity.fields.end() && at->column ? &*at : nullptr;
}

}  // namespace

std::vector<std::string> reload_refusals(const crm::Mapping& now, const crm::Mapping& next) {
  std::vector<std::string> out;
  if (next.mapping_rev() <= now.mapping_rev()) {
    out.push_back(
        fmt::format("mapping_rev is {} and the one in force is {}: it must grow with every edit",
                    next.mapping_rev(),
                    now.mapping_rev()));
  }
  for (const crm::EntityMapping& entity : next.entities()) {
    const crm::EntityMapping& before = now.of_object(entity.object);
    if (before.entity != entity.entity) continue;
    for (const crm::FieldMapping& field : entity.fields) {
      const auto* old = field.column ? column_of(before, field.name) : nullptr;
      if (old == nullptr || old->type == field.type) continue;
      out.push_back(fmt::format(
          "entity {}, field {}: a column's type is never changed; give the field another name",
          entity.entity,
          field.name));
    }
  }
  return out;
}

}  // namespace headwater
