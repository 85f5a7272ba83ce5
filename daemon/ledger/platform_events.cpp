#include "daemon/ledger/platform_events.hpp"

#include <algorithm>
#include <cstring>

#include "daemon/ledger/keys.hpp"
#include "schemas/core/sha256.hpp"

namespace headwater::ledger {
namespace {

constexpr std::string_view kSeenPrefix = "seen";
constexpr std::uint8_t kSeenFormat = 1;
/// Of the journal at a time, while its events are looked for.
constexpr std::size_t kAheadEntries = 1'000, kAheadBytes = 1 << 20;

enum : std::size_t { kByUuid, kByReplayId };

std::array<char, 16> hash_of(std::string_view what, std::string_view id, const Sha256& payload) {
  std::string text(what);
  put_text(text, id);
  text.append(reinterpret_cast<const char*>(payload.data()), payload.size());
  const Sha256 whole = sha256(text);
  std::array<char, 16> out;
  std::memcpy(out.data(), whole.data(), out.size());
  return out;
}

std::string_view view(const std::array<char, 16>& hash) { return {hash.data(), hash.size()}; }

}  // namespace

std::string PlatformEvents::key(char kind, std::string_view rest) const {
  std::string out = prefix_;
  out.push_back(kind);
  return out.append(rest);
}

Result<void> PlatformEvents::write(StoreBatch& out, const IngestBatch& batch, Applied& applied) {
  if (batch.platform.empty()) return {};
  prefix_ = make_key(kSeenPrefix, batch.stream.org, batch.stream.topic, "");
  if (auto ok = look_up(batch); !ok) return ok;
  auto ring = read_ring();
  if (!ring) return ring.error();
  seen_.clear();
  for (std::size_t i = 0; i < batch.platform.size(); ++i) {
    Known known = known_[i];
    known.published = known.published || seen_.contains(hashes_[i][kByUuid]);
    known.sent = known.sent || seen_.contains(hashes_[i][kByReplayId]);
    if (known.published || known.sent) {
      ++applied.repeats;
      if (known.sent) ++applied.resent;
      continue;
    }
    put_entry(out, batch.stream, batch.platform[i]);
    ++applied.entries;
    if (auto ok = remember(out, *ring, i); !ok) return ok;
  }
  bytes_.clear();
  put_byte(bytes_, kSeenFormat);
  put_varint(bytes_, ring->first);
  put_varint(bytes_, ring->next);
  out.put(Family::Meta, key('h', {}), bytes_);
  return {};
}

/// Which of the batch's events the stream remembers.
Result<void> PlatformEvents::look_up(const IngestBatch& batch) {
  hashes_.clear();
  keys_.clear();
  for (const PlatformEventView& event : batch.platform) {
    const Sha256 payload = sha256(event.payload);
    auto& hashes = hashes_.emplace_back();
    hashes[kByReplayId] = hash_of("replay", event.replay_id, payload);
    // Without a uuid the replay id is all there is.
    hashes[kByUuid] =
        event.event_uuid.empty() ? hashes[kByReplayId] : hash_of("uuid", event.event_uuid, payload);
    for (const Hash& hash : hashes) keys_.emplace_back(key('i', view(hash)), keys_.size());
  }
  std::ranges::sort(keys_);
  std::vector<std::string_view> sorted;
  for (const auto& [key, index] : keys_) sorted.push_back(key);
  if (auto ok = store_.get_sorted(Family::Meta, sorted, found_); !ok) return ok;
  known_.assign(batch.platform.size(), {});
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (!found_[i].found) continue;
    Known& known = known_[keys_[i].second / 2];
    (keys_[i].second % 2 == kByUuid ? known.published : known.sent) = true;
  }
  return {};
}

Result<PlatformEvents::Ring> PlatformEvents::read_ring() const {
  std::string bytes;
  const auto found = store_.get(Family::Meta, key('h', {}), bytes);
  if (!found) return found.error();
  Ring ring;
  if (!*found) return ring;
  ByteReader reader(bytes);
  const bool known = reader.byte() == kSeenFormat;
  ring.first = reader.varint();
  ring.next = reader.varint();
  if (known && reader.ok() && ring.first <= ring.next) return ring;
  return fatal(
      "ledger: what is remembered of platform events is damaged or of a newer format; start the "
      "version that wrote it, or restore a backup");
}

Result<void> PlatformEvents::remember(StoreBatch& out, Ring& ring, std::size_t event) {
  const auto& hashes = hashes_[event];
  bytes_.assign(view(hashes[kByUuid])).append(view(hashes[kByReplayId]));
  out.put(Family::Meta, key('n', rev_key(Rev{ring.next})), bytes_);
  for (const Hash& hash : hashes) {
    out.put(Family::Meta, key('i', view(hash)), {});
    seen_.insert(hash);
  }
  ++ring.next;
  return forget_oldest(out, ring);
}

Result<void> PlatformEvents::forget_oldest(StoreBatch& out, Ring& ring) {
  while (ring.next - ring.first > remembered_) {
    const std::string oldest = key('n', rev_key(Rev{ring.first}));
    const auto found = store_.get(Family::Meta, oldest, bytes_);
    if (!found) return found.error();
    if (!*found) return {};  // of this very batch: a later one forgets it
    for (std::size_t at = 0; at + sizeof(Hash) <= bytes_.size(); at += sizeof(Hash))
      out.erase(Family::Meta, key('i', std::string_view(bytes_).substr(at, sizeof(Hash))));
    out.erase(Family::Meta, oldest);
    ++ring.first;
  }
  return {};
}

void PlatformEvents::put_entry(StoreBatch& out,
                               const StreamKey& stream,
                               const PlatformEventView& event) {
  EntryView entry;
  entry.kind = EntryKind::Event;
  entry.op = Op::Create;
  const std::string rkey = make_key(stream.org, event.name);
  entry.rkey = rkey;
  entry.org = stream.org;
  entry.topic = stream.topic;
  entry.meta.commit_ts = event.created_at;
  entry.ts_ms = clock_.now_ms();
  entry.origin.type = ChangeType::Create;
  entry.origin.commit_user = event.created_by;
  entry.origin.schema_id = event.schema_id;
  entry.origin.event_uuid = event.event_uuid;
  entry.origin.replay_id = event.replay_id;
  entry.row = event.fields;
  bytes_.clear();
  headwater::put_entry(bytes_, entry);
  journal_.put(out, journal_.next(), bytes_);
}

bool has_platform_events(Store& store, std::string_view org) {
  const std::string prefix = make_key(kSeenPrefix, org, "");
  const auto scan = store.scan(Family::Meta, prefix);
  return scan->valid() && scan->key().starts_with(prefix);
}

// ---- reading

JournalEvents::JournalEvents(Journal& journal, NameTables& names, std::string_view org, Rev after)
    : journal_(journal), names_(names), org_(org), read_(std::max(after, journal.trimmed_to())) {}

Result<void> JournalEvents::read_more() {
  ahead_.clear();
  at_ = 0;
  auto read = journal_.read(read_, kAheadEntries, kAheadBytes, names_, ahead_);
  if (!read) return read;
  end_ = ahead_.entries().empty();
  if (!end_) read_ = ahead_.entries().back().meta.rev;
  return {};
}

Result<bool> JournalEvents::append(
    Rev upto, std::size_t entries_max, std::size_t bytes_max, EntryBatch& out, Rev& last) {
  std::size_t added = 0;
  for (;;) {
    if (at_ == ahead_.entries().size()) {
      if (end_ || read_ >= upto) return true;
      if (auto ok = read_more(); !ok) return ok.error();
      continue;
    }
    const EntryView& entry = ahead_.entries()[at_];
    if (entry.meta.rev > upto) return true;
    if (entry.kind == EntryKind::Event && entry.org == org_) {
      if (added == entries_max || out.bytes() >= bytes_max) return false;
      std::string bytes;
      headwater::put_entry(bytes, entry);
      if (auto ok = out.add(entry.meta.rev, bytes, names_); !ok) return ok.error();
      last = entry.meta.rev;
      ++added;
    }
    ++at_;
  }
}

}  // namespace headwater::ledger
