#include "daemon/pipeline/hidden_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "daemon/ledger/audit_book.hpp"

namespace headwater {
namespace {

std::string row_name(std::string_view org, std::string_view object) {
  return fmt::format("fields:{}:{}", org, object);
}

/// `Tier__c`, `Place__c.Latitude`, a person account's `Tier__pc`.
bool is_custom(std::string_view path) {
  const auto name = path.substr(0, path.find('.'));
  return name.ends_with("__c") || name.ends_with("__pc");
}

using Paths = std::set<std::string, std::less<>>;

/// A compound as a whole is shown if a part of it is.
bool shows(const Paths& shown, std::string_view path) {
  const auto at = shown.lower_bound(path);
  if (at != shown.end() && *at == path) return true;
  const auto part = shown.lower_bound(std::string(path) + '.');
  return part != shown.end() && part->starts_with(std::string(path) + '.');
}

}  // namespace

HiddenFields::HiddenFields(std::string org, ledger::Ledger& ledger)
    : org_(std::move(org)), ledger_(ledger) {
  const auto prefix = row_name(org_, "");
  const auto rows = ledger::AuditBook(ledger_).kept(prefix);
  if (!rows) return;  // the ledger fails then, and says so
  for (const auto& [name, text] : *rows) {
    Object known;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.size() > 1)
        (line.front() == '-' ? known.hidden : known.shown).insert(line.substr(1));
    }
    publish(name.substr(prefix.size()), std::move(known));
  }
}

Result<void> HiddenFields::described(const salesforce::ObjectDescription& object) {
  Object known, before;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = objects_.find(object.name); at != objects_.end()) before = at->second;
  }
  for (const auto& field : object.fields) known.shown.insert(field.path);
  const NameTable& names = ledger_.names(org_, object.name);
  for (NameId id = 0; id < names.size(); ++id) {
    const auto path = names.text(id);
    if (is_custom(path) && !shows(known.shown, path)) known.hidden.emplace(path);
  }
  for (const auto* earlier : {&before.shown, &before.hidden}) {
    for (const auto& path : *earlier) {
      if (!shows(known.shown, path)) known.hidden.insert(path);
    }
  }
  if (known.shown == before.shown && known.hidden == before.hidden) return {};
  std::string text;
  for (const auto& path : known.shown) text += '+' + path + '\n';
  for (const auto& path : known.hidden) text += '-' + path + '\n';
  auto kept = ledger::AuditBook(ledger_).keep(row_name(org_, object.name), text);
  if (!kept) return kept;
  publish(object.name, std::move(known));
  return {};
}

void HiddenFields::publish(const std::string& object, Object known) {
  if (!known.hidden.empty()) {
    NameTable& names = ledger_.names(org_, object);
    std::vector<NameId> ids;
    for (const auto& path : known.hidden) ids.push_back(names.intern(path));
    std::ranges::sort(ids);
    known.names = std::make_shared<const std::vector<NameId>>(std::move(ids));
  }
  const std::lock_guard lock(mutex_);
  objects_[object] = std::move(known);
  ++changes_;
}

HiddenFields::Names HiddenFields::of(const std::string& object) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(object);
  return at == objects_.end() ? nullptr : at->second.names;
}

}  // namespace headwater
