#include "daemon/ledger/stream_position.hpp"

#include <string>

#include "daemon/ledger/keys.hpp"
#include "schemas/core/bytes.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 2;  // 1 did not count how often it was stored

std::string key_of(const StreamKey& stream) {
  return std::string(kStreamPrefix) + make_key(stream.org, stream.topic);
}

}  // namespace

std::optional<StreamPosition> read_position(Store& store, const StreamKey& stream) {
  std::string bytes;
  const auto found = store.get(Family::Meta, key_of(stream), bytes);
  if (!found || !*found) return std::nullopt;
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

void put_position(StoreBatch& batch, const StreamKey& stream, const StreamPosition& position) {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_text(bytes, position.replay_id.bytes());
  put_signed(bytes, position.stored_at);
  put_signed(bytes, position.newest_commit_ts);
  put_varint(bytes, position.stores);
  batch.put(Family::Meta, key_of(stream), bytes);
}

}  // namespace headwater::ledger
