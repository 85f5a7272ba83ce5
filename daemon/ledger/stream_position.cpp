#include "daemon/ledger/stream_position.hpp"

#include "daemon/ledger/keys.hpp"
#include "schemas/core/bytes.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 2;  // 1 did not count how often it was stored

std::string key_of(const StreamKey& stream) {
  return std::string(kStreamPrefix) + make_key(stream.org, stream.topic);
}

std::optional<StreamPosition> read_position(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint8_t format = reader.byte();
  if (format == 0 || format > kFormat) return std::nullopt;
  StreamPosition position;
  position.replay_id = ReplayId(std::string(reader.text()));
  position.stored_at = reader.signed_varint();
  position.newest_commit_ts = reader.signed_varint();
  if (format >= 2) position.stores = reader.varint();
  if (!reader.ok()) return std::nullopt;
  return position;
}

}  // namespace

Result<void> Positions::load() {
  const std::lock_guard lock(mutex_);
  auto scan = store_.scan(Family::Meta, kStreamPrefix);
  for (; scan->valid() && scan->key().starts_with(kStreamPrefix); scan->next()) {
    auto position = read_position(scan->value());
    if (!position) {
      return fatal("ledger: the position of " + std::string(scan->key()) +
                   " is damaged or of a newer format; start the version that wrote it, or restore "
                   "a backup");
    }
    positions_.emplace(scan->key(), std::move(*position));
  }
  return scan->status();
}

void Positions::put(StoreBatch& batch, const StreamKey& stream, const StreamPosition& position) {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_text(bytes, position.replay_id.bytes());
  put_signed(bytes, position.stored_at);
  put_signed(bytes, position.newest_commit_ts);
  put_varint(bytes, position.stores);
  written_.emplace_back(key_of(stream), position);
  batch.put(Family::Meta, written_.back().first, bytes);
}

void Positions::publish() {
  if (written_.empty()) return;
  const std::lock_guard lock(mutex_);
  for (auto& [key, position] : written_)
    positions_.insert_or_assign(std::move(key), std::move(position));
  written_.clear();
}

std::optional<StreamPosition> Positions::get(const StreamKey& stream) const {
  const std::lock_guard lock(mutex_);
  const auto at = positions_.find(key_of(stream));
  if (at == positions_.end()) return std::nullopt;
  return at->second;
}

}  // namespace headwater::ledger
