#include "schemas/model/entry.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "schemas/core/raw_text.hpp"

namespace headwater {
namespace {

// Layout of a journal value: format, kind, op, flags, then typed values in fixed order. A format
// that an older build does not know is refused, never guessed at.
constexpr std::uint8_t kFormat = 1;
/// Of entries of the kind Event, of those with violations, and of those with retired fields, which
/// builds before them cannot read.
constexpr std::uint8_t kEventFormat = 2, kViolationsFormat = 3, kRetiredFormat = 4;

enum Flag : std::uint32_t {
  kLate = 1,
  kPurge = 2,
  kHasBefore = 4,
  kComplete = 8,
  kDeleted = 16,
  kBeforeComplete = 32,
  kBeforeDeleted = 64,
  kSortAt = 128,
  kBeforeSortAt = 256,
  kClosed = 512,
  kMergedFrom = 1024,
  kViolations = 2048,
  kBeforeViolations = 4096,
  kRetired = 8192,
  kBeforeRetired = 16384,
};

std::uint8_t format_of(EntryKind kind, std::uint32_t flags) {
  if (kind == EntryKind::Event) return kEventFormat;
  if ((flags & (kRetired | kBeforeRetired)) != 0) return kRetiredFormat;
  return (flags & (kViolations | kBeforeViolations)) != 0 ? kViolationsFormat : kFormat;
}

std::uint32_t flags_of(const EntryView& e) {
  return (e.late ? kLate : 0U) | (e.purge ? kPurge : 0U) | (e.has_before ? kHasBefore : 0U) |
         (e.meta.complete ? kComplete : 0U) | (e.meta.deleted ? kDeleted : 0U) |
         (e.before.complete ? kBeforeComplete : 0U) | (e.before.deleted ? kBeforeDeleted : 0U) |
         (e.sort_at ? kSortAt : 0U) | (e.before_sort_at ? kBeforeSortAt : 0U) |
         (e.closed ? kClosed : 0U) | (e.merged_from.empty() ? 0U : kMergedFrom) |
         (e.meta.violations.empty() ? 0U : kViolations) |
         (e.before.violations.empty() ? 0U : kBeforeViolations) |
         (e.meta.retired.empty() ? 0U : kRetired) |
         (e.before.retired.empty() ? 0U : kBeforeRetired);
}

void put_meta(std::string& out, const Meta& meta) {
  put_version(out, meta.version);
  put_signed(out, meta.commit_ts);
  put_be64(out, meta.hash);
  put_varint(out, meta.mapping_rev);
}

Meta read_meta(ByteReader& reader) {
  Meta meta;
  meta.version = read_version(reader);
  meta.commit_ts = reader.signed_varint();
  meta.hash = reader.be64();
  meta.mapping_rev = static_cast<std::uint32_t>(reader.varint());
  return meta;
}

std::array<std::string_view, 7> texts_of(const Origin& origin) {
  return {origin.commit_user,
          origin.change_origin,
          origin.transaction_key,
          origin.schema_id,
          origin.event_uuid,
          origin.replay_id,
          origin.change_id};
}

void put_origin(std::string& out, const Origin& origin) {
  thread_local RawText scratch;
  scratch.append_to(out, write_origin(scratch.room(origin_room(origin)), origin));
}

void put_names(std::string& out, std::span<const NameId> names) {
  put_varint(out, names.size());
  for (const NameId name : names) put_varint(out, name);
}

std::span<const NameId> read_names(ByteReader& reader,
                                   const NameTable& table,
                                   std::pmr::memory_resource& arena) {
  const std::uint64_t count = reader.varint();
  if (count > reader.left()) {
    reader.take(reader.left() + 1);
    return {};
  }
  if (count == 0) return {};
  auto* names = static_cast<NameId*>(arena.allocate(count * sizeof(NameId), alignof(NameId)));
  for (std::uint64_t i = 0; i < count; ++i) {
    names[i] = static_cast<NameId>(reader.varint());
    if (names[i] >= table.size()) {
      reader.take(reader.left() + 1);
      return {};
    }
  }
  return {names, static_cast<std::size_t>(count)};
}

/// Numbers that the table knows, or none and a failed reader.
std::string_view read_numbers(ByteReader& reader, const NameTable& names) {
  const std::string_view listed = reader.text();
  ByteReader numbers(listed);
  bool known = true;
  while (known && !numbers.done()) known = numbers.varint() < names.size() && numbers.ok();
  if (!known) reader.take(reader.left() + 1);
  return known ? listed : std::string_view();
}

/// Cuts an rkey into its parts. False if it is not one.
bool cut_rkey(EntryView& e) {
  const auto first = e.rkey.find(':');
  const auto second = first == std::string_view::npos ? first : e.rkey.find(':', first + 1);
  if (second == std::string_view::npos) return false;
  e.org = e.rkey.substr(0, first);
  e.object = e.rkey.substr(first + 1, second - first - 1);
  e.id = e.rkey.substr(second + 1);
  return true;
}

/// What every reader of an entry builds on; damaged bytes may say otherwise.
bool is_sound(const EntryView& e) {
  if (e.kind > EntryKind::Event) return false;
  if (e.kind == EntryKind::Event) return e.op == Op::Create && !e.object.empty();
  switch (e.op) {
    case Op::Create:
    case Op::Update:
    case Op::Read:
      break;
    case Op::Delete:
      if (!e.after.empty()) return false;
      break;
    default:
      return false;
  }
  return std::ranges::none_of(e.after.sections, [](std::span<const Member> section) {
    return std::ranges::any_of(section, [](const Member& m) { return m.value.tag == Tag::Absent; });
  });
}

void put_record(std::string& out, const EntryView& e) {
  put_text(out, e.entity);
  put_text(out, e.bu);
  put_meta(out, e.meta);
  put_origin(out, e.origin);
  put_names(out, e.changed_source);
  put_names(out, e.nulled_source);
  if (e.sort_at) put_signed(out, *e.sort_at);
  if (e.before_sort_at) put_signed(out, *e.before_sort_at);
  put_signed(out, e.deleted_at);
  put_text(out, e.delete_reason);
  put_text(out, e.merged_into);
  if (!e.merged_from.empty()) put_text(out, e.merged_from);
  put_image(out, e.after);
  if (e.has_before) {
    put_text(out, e.before_bu);
    put_varint(out, e.before.rev.value);
    put_meta(out, e.before);
    put_image(out, e.old);
    if (!e.before.violations.empty()) put_text(out, e.before.violations);
    if (!e.before.retired.empty()) put_text(out, e.before.retired);
  }
  if (!e.meta.violations.empty()) put_text(out, e.meta.violations);
  if (!e.meta.retired.empty()) put_text(out, e.meta.retired);
}

void read_record(ByteReader& reader,
                 std::uint32_t flags,
                 const NameTable& names,
                 std::pmr::memory_resource& arena,
                 EntryView& e) {
  e.entity = reader.text();
  e.bu = reader.text();
  const Rev rev = e.meta.rev;
  e.meta = read_meta(reader);
  e.meta.rev = rev;
  e.meta.complete = (flags & kComplete) != 0;
  e.meta.deleted = (flags & kDeleted) != 0;
  read_origin(reader, e.origin);
  e.changed_source = read_names(reader, names, arena);
  e.nulled_source = read_names(reader, names, arena);
  if (flags & kSortAt) e.sort_at = reader.signed_varint();
  if (flags & kBeforeSortAt) e.before_sort_at = reader.signed_varint();
  e.deleted_at = reader.signed_varint();
  e.delete_reason = reader.text();
  e.merged_into = reader.text();
  if (flags & kMergedFrom) e.merged_from = reader.text();
  e.after = read_image(reader, names, arena);
  e.has_before = (flags & kHasBefore) != 0;
  e.old.names = &names;
  if (e.has_before) {
    e.before_bu = reader.text();
    const Rev before_rev{reader.varint()};
    e.before = read_meta(reader);
    e.before.rev = before_rev;
    e.before.complete = (flags & kBeforeComplete) != 0;
    e.before.deleted = (flags & kBeforeDeleted) != 0;
    e.old = read_image(reader, names, arena);
    if (flags & kBeforeViolations) e.before.violations = read_numbers(reader, names);
    if (flags & kBeforeRetired) e.before.retired = read_numbers(reader, names);
  }
  if (flags & kViolations) e.meta.violations = read_numbers(reader, names);
  if (flags & kRetired) e.meta.retired = read_numbers(reader, names);
}

void put_event(std::string& out, const EntryView& e) {
  put_text(out, e.org);
  put_text(out, e.topic);
  put_signed(out, e.meta.commit_ts);
  put_origin(out, e.origin);
  put_text(out, e.row);
}

void read_event(ByteReader& reader, EntryView& e) {
  e.org = reader.text();
  e.topic = reader.text();
  e.meta.commit_ts = reader.signed_varint();
  read_origin(reader, e.origin);
  e.row = reader.text();
  if (e.rkey.size() > e.org.size() && e.rkey.starts_with(e.org) && e.rkey[e.org.size()] == ':') {
    e.object = e.rkey.substr(e.org.size() + 1);
  }
}

}  // namespace

std::size_t origin_room(const Origin& origin) {
  std::size_t room = 2;
  for (const std::string_view text : texts_of(origin)) room += kVarintRoom + text.size();
  return room;
}

char* write_origin(char* to, const Origin& origin) {
  *to++ = static_cast<char>(origin.type);
  *to++ = static_cast<char>(origin.snapshot);
  for (const std::string_view text : texts_of(origin)) to = write_text(to, text);
  return to;
}

void read_origin(ByteReader& reader, Origin& origin) {
  origin.type = static_cast<ChangeType>(reader.byte() & 15);
  origin.snapshot = static_cast<SnapshotMark>(reader.byte() & 3);
  for (auto* text : {&origin.commit_user,
                     &origin.change_origin,
                     &origin.transaction_key,
                     &origin.schema_id,
                     &origin.event_uuid,
                     &origin.replay_id,
                     &origin.change_id}) {
    *text = reader.text();
  }
}

void put_entry(std::string& out, const EntryView& e) {
  const std::uint32_t flags = flags_of(e);
  put_byte(out, format_of(e.kind, flags));
  put_byte(out, static_cast<std::uint8_t>(e.kind));
  put_byte(out, static_cast<std::uint8_t>(e.op));
  put_varint(out, flags);
  put_signed(out, e.ts_ms);
  put_text(out, e.rkey);
  if (e.kind == EntryKind::Record) {
    put_record(out, e);
  } else if (e.kind == EntryKind::Event) {
    put_event(out, e);
  } else {
    put_text(out, e.org);
    put_text(out, e.row);
  }
}

EntryBatch::EntryBatch() : arena_(1 << 16, &pool_) {}

Result<void> EntryBatch::add(Rev rev, std::string_view bytes, NameTables& tables) {
  const auto damaged = [&](const char* what) {
    return rejected("journal entry " + std::to_string(rev.value) + ": " + what);
  };
  ByteReader reader(keep(bytes));
  const std::uint8_t format = reader.byte();
  if (format < kFormat || format > kRetiredFormat) {
    return damaged("unknown format; it was written by a newer build or is damaged");
  }
  EntryView e;
  e.meta.rev = rev;
  e.kind = static_cast<EntryKind>(reader.byte());
  e.op = static_cast<Op>(reader.byte());
  const auto flags = static_cast<std::uint32_t>(reader.varint());
  if (format != format_of(e.kind, flags)) {
    return damaged("its kind is not of its format");
  }
  e.late = (flags & kLate) != 0;
  e.purge = (flags & kPurge) != 0;
  e.closed = (flags & kClosed) != 0;
  e.ts_ms = reader.signed_varint();
  e.rkey = reader.text();
  if (e.kind == EntryKind::Record) {
    if (!reader.ok() || !cut_rkey(e)) return damaged("its key is not a record key");
    read_record(reader, flags, tables.names(e.org, e.object), arena_, e);
  } else if (e.kind == EntryKind::Event) {
    read_event(reader, e);
  } else {
    e.org = reader.text();
    e.row = reader.text();
  }
  if (!reader.ok() || !reader.done()) return damaged("its bytes end early or late");
  if (!is_sound(e)) return damaged("it says what no entry says");
  bytes_ += bytes.size();
  entries_.push_back(e);
  return {};
}

std::string_view EntryBatch::keep(std::string_view text) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(arena_.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

void EntryBatch::clear() {
  entries_.clear();
  bytes_ = 0;
  arena_.release();
}

}  // namespace headwater
