#include "daemon/ledger/name_store.hpp"

#include <mutex>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {
constexpr std::uint8_t kFormat = 1;
}

Result<void> NameStore::load() {
  auto scan = store_.scan(Family::Meta, kNamesPrefix);
  for (; scan->valid() && scan->key().starts_with(kNamesPrefix); scan->next()) {
    auto kept = std::make_unique<Kept>();
    ByteReader reader(scan->value());
    bool ok = reader.byte() == kFormat;
    const std::uint64_t count = reader.varint();
    for (std::uint64_t i = 0; ok && i < count; ++i) {
      ok = kept->table.intern(reader.text()) == i && reader.ok();
    }
    if (!ok) {
      return fatal("ledger: the names of " + std::string(scan->key()) +
                   " are damaged or of a newer format; restore a backup or rebuild the ledger");
    }
    kept->written = kept->table.size();
    tables_.emplace(scan->key().substr(kNamesPrefix.size()), std::move(kept));
  }
  return scan->status();
}

NameTable& NameStore::of(std::string_view org, std::string_view object) {
  thread_local std::string key;
  key.clear();
  append_key(key, org, object);
  {
    const std::shared_lock lock(mutex_);
    if (const auto at = tables_.find(key); at != tables_.end()) return at->second->table;
  }
  const std::unique_lock lock(mutex_);
  auto& kept = tables_[key];
  if (!kept) kept = std::make_unique<Kept>();
  return kept->table;
}

void NameStore::stage(StoreBatch& batch) {
  const std::shared_lock lock(mutex_);
  std::string bytes;
  for (auto& [key, kept] : tables_) {
    const std::size_t size = kept->table.size();
    if (size == kept->written) continue;
    bytes.clear();
    put_byte(bytes, kFormat);
    put_varint(bytes, size);
    for (std::size_t i = 0; i < size; ++i) {
      put_text(bytes, kept->table.text(static_cast<NameId>(i)));
    }
    batch.put(Family::Meta, std::string(kNamesPrefix) + key, bytes);
    kept->written = size;
  }
}

}  // namespace headwater::ledger
