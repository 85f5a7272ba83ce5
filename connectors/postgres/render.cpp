#include "connectors/postgres/render.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/postgres/values.hpp"
#include "schemas/core/assert.hpp"
#include "schemas/model/render.hpp"

namespace headwater::postgres {
namespace {

constexpr std::int32_t kNotSeen = -2, kNoColumn = -1;

RowSet row_set(std::initializer_list<Element> elements) {
  RowSet out;
  for (const Element element : elements) out.columns.emplace_back(element);
  return out;
}

Result<void> add_optional_timestamp(ArrayBuffer& out, EpochMs ms) {
  if (ms != 0) return add_timestamp(out, ms);
  out.add_null();
  return {};
}

void add_optional_text(ArrayBuffer& out, std::string_view text) {
  if (text.empty()) {
    out.add_null();
  } else {
    out.add_text(text);
  }
}

/// Null for an empty one: the statement makes that `{}`, which the server then need not parse.
void add_section(ArrayBuffer& out, const ImageView& image, Section section) {
  if (image[section].empty()) return out.add_null();
  add_json(out, [&](std::string& json) { append_section_json(json, image, section); });
}

void add_violations(ArrayBuffer& out, const ImageView& image, std::string_view violations) {
  if (violations.empty()) return out.add_null();
  add_json(out, [&](std::string& json) { append_violations(json, *image.names, violations); });
}

void add_retired(ArrayBuffer& out, const ImageView& image, std::string_view retired) {
  if (retired.empty()) return out.add_null();
  add_json(out, [&](std::string& json) { append_retired(json, *image.names, retired); });
}

void append_padded(std::string& out, std::uint64_t value, std::size_t width) {
  char digits[20];
  char* at = digits + sizeof digits;
  for (; value != 0; value /= 10) *--at = static_cast<char>('0' + value % 10);
  const auto size = static_cast<std::size_t>(digits + sizeof digits - at);
  if (size < width) out.append(width - size, '0');
  out.append(at, size);
}

/// Version::str() without its allocation.
void add_version(ArrayBuffer& out, const Version& version) {
  std::string& bytes = out.begin_element();
  if (version.commit_number < 0) {
    bytes.append(version.str());
  } else {
    append_padded(bytes, version.epoch, 3);
    bytes.push_back('-');
    append_padded(bytes, static_cast<std::uint64_t>(version.commit_number), 20);
    bytes.push_back('-');
    append_padded(bytes, version.sequence, 10);
  }
  out.end_element();
}

void add_hash(ArrayBuffer& out, std::uint64_t hash) {
  std::string& bytes = out.begin_element();
  for (int shift = 60; shift >= 0; shift -= 4)
    bytes.push_back("0123456789abcdef"[hash >> shift & 15]);
  out.end_element();
}

void add_rev(ArrayBuffer& out, Rev rev) { out.add_int8(static_cast<std::int64_t>(rev.value)); }

/// Eight bytes from `at` on as a number of the same order; zeros behind the end.
std::uint64_t eight_bytes(std::string_view text, std::size_t at) {
  std::uint64_t out = 0;
  for (std::size_t i = at; i < at + 8; ++i) {
    out = out << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
  }
  return out;
}

/// Did this entry change what the record's edges are made of?
bool touches_edges(const EntryView& entry) {
  return entry.op != Op::Update || !entry.has_before || !entry.old[Section::Refs].empty() ||
         entry.sort_at != entry.before_sort_at || entry.meta.deleted != entry.before.deleted;
}

Error at_field(const Error& error, const EntryView& entry, std::string_view field) {
  return {error.kind,
          fmt::format(
              "postgres: write {}: field {} {} ({})", entry.rkey, field, error.message, error.code),
          error.code};
}

}  // namespace

RowSet make_rows(const TablePlan& plan) {
  using enum Element;
  RowSet out = row_set({Text,
                        Text,
                        Text,
                        Text,
                        Int8,
                        Text,
                        Text,
                        Int4,
                        Timestamptz,
                        Bool,
                        Bool,
                        Timestamptz,
                        Text,
                        Text,
                        Jsonb,
                        Jsonb,
                        Jsonb,
                        Jsonb,
                        Jsonb});
  for (const Column& column : common_columns()) out.columns.emplace_back(element_of(column.type));
  for (const Column& column : plan.columns) out.columns.emplace_back(element_of(column.type));
  return out;
}

RowSet make_keys() { return row_set({Element::Text, Element::Text, Element::Text, Element::Int8}); }
RowSet make_edges() {
  using enum Element;
  return row_set({Text, Text, Text, Text, Text, Text, Timestamptz, Int8});
}
RowSet make_edge_sources() { return row_set({Element::Text, Element::Text, Element::Int8}); }
RowSet make_mirror_rows() {
  return row_set({Element::Text, Element::Int8, Element::Timestamptz, Element::Jsonb});
}
RowSet make_mirror_keys() { return row_set({Element::Text}); }
RowSet make_platform_rows() {
  using enum Element;
  return row_set({Text, Text, Text, Int8, Timestamptz, Text, Text, Text, Text, Jsonb});
}

Renderer::Renderer(std::vector<TablePlan> plans) : plans_(std::move(plans)) {
  HEADWATER_ASSERT(!plans_.empty() && plans_.back().entity.empty());
  const auto common = common_columns();
  for (std::uint32_t i = 0; i < plans_.size(); ++i) {
    const TablePlan& plan = plans_[i];
    plan_of_entity_.emplace(plan.entity, i);
    upserts_.push_back(make_rows(plan));
    purges_.push_back(make_keys());
    auto& members = column_of_member_.emplace_back();
    for (std::size_t c = 0; c < common.size(); ++c)
      members.emplace(common[c].member, static_cast<std::int32_t>(c));
    for (std::size_t c = 0; c < plan.columns.size(); ++c) {
      members.emplace(plan.columns[c].member, static_cast<std::int32_t>(common.size() + c));
    }
  }
  name_columns_.resize(plans_.size());
}

void Renderer::clear() {
  for (RowSet& rows : upserts_) rows.clear();
  for (RowSet& rows : purges_) rows.clear();
  edges_.clear();
  edge_sources_.clear();
  platform_.clear();
  for (MirrorRows* mirror : {&holes_, &quarantine_}) {
    mirror->open.clear();
    mirror->closed.clear();
  }
}

std::uint32_t Renderer::group_of(const EntryView& entry) {
  const auto plans = static_cast<std::uint32_t>(plans_.size());
  if (entry.kind == EntryKind::Hole) return plans;
  if (entry.kind == EntryKind::Quarantine) return plans + 1;
  if (entry.kind == EntryKind::Event) return plans + 2;
  const auto found = plan_of_entity_.find(entry.entity);
  return found == plan_of_entity_.end() ? plans - 1 : found->second;
}

bool Renderer::Item::same_key(const Item& other) const {
  return group == other.group && head == other.head && tail == other.tail &&
         entry->rkey == other.entry->rkey;
}

bool Renderer::Item::operator<(const Item& other) const {
  if (group != other.group) return group < other.group;
  if (head != other.head) return head < other.head;
  if (tail != other.tail) return tail < other.tail;
  if (const int order = entry->rkey.compare(other.entry->rkey); order != 0) return order < 0;
  return index < other.index;
}

Result<void> Renderer::render(std::span<const EntryView* const> entries, bool all_edges) {
  clear();
  items_.clear();
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    const EntryView& entry = *entries[i];
    items_.push_back(
        {group_of(entry), i, eight_bytes(entry.id, 0), eight_bytes(entry.id, 8), &entry});
  }
  std::sort(items_.begin(), items_.end());
  bool edges = false;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const EntryView& entry = *item.entry;
    edges = edges || all_edges || touches_edges(entry);
    const bool last =
        i + 1 == items_.size() || !items_[i + 1].same_key(item) || entry.kind == EntryKind::Event;
    if (!last) continue;
    const bool write_edges = std::exchange(edges, false);
    if (entry.kind != EntryKind::Record) {
      add_unkept(item.group, entry);
      continue;
    }
    if (entry.purge) {
      add_purge(item.group, entry);
      continue;
    }
    if (auto added = add_row(item.group, entry); !added) return added;
    if (!write_edges) continue;
    if (auto added = add_edges(entry); !added) return added;
  }
  return {};
}

std::int32_t Renderer::column_of(std::size_t plan,
                                 const NameTable& names,
                                 NameId id,
                                 NameColumns& known) {
  if (id >= known.size()) known.resize(id + 1, kNotSeen);
  std::int32_t& column = known[id];
  if (column == kNotSeen) {
    const auto found = column_of_member_[plan].find(names.text(id));
    column = found == column_of_member_[plan].end() ? kNoColumn : found->second;
  }
  return column;
}

void Renderer::place_members(std::size_t plan, const ImageView& image) {
  slots_.assign(common_columns().size() + plans_[plan].columns.size(), nullptr);
  leftovers_.clear();
  const auto members = image[Section::Fields];
  if (members.empty()) return;
  NameColumns& known = name_columns_[plan][image.names];
  for (const Member& member : members) {
    if (member.value.is_null() || member.value.tag == Tag::Absent) continue;
    const std::int32_t column = column_of(plan, *image.names, member.name, known);
    if (column == kNoColumn) {
      leftovers_.push_back(&member);
    } else {
      slots_[static_cast<std::size_t>(column)] = &member.value;
    }
  }
}

Result<void> Renderer::add_head(RowSet& rows, const EntryView& entry, const ImageView& image) {
  std::size_t at = 0;
  const auto next = [&]() -> ArrayBuffer& { return rows.columns[at++]; };
  next().add_text(entry.org);
  next().add_text(entry.object);
  next().add_text(entry.id);
  next().add_text(entry.bu);
  add_rev(next(), entry.meta.rev);
  add_version(next(), entry.meta.version);
  add_hash(next(), entry.meta.hash);
  next().add_int4(static_cast<std::int32_t>(entry.meta.mapping_rev));
  if (auto r = add_optional_timestamp(next(), entry.meta.commit_ts); !r)
    return at_field(r.error(), entry, "commit_ts");
  next().add_bool(entry.meta.complete);
  const bool deleted = entry.op == Op::Delete;
  next().add_bool(deleted);
  if (auto r = add_optional_timestamp(next(), deleted ? entry.deleted_at : 0); !r) {
    return at_field(r.error(), entry, "deleted_at");
  }
  add_optional_text(next(), deleted ? entry.delete_reason : std::string_view{});
  add_optional_text(next(), entry.merged_into);
  add_leftovers(next(), image);
  add_section(next(), image, Section::Extra);
  add_section(next(), image, Section::Raw);
  add_violations(next(), image, entry.meta.violations);
  add_retired(next(), image, entry.meta.retired);
  HEADWATER_ASSERT(at == head_columns().size());
  return {};
}

void Renderer::add_leftovers(ArrayBuffer& out, const ImageView& image) const {
  if (leftovers_.empty()) return out.add_null();
  add_json(out, [&](std::string& json) {
    json.push_back('{');
    for (const Member* member : leftovers_) {
      if (member != leftovers_.front()) json.push_back(',');
      json.append(image.names->at(member->name).json_key);
      append_json_value(json, member->value);
    }
    json.push_back('}');
  });
}

Result<void> Renderer::add_row(std::size_t plan, const EntryView& entry) {
  RowSet& rows = upserts_[plan];
  // A deleted record keeps its last image, which a delete carries as what was before it.
  const ImageView& image = entry.op == Op::Delete ? entry.old : entry.after;
  place_members(plan, image);
  if (auto r = add_head(rows, entry, image); !r) return r;
  const auto common = common_columns();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    ArrayBuffer& out = rows.columns[head_columns().size() + i];
    const Column& column = i < common.size() ? common[i] : plans_[plan].columns[i - common.size()];
    if (slots_[i] == nullptr) {
      out.add_null();
    } else if (auto r = add_value(out, column.type, *slots_[i]); !r) {
      return at_field(r.error(), entry, column.member);
    }
  }
  return {};
}

Result<void> Renderer::add_edges(const EntryView& entry) {
  auto& source = edge_sources_.columns;
  source[0].add_text(entry.org);
  source[1].add_text(entry.id);
  add_rev(source[2], entry.meta.rev);
  if (entry.op == Op::Delete) {
    // All that a deleted record still states: where it went.
    if (entry.merged_into.empty()) return {};
    return add_edge(entry, "merged_into", entry.object, entry.merged_into);
  }
  for (const Member& member : entry.after[Section::Refs]) {
    if (!member.value.holds_text()) continue;
    const std::string_view target = member.value.text;  // org:Object:id
    const auto object_at = target.find(':'), id_at = target.rfind(':');
    if (object_at == std::string_view::npos || id_at == object_at) continue;
    auto added = add_edge(entry,
                          entry.after.names->text(member.name),
                          target.substr(object_at + 1, id_at - object_at - 1),
                          target.substr(id_at + 1));
    if (!added) return added;
  }
  return {};
}

Result<void> Renderer::add_edge(const EntryView& entry,
                                std::string_view rel,
                                std::string_view object,
                                std::string_view id) {
  auto& edge = edges_.columns;
  edge[0].add_text(entry.org);
  edge[1].add_text(entry.id);
  edge[2].add_text(rel);
  edge[3].add_text(entry.object);
  edge[4].add_text(object);
  edge[5].add_text(id);
  if (!entry.sort_at) {
    edge[6].add_null();
  } else if (auto r = add_timestamp(edge[6], *entry.sort_at); !r) {
    return at_field(r.error(), entry, "sort_at");
  }
  add_rev(edge[7], entry.meta.rev);
  return {};
}

void Renderer::add_purge(std::size_t plan, const EntryView& entry) {
  auto& keys = purges_[plan].columns;
  keys[0].add_text(entry.org);
  keys[1].add_text(entry.object);
  keys[2].add_text(entry.id);
  add_rev(keys[3], entry.meta.rev);
  auto& source = edge_sources_.columns;
  source[0].add_text(entry.org);
  source[1].add_text(entry.id);
  add_rev(source[2], entry.meta.rev);
}

/// What is of no record.
void Renderer::add_unkept(std::uint32_t group, const EntryView& entry) {
  if (entry.kind == EntryKind::Event) return add_platform(entry);
  add_mirror(group == plans_.size() ? holes_ : quarantine_, entry);
}

void Renderer::add_platform(const EntryView& entry) {
  auto& row = platform_.columns;
  row[0].add_text(entry.org);
  row[1].add_text(entry.topic);
  row[2].add_text(entry.object);
  add_rev(row[3], entry.meta.rev);
  add_timestamp_or_null(row[4], entry.meta.commit_ts);
  add_optional_text(row[5], entry.origin.commit_user);
  add_optional_text(row[6], entry.origin.event_uuid);
  row[7].add_text(to_hex(entry.origin.replay_id));
  add_optional_text(row[8], entry.origin.schema_id);
  add_json(row[9], [&](std::string& json) { json.append(entry.row); });
}

void Renderer::add_mirror(MirrorRows& mirror, const EntryView& entry) {
  if (entry.closed) {
    mirror.closed.columns[0].add_text(entry.rkey);
    return;
  }
  auto& row = mirror.open.columns;
  row[0].add_text(entry.rkey);
  add_rev(row[1], entry.meta.rev);
  add_timestamp_or_null(row[2], entry.ts_ms);
  add_json(row[3], [&](std::string& json) { json.append(entry.row); });
}

}  // namespace headwater::postgres
