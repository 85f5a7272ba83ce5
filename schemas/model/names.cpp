#include "schemas/model/names.hpp"

#include "schemas/core/assert.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater {

NameId NameTable::intern(std::string_view text) {
  if (const auto found = find(text)) return *found;
  const std::unique_lock lock(mutex_);
  if (const auto at = by_text_.find(text); at != by_text_.end()) return at->second;
  Name& name = names_.emplace_back();
  name.text = text;
  append_json_string(name.json_key, text);
  name.json_key.push_back(':');
  const auto id = static_cast<NameId>(names_.size() - 1);
  by_text_.emplace(name.text, id);
  size_.store(names_.size(), std::memory_order_release);
  return id;
}

std::optional<NameId> NameTable::find(std::string_view text) const {
  const std::shared_lock lock(mutex_);
  const auto at = by_text_.find(text);
  if (at == by_text_.end()) return std::nullopt;
  return at->second;
}

const NameTable::Name& NameTable::at(NameId id) const {
  const std::shared_lock lock(mutex_);
  HEADWATER_ASSERT(id < names_.size());
  return names_[id];
}

}  // namespace headwater
