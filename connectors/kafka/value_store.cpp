#include "connectors/kafka/value_store.hpp"

#include <algorithm>

#include "schemas/core/assert.hpp"

namespace headwater::kafka {

ValueStore::Chunk& ValueStore::chunk_for(std::size_t size) {
  if (current_ != nullptr && current_->size - current_->used >= size) return *current_;
  // Nobody holds it any more, so no report will free it.
  if (current_ != nullptr && current_->holders == 0) free_.push_back(current_);
  current_ = nullptr;
  if (!free_.empty() && size <= kChunkSize) {
    current_ = free_.back();
    free_.pop_back();
    return *current_;  // none is smaller than kChunkSize
  }
  auto& added = chunks_.emplace_back(std::make_unique<Chunk>());
  added->size = std::max(size, kChunkSize);
  added->memory = std::make_unique_for_overwrite<char[]>(added->size);
  current_ = added.get();
  return *current_;
}

ValueStore::Value ValueStore::keep(std::string_view text) {
  Chunk& chunk = chunk_for(text.size());
  char* const at = chunk.memory.get() + chunk.used;
  std::copy_n(text.data(), text.size(), at);
  chunk.used += text.size();
  ++chunk.holders;
  return {{at, text.size()}, &chunk};
}

void ValueStore::let_go(Chunk& chunk) {
  HEADWATER_ASSERT(chunk.holders > 0);
  if (--chunk.holders != 0) return;
  chunk.used = 0;
  if (&chunk != current_) free_.push_back(&chunk);
}

void ValueStore::shrink() {
  free_.clear();
  if (current_ != nullptr && current_->holders == 0) current_ = nullptr;
  std::erase_if(chunks_, [](const auto& chunk) { return chunk->holders == 0; });
}

}  // namespace headwater::kafka
