#include "schemas/model/render.hpp"

#include <algorithm>

#include "schemas/core/json_text.hpp"
#include "schemas/core/raw_text.hpp"

namespace headwater {
namespace {

// `"key":` pieces are written out, so that the shape of a document can be read off this file.

void append_text_member(std::string& out, std::string_view key_colon, std::string_view text) {
  out.append(key_colon);
  append_json_string(out, text);
}

void append_text_or_null(std::string& out, std::string_view key_colon, std::string_view text) {
  out.append(key_colon);
  if (text.empty()) {
    out.append("null");
  } else {
    append_json_string(out, text);
  }
}

void append_time_or_null(std::string& out, std::string_view key_colon, EpochMs ms) {
  out.append(key_colon);
  append_json_value(out, ms == 0 ? ValueView::null() : ValueView::of_number(ms, Tag::DateTime));
}

void append_number_member(std::string& out, std::string_view key_colon, std::uint64_t number) {
  out.append(key_colon);
  append_json_number(out, static_cast<std::int64_t>(number));
}

void append_bool_member(std::string& out, std::string_view key_colon, bool value) {
  out.append(key_colon).append(value ? "true" : "false");
}

void append_hash(std::string& out, std::uint64_t hash) {
  out.append(",\"hash\":\"");
  for (int shift = 60; shift >= 0; shift -= 4) {
    out.push_back("0123456789abcdef"[(hash >> shift) & 15]);
  }
  out.push_back('"');
}

void append_version_member(std::string& out, std::string_view key_colon, const Version& version) {
  out.append(key_colon).push_back('"');
  append_version(out, version);
  out.push_back('"');
}

void append_meta(std::string& out,
                 const Meta& meta,
                 std::string_view merged_into,
                 const NameTable* names) {
  append_number_member(out, "\"meta\":{\"rev\":", meta.rev.value);
  append_version_member(out, ",\"ver\":", meta.version);
  append_time_or_null(out, ",\"commit_ts\":", meta.commit_ts);
  append_bool_member(out, ",\"complete\":", meta.complete);
  append_bool_member(out, ",\"deleted\":", meta.deleted);
  append_text_or_null(out, ",\"merged_into\":", merged_into);
  append_number_member(out, ",\"mapping_rev\":", meta.mapping_rev);
  append_hash(out, meta.hash);
  if (!meta.violations.empty()) {
    out.append(",\"violations\":");
    append_violations(out, *names, meta.violations);
  }
  if (!meta.retired.empty()) {
    out.append(",\"retired\":");
    append_retired(out, *names, meta.retired);
  }
  out.push_back('}');
}

void append_member(std::string& out, const NameTable& names, const Member& member) {
  out.append(names.at(member.name).json_key);
  append_json_value(out, member.value);
}

/// Calls `marks(from, to)` with the bounds of each member, its comma left out.
template <typename Marks>
void append_section(std::string& out, const ImageView& image, std::size_t s, Marks marks) {
  thread_local RawText scratch;
  const auto members = image.sections[s];
  std::size_t room = 2;
  for (const Member& member : members) {
    room += image.names->at(member.name).json_key.size() + json_value_room(member.value) + 1;
  }
  char* const start = scratch.room(room);
  char* to = start;
  const auto at = [&] { return out.size() + static_cast<std::size_t>(to - start); };
  *to++ = '{';
  for (const Member& member : members) {
    const std::size_t from = at();
    const std::string& key = image.names->at(member.name).json_key;
    to = write_json_value(write_raw(to, key), member.value);
    marks(from, at());
    *to++ = ',';
  }
  if (!members.empty()) --to;  // the last comma
  *to++ = '}';
  scratch.append_to(out, to);
}

/// `"fields":…,"extra":…,"raw":…,"refs":…`, each section by `section(s)`.
template <typename AppendSection>
void append_sections(std::string& out, AppendSection section) {
  for (std::size_t s = 0; s < kSections; ++s) {
    out.append(s == 0 ? "\"" : ",\"").append(kSectionNames[s]).append("\":");
    section(s);
  }
}

constexpr auto kNoMarks = [](std::size_t, std::size_t) {};

void append_head(std::string& out, const EntryView& e, std::string_view bu) {
  append_text_member(out, "{\"key\":", e.rkey);
  append_text_member(out, ",\"org\":", e.org);
  append_text_member(out, ",\"object\":", e.object);
  append_text_member(out, ",\"id\":", e.id);
  append_text_member(out, ",\"entity\":", e.entity);
  append_text_member(out, ",\"bu\":", bu);
  out.append(",\"customer\":null,");
}

/// NameTable of the object, whichever image there is.
const NameTable* names_of(const EntryView& e) {
  return e.after.names != nullptr ? e.after.names : e.old.names;
}

template <typename Marks>
void append_after(std::string& out, const EntryView& e, Marks marks) {
  append_head(out, e, e.bu);
  append_sections(out, [&](std::size_t s) { append_section(out, e.after, s, marks); });
  out.push_back(',');
  append_meta(out, e.meta, e.merged_into, names_of(e));
  out.push_back('}');
}

/// A section as it was: runs of unchanged members are copied from the rendered after-image, whose
/// `marks` hold two numbers per member.
void append_old_section(std::string& out,
                        const NameTable& names,
                        std::span<const Member> after,
                        std::span<const Member> old,
                        std::string_view rendered,
                        const std::size_t* marks) {
  out.push_back('{');
  bool first = true;
  const auto comma = [&] {
    if (!first) out.push_back(',');
    first = false;
  };
  const auto copy = [&](std::size_t from, std::size_t to) {
    if (from == to) return;
    comma();
    out.append(rendered.substr(marks[2 * from], marks[2 * to - 1] - marks[2 * from]));
  };
  std::size_t at = 0;
  for (const Member& was : old) {
    const auto same = std::find_if(after.begin() + static_cast<std::ptrdiff_t>(at),
                                   after.end(),
                                   [&](const Member& is) { return is.name == was.name; });
    auto to = static_cast<std::size_t>(same - after.begin());
    if (same == after.end()) {  // gone since: it stood between members in the order of names
      to = at;
      while (to < after.size() && names.text(after[to].name) < names.text(was.name)) ++to;
    }
    copy(at, to);
    at = same == after.end() ? to : to + 1;
    if (was.value.tag == Tag::Absent) continue;
    comma();
    append_member(out, names, was);
  }
  copy(at, after.size());
  out.push_back('}');
}

/// Names of the canonical fields that changed: the keys of old.fields.
void append_changed(std::string& out, const EntryView& e) {
  out.append(",\"changed\":[");
  if (e.has_before && e.op != Op::Delete) {
    bool first = true;
    for (const Member& member : e.old[Section::Fields]) {
      if (!first) out.push_back(',');
      first = false;
      append_json_string(out, e.old.names->text(member.name));
    }
  }
  out.push_back(']');
}

void append_name_list(std::string& out,
                      std::string_view key_colon,
                      const NameTable* names,
                      std::span<const NameId> list) {
  out.append(key_colon).push_back('[');
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i != 0) out.push_back(',');
    append_json_string(out, names->text(list[i]));
  }
  out.push_back(']');
}

std::string_view snapshot_text(SnapshotMark mark) {
  switch (mark) {
    case SnapshotMark::False:
      return "false";
    case SnapshotMark::True:
      return "true";
    case SnapshotMark::Last:
      return "last";
    case SnapshotMark::Incremental:
      return "incremental";
  }
  return "false";
}

void append_source(std::string& out, const EntryView& e, const EnvelopeContext& context) {
  append_text_member(out, ",\"source\":{\"version\":", context.version);
  append_text_member(out, ",\"connector\":\"salesforce-pubsub\",\"name\":", e.org);
  append_text_or_null(out, ",\"org_id\":", context.org_id);
  append_text_member(out, ",\"object\":", e.object);
  append_text_member(out, ",\"id\":", e.id);
  append_text_member(out, ",\"change_type\":", to_string(e.origin.type));
  append_text_member(out, ",\"snapshot\":", snapshot_text(e.origin.snapshot));
  out.append(",\"ts_ms\":");
  append_json_number(out, e.meta.commit_ts);
  // A string: seen above 2^53.
  out.append(",\"commit_number\":\"");
  append_json_number(out, e.meta.version.commit_number);
  out.push_back('"');
  append_text_or_null(out, ",\"commit_user\":", e.origin.commit_user);
  append_text_member(out, ",\"change_origin\":", e.origin.change_origin);
  append_text_or_null(out, ",\"schema_id\":", e.origin.schema_id);
  append_text_or_null(out, ",\"replay_id\":", to_hex(e.origin.replay_id));
  append_text_or_null(out, ",\"event_uuid\":", e.origin.event_uuid);
  out.push_back('}');
}

void append_transaction(std::string& out, const EntryView& e) {
  if (e.origin.transaction_key.empty()) {
    out.append(",\"transaction\":null");
    return;
  }
  append_text_member(out, ",\"transaction\":{\"id\":", e.origin.transaction_key);
  append_number_member(out, ",\"total_order\":", e.meta.version.sequence);
  append_number_member(out, ",\"data_collection_order\":", e.meta.version.sequence);
  out.push_back('}');
}

void append_truncated(std::string& out, std::span<const std::string> truncated) {
  if (truncated.empty()) return;
  out.append(",\"truncated\":");
  char before = '[';
  for (const std::string& what : truncated) {
    out.push_back(before);
    before = ',';
    append_json_string(out, what);
  }
  out.push_back(']');
}

/// Ids of 18 characters, one after the other.
void append_ids(std::string& out, std::string_view key_bracket, std::string_view ids) {
  out.append(key_bracket);
  for (std::size_t at = 0; at < ids.size(); at += RecordId::kSize) {
    if (at != 0) out.push_back(',');
    append_json_string(out, ids.substr(at, RecordId::kSize));
  }
  out.push_back(']');
}

}  // namespace

void append_section_json(std::string& out, const ImageView& image, Section section) {
  append_section(out, image, static_cast<std::size_t>(section), kNoMarks);
}

void append_violations(std::string& out, const NameTable& names, std::string_view violations) {
  ByteReader numbers(violations);
  char before = '[';
  while (!numbers.done()) {
    out.append(1, before).append("{\"field\":");
    append_json_string(out, names.text(static_cast<NameId>(numbers.varint())));
    out.append(",\"rule\":\"transform_error\"}");
    before = ',';
  }
  out.push_back(']');
}

void append_retired(std::string& out, const NameTable& names, std::string_view retired) {
  ByteReader numbers(retired);
  char before = '[';
  while (!numbers.done()) {
    out.push_back(before);
    append_json_string(out, names.text(static_cast<NameId>(numbers.varint())));
    before = ',';
  }
  out.push_back(']');
}

void append_hash_input(std::string& out, std::string_view bu, const ImageView& image) {
  append_text_member(out, "{\"bu\":", bu);
  out.append(",\"customer\":null,");
  append_sections(out, [&](std::size_t s) { append_section(out, image, s, kNoMarks); });
  out.push_back('}');
}

void append_record_json(std::string& out, const EntryView& e) { append_after(out, e, kNoMarks); }

void EnvelopeWriter::append_before(std::string& out, const EntryView& e) const {
  append_head(out, e, e.before_bu);
  const std::size_t* marks = marks_.data();
  append_sections(out, [&](std::size_t s) {
    const auto members = e.after.sections[s];
    append_old_section(out, *names_of(e), members, e.old.sections[s], after_, marks);
    marks += 2 * members.size();
  });
  out.push_back(',');
  append_meta(out, e.before, {}, names_of(e));
  out.push_back('}');
}

std::string_view EnvelopeWriter::append(std::string& out,
                                        const EntryView& e,
                                        const EnvelopeContext& context) {
  after_.clear();
  marks_.clear();
  if (e.op != Op::Delete) {
    append_after(after_, e, [this](std::size_t from, std::size_t to) {
      marks_.push_back(from);
      marks_.push_back(to);
    });
  }
  out.append("{\"op\":\"").append(1, static_cast<char>(e.op)).append("\",\"ts_ms\":");
  append_json_number(out, e.ts_ms);
  append_text_member(out, ",\"key\":", e.rkey);
  append_text_member(out, ",\"entity\":", e.entity);
  append_text_member(out, ",\"bu\":", e.bu);
  out.append(",\"before\":");
  const bool cut = !context.truncated.empty() && context.truncated.front() == "before";
  if (e.has_before && !cut) {
    append_before(out, e);
  } else {
    out.append("null");
  }
  out.append(",\"after\":");
  const std::size_t after_at = out.size();
  out.append(e.op == Op::Delete ? std::string_view("null") : std::string_view(after_));
  append_changed(out, e);
  append_name_list(out, ",\"changed_source\":", names_of(e), e.changed_source);
  append_name_list(out, ",\"nulled_source\":", names_of(e), e.nulled_source);
  append_source(out, e, context);
  append_transaction(out, e);
  append_number_member(out, ",\"rev\":", e.meta.rev.value);
  append_version_member(out, ",\"ver\":", e.meta.version);
  append_number_member(out, ",\"mapping_rev\":", e.meta.mapping_rev);
  append_bool_member(out, ",\"late\":", e.late);
  append_text_or_null(out, ",\"merged_into\":", e.merged_into);
  append_ids(out, ",\"merged_from\":[", e.merged_from);
  append_truncated(out, context.truncated);
  out.push_back('}');
  return std::string_view(out).substr(after_at, after_.size());
}

void append_change_id(std::string& out, const EntryView& e) {
  if (!e.origin.change_id.empty()) {
    out.append(e.origin.change_id);
    return;
  }
  out.append(e.org).append(1, '/').append(e.origin.transaction_key).append(1, '/');
  append_json_number(out, static_cast<std::int64_t>(e.meta.version.sequence));
  out.append(1, '/').append(e.id);
}

std::string_view event_verb(const EntryView& e) {
  if (e.origin.type == ChangeType::Merge) return "merged";
  switch (e.op) {
    case Op::Create:
      return e.origin.type == ChangeType::Undelete ? "undeleted" : "created";
    case Op::Update:
      return "updated";
    case Op::Delete:
      return "deleted";
    case Op::Read:
      return "snapshot";
  }
  return "updated";
}

}  // namespace headwater
