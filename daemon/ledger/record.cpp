#include "daemon/ledger/record.hpp"

#include <algorithm>
#include <array>

namespace headwater::ledger {
namespace {

// Layout: format, rev (8 bytes at a fixed place: scans in rev order read nothing else), flags, the
// distinct versions, then numbers into them. A record has few distinct versions however many fields
// it has, so each is written once.
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kRevAt = 1;

enum Flag : std::uint8_t {
  kComplete = 1,
  kRefetchOwed = 2,
  kDeleteNews = 4,  // deleted_at, deleted_by, merged_into follow
  kMetaDeleted = 8,
  kMetaComplete = 16,
};

void put_origin(std::string& out, const Origin& o) {
  put_byte(out, static_cast<std::uint8_t>(o.type));
  put_byte(out, static_cast<std::uint8_t>(o.snapshot));
  for (const auto text : {o.commit_user,
                          o.change_origin,
                          o.transaction_key,
                          o.schema_id,
                          o.event_uuid,
                          o.replay_id,
                          o.change_id}) {
    put_text(out, text);
  }
}

void read_origin(ByteReader& reader, Origin& o) {
  o.type = static_cast<ChangeType>(reader.byte() & 15);
  o.snapshot = static_cast<SnapshotMark>(reader.byte() & 3);
  for (auto* text : {&o.commit_user,
                     &o.change_origin,
                     &o.transaction_key,
                     &o.schema_id,
                     &o.event_uuid,
                     &o.replay_id,
                     &o.change_id}) {
    *text = reader.text();
  }
}

}  // namespace

EpochMs RecordState::touched_at(std::optional<NameId> last_modified) const {
  if (touched.none()) return 0;
  if (last_modified && !newer(touched, field_version(*last_modified))) return 0;
  return touched.at_ms;
}

Version RecordState::field_version(NameId name) const {
  const auto entry = std::ranges::lower_bound(fv, name, {}, &FieldVersion::name);
  if (entry != fv.end() && entry->name == name) return entry->version;
  const auto member = std::ranges::lower_bound(src, name, {}, &Member::name);
  if (member != src.end() && member->name == name) return base;
  return {};
}

void RecordState::clear() {
  auto kept_src = std::move(src);
  auto kept_fv = std::move(fv);
  *this = RecordState{};
  src = std::move(kept_src);
  fv = std::move(kept_fv);
  src.clear();
  fv.clear();
}

std::size_t RecordCodec::number_of(const Version& version) {
  if (version.none()) return 0;
  // Neighbours mostly share a version: the search starts at the one added last.
  for (std::size_t i = versions_.size(); i > 0; --i) {
    const Version& known = versions_[i - 1];
    if (same(known, version) && known.at_ms == version.at_ms) return i;
  }
  versions_.push_back(version);
  return versions_.size();
}

void RecordCodec::encode(const RecordState& state, std::string& out) {
  versions_.clear();
  std::array<std::size_t, 6> fixed{number_of(state.base),
                                   number_of(state.alive),
                                   number_of(state.dead),
                                   number_of(state.touched),
                                   number_of(state.newest),
                                   number_of(state.meta.version)};
  numbers_.clear();
  for (const FieldVersion& entry : state.fv) numbers_.push_back(number_of(entry.version));
  const bool delete_news = state.deleted_at != 0 || !state.merged_into.empty();
  put_byte(out, kFormat);
  put_be64(out, state.meta.rev.value);
  put_byte(out,
           static_cast<std::uint8_t>(
               (state.complete ? kComplete : 0) | (state.refetch_owed ? kRefetchOwed : 0) |
               (delete_news ? kDeleteNews : 0) | (state.meta.deleted ? kMetaDeleted : 0) |
               (state.meta.complete ? kMetaComplete : 0)));
  put_varint(out, versions_.size());
  for (const Version& version : versions_) put_version(out, version);
  for (const std::size_t number : fixed) put_varint(out, number);
  if (delete_news) {
    put_signed(out, state.deleted_at);
    put_byte(out, static_cast<std::uint8_t>(state.deleted_by));
    put_text(out, state.merged_into);
  }
  put_signed(out, state.meta.commit_ts);
  put_be64(out, state.meta.hash);
  put_varint(out, state.meta.mapping_rev);
  put_signed(out, state.ts_ms);
  put_text(out, state.bu);
  put_origin(out, state.origin);
  put_varint(out, state.src.size());
  NameId last = 0;
  for (const Member& member : state.src) {
    put_varint(out, member.name - last);
    last = member.name;
    put_value(out, member.value);
  }
  put_varint(out, state.fv.size());
  last = 0;
  for (std::size_t i = 0; i < state.fv.size(); ++i) {
    put_varint(out, state.fv[i].name - last);
    last = state.fv[i].name;
    put_varint(out, numbers_[i]);
  }
}

bool RecordCodec::decode(std::string_view bytes, RecordState& state) {
  state.clear();
  ByteReader reader(bytes);
  if (reader.byte() != kFormat) return false;
  state.known = true;
  state.meta.rev = Rev{reader.be64()};
  const std::uint8_t flags = reader.byte();
  state.complete = (flags & kComplete) != 0;
  state.refetch_owed = (flags & kRefetchOwed) != 0;
  state.meta.deleted = (flags & kMetaDeleted) != 0;
  state.meta.complete = (flags & kMetaComplete) != 0;
  versions_.clear();
  const std::uint64_t distinct = reader.varint();
  if (distinct > reader.left()) return false;
  for (std::uint64_t i = 0; i < distinct; ++i) versions_.push_back(read_version(reader));
  const auto version = [&](std::uint64_t number) {
    return number == 0 || number > versions_.size() ? Version{} : versions_[number - 1];
  };
  for (auto* fixed : {&state.base,
                      &state.alive,
                      &state.dead,
                      &state.touched,
                      &state.newest,
                      &state.meta.version}) {
    *fixed = version(reader.varint());
  }
  if (flags & kDeleteNews) {
    state.deleted_at = reader.signed_varint();
    state.deleted_by = static_cast<ChangeType>(reader.byte() & 15);
    state.merged_into = reader.text();
  }
  state.meta.commit_ts = reader.signed_varint();
  state.meta.hash = reader.be64();
  state.meta.mapping_rev = static_cast<std::uint32_t>(reader.varint());
  state.ts_ms = reader.signed_varint();
  state.bu = reader.text();
  read_origin(reader, state.origin);
  const std::uint64_t fields = reader.varint();
  if (fields > reader.left()) return false;
  state.src.reserve(fields);
  NameId last = 0;
  for (std::uint64_t i = 0; i < fields; ++i) {
    last += static_cast<NameId>(reader.varint());
    state.src.push_back({last, read_value(reader)});
  }
  const std::uint64_t entries = reader.varint();
  if (entries > fields) return false;
  state.fv.reserve(entries);
  last = 0;
  for (std::uint64_t i = 0; i < entries; ++i) {
    last += static_cast<NameId>(reader.varint());
    state.fv.push_back({last, version(reader.varint())});
  }
  return reader.ok() && reader.done();
}

Rev RecordCodec::rev_of(std::string_view bytes) {
  if (bytes.size() < kRevAt + 8) return {};
  return Rev{ByteReader(bytes.substr(kRevAt)).be64()};
}

std::string_view delete_reason(ChangeType type) {
  switch (type) {
    case ChangeType::GapDelete:
      return "gap";
    case ChangeType::Merge:
      return "merge";
    case ChangeType::Refetch:
      return "cascade";
    case ChangeType::Reconcile:
      return "reconcile";
    default:
      return "delete";
  }
}

}  // namespace headwater::ledger
