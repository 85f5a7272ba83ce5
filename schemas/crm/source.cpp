#include "schemas/crm/source.hpp"

#include <algorithm>
#include <cmath>

#include "schemas/core/json_text.hpp"
#include "schemas/crm/text.hpp"

namespace headwater::crm {
namespace {

/// A number that JSON cannot write (no source should send one) reads as null.
bool writable(const ValueView& value) {
  return !nothing(value) && (value.tag != Tag::Double || std::isfinite(value.real));
}

}  // namespace

SourceNames::SourceNames(const NameTable& names) {
  const auto size = static_cast<NameId>(names.size());
  entries_.reserve(size);
  for (NameId id = 0; id < size; ++id) entries_.push_back({names.text(id), id});
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.text < b.text;
  });
}

NameId SourceNames::find(std::string_view path) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), path, [](const Entry& e, std::string_view p) {
        return e.text < p;
      });
  return at != entries_.end() && at->text == path ? at->id : kNoName;
}

std::span<const SourceNames::Entry> SourceNames::children(std::string_view path) const {
  const std::string prefix = std::string(path) + '.';
  const auto from = std::lower_bound(
      entries_.begin(), entries_.end(), prefix, [](const Entry& e, const std::string& p) {
        return e.text < p;
      });
  const auto to = std::find_if(
      from, entries_.end(), [&](const Entry& e) { return !e.text.starts_with(prefix); });
  return {from, to};
}

SourcePath SourcePath::resolve(const SourceNames& names, std::string_view path) {
  SourcePath out;
  out.self = names.find(path);
  for (const auto& entry : names.children(path)) {
    out.children.push_back({entry.text.substr(path.size() + 1), entry.id});
  }
  return out;
}

NameId SourcePath::child(std::string_view name) const {
  const auto at = std::find_if(
      children.begin(), children.end(), [&](const Child& c) { return c.name == name; });
  return at == children.end() ? kNoName : at->id;
}

bool SourcePath::any_child(const RawSlots& raw) const {
  return std::any_of(
      children.begin(), children.end(), [&](const Child& c) { return !nothing(slot(raw, c.id)); });
}

bool append_parts(std::string& out,
                  const RawSlots& raw,
                  std::span<const CompoundPart> parts,
                  std::span<const NameId> ids) {
  if (std::none_of(ids.begin(), ids.end(), [&](NameId id) { return writable(slot(raw, id)); })) {
    return false;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out.append(i == 0 ? "{\"" : ",\"").append(parts[i].key).append("\":");
    const ValueView& value = slot(raw, ids[i]);
    append_json_value(out, writable(value) ? value : ValueView::null());
  }
  out.push_back('}');
  return true;
}

bool append_children(std::string& out, const RawSlots& raw, const SourcePath& path) {
  bool any = false;
  for (const auto& child : path.children) {
    const ValueView& value = slot(raw, child.id);
    if (!writable(value)) continue;
    out.push_back(any ? ',' : '{');
    any = true;
    append_json_string(out, child.name);
    out.push_back(':');
    append_json_value(out, value);
  }
  if (any) out.push_back('}');
  return any;
}

void append_person_name(std::string& out, const RawSlots& raw, const SourcePath& path) {
  static constexpr std::array<std::string_view, 4> kParts{
      "FirstName", "MiddleName", "LastName", "Suffix"};
  const std::size_t from = out.size();
  for (const auto part : kParts) {
    const ValueView& value = slot(raw, path.child(part));
    if (!value.holds_text() || trimmed(value.text).empty()) continue;
    if (out.size() != from) out.push_back(' ');
    out += trimmed(value.text);
  }
  const ValueView& plain = slot(raw, path.self);
  if (out.size() == from && plain.holds_text()) out += plain.text;
}

}  // namespace headwater::crm
