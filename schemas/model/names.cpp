#include "schemas/model/names.hpp"

#include <mutex>

#include "schemas/core/assert.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater {

NameId NameTable::intern(std::string_view text) {
  if (const auto found = find(text)) return *found;
  const std::unique_lock lock(mutex_);
  if (const auto at = by_text_.find(text); at != by_text_.end()) return at->second;
  const std::size_t id = size_.load(std::memory_order_relaxed);
  HEADWATER_ASSERT(id < kNamesMax);
  auto& chunk = chunks_[id / kChunk];
  if (!chunk) chunk = std::make_unique<Chunk>();
  Name& name = (*chunk)[id % kChunk];
  name.text = text;
  append_json_string(name.json_key, text);
  name.json_key.push_back(':');
  by_text_.emplace(name.text, static_cast<NameId>(id));
  size_.store(id + 1, std::memory_order_release);
  return static_cast<NameId>(id);
}

std::optional<NameId> NameTable::find(std::string_view text) const {
  const std::shared_lock lock(mutex_);
  const auto at = by_text_.find(text);
  if (at == by_text_.end()) return std::nullopt;
  return at->second;
}

const NameTable::Name& NameTable::at(NameId id) const {
  HEADWATER_ASSERT(id < size());
  return (*chunks_[id / kChunk])[id % kChunk];
}

}  // namespace headwater
