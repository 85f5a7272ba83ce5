#include "daemon/ledger/record.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace headwater::ledger {
namespace {

// Layout: format, rev (8 bytes at a fixed place: scans in rev order read nothing else), flags, the
// distinct versions, then numbers into them. A record has few distinct versions however many fields
// it has, so each is written once.
constexpr std::uint8_t kFormat = 1;
/// Of a state that sinks were told violations of, which builds before them cannot read.
constexpr std::uint8_t kViolationsFormat = 2;
constexpr std::size_t kRevAt = 1;

enum Flag : std::uint8_t {
  kComplete = 1,
  kRefetchOwed = 2,
  kDeleteNews = 4,  // deleted_at, deleted_by, merged_into follow
  kMetaDeleted = 8,
  kMetaComplete = 16,
  kViolations = 32,
};

char* write_members(char* to, const std::vector<Member>& members) {
  to = write_varint(to, members.size());
  NameId last = 0;
  for (const Member& member : members) {
    to = write_varint(to, member.name - last);
    last = member.name;
    to = write_value(to, member.value);
  }
  return to;
}

/// Numbers of names as write_members tells them: each by what it is more than the last. Lookups
/// build on their order.
class Ascending {
 public:
  NameId next(ByteReader& reader) {
    const std::uint64_t step = reader.varint();
    ok_ = ok_ && step < NameTable::kNamesMax - last_ && (step != 0 || first_);
    first_ = false;
    return last_ += static_cast<NameId>(step);
  }
  bool ok() const { return ok_; }

 private:
  NameId last_ = 0;
  bool first_ = true, ok_ = true;
};

/// What a state takes beside its versions and members at most.
std::size_t fixed_room(const RecordState& state) {
  return 64 + 16 * kVarintRoom + state.merged_into.size() + state.bu.size() +
         state.meta.violations.size() + origin_room(state.origin);
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
  std::size_t room =
      fixed_room(state) + versions_.size() * kVersionRoom + state.fv.size() * 2 * kVarintRoom;
  for (const Member& member : state.src) room += kVarintRoom + value_room(member.value);
  char* to = scratch_.room(room);
  const bool violations = !state.meta.violations.empty();
  *to++ = static_cast<char>(violations ? kViolationsFormat : kFormat);
  to = write_be64(to, state.meta.rev.value);
  *to++ =
      static_cast<char>((state.complete ? kComplete : 0) | (state.refetch_owed ? kRefetchOwed : 0) |
                        (delete_news ? kDeleteNews : 0) | (state.meta.deleted ? kMetaDeleted : 0) |
                        (state.meta.complete ? kMetaComplete : 0) | (violations ? kViolations : 0));
  to = write_varint(to, versions_.size());
  for (const Version& version : versions_) to = write_version(to, version);
  for (const std::size_t number : fixed) to = write_varint(to, number);
  if (delete_news) {
    to = write_signed(to, state.deleted_at);
    *to++ = static_cast<char>(state.deleted_by);
    to = write_text(to, state.merged_into);
  }
  to = write_signed(to, state.meta.commit_ts);
  to = write_be64(to, state.meta.hash);
  to = write_varint(to, state.meta.mapping_rev);
  to = write_signed(to, state.ts_ms);
  to = write_text(to, state.bu);
  to = write_origin(to, state.origin);
  if (violations) to = write_text(to, state.meta.violations);
  to = write_members(to, state.src);
  to = write_varint(to, state.fv.size());
  NameId last = 0;
  for (std::size_t i = 0; i < state.fv.size(); ++i) {
    to = write_varint(to, state.fv[i].name - last);
    last = state.fv[i].name;
    to = write_varint(to, numbers_[i]);
  }
  scratch_.append_to(out, to);
}

bool RecordCodec::decode(std::string_view bytes, RecordState& state) {
  state.clear();
  ByteReader reader(bytes);
  const std::uint8_t format = reader.byte();
  state.known = true;
  state.meta.rev = Rev{reader.be64()};
  const std::uint8_t flags = reader.byte();
  if (format != ((flags & kViolations) != 0 ? kViolationsFormat : kFormat)) return false;
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
  if (flags & kViolations) state.meta.violations = reader.text();
  const std::uint64_t fields = reader.varint();
  if (fields > reader.left()) return false;
  state.src.resize(fields);
  Ascending names;
  for (Member& member : state.src) {
    member.name = names.next(reader);
    member.value = read_value(reader);
    if (!std::isfinite(member.value.real)) return false;
  }
  const std::uint64_t entries = reader.varint();
  if (entries > fields) return false;
  state.fv.reserve(entries);
  Ascending dated;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const NameId name = dated.next(reader);
    state.fv.push_back({name, version(reader.varint())});
  }
  return reader.ok() && reader.done() && names.ok() && dated.ok();
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
