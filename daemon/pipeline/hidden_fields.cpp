#include "daemon/pipeline/hidden_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

std::string row_name(std::string_view org, std::string_view object) {
  return fmt::format("fields:{}:{}", org, object);
}

/// How old the time of the last describe may be that is kept.
constexpr EpochMs kKeepMs = 10 * 60'000;

/// Mute until the hole has an end.
constexpr EpochMs kNoEnd = std::numeric_limits<EpochMs>::max();

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

HiddenFields::HiddenFields(std::string org, ledger::Ledger& ledger, const Clock& clock)
    : org_(std::move(org)), ledger_(ledger), clock_(clock) {
  const auto prefix = row_name(org_, "");
  const auto rows = ledger::AuditBook(ledger_).kept(prefix);
  if (!rows) return;  // the ledger fails then, and says so
  for (const auto& [name, text] : *rows) {
    Object known;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) read_line(line, known);
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
  known.described_at = clock_.now_ms();
  // First the doubt: a crash between the two finds the field hidden, and shown again.
  if (auto doubted = doubt_shown_again(object.name, before, known); !doubted) return doubted;
  const bool news =
      known.shown != before.shown || known.hidden != before.hidden || known.again != before.again;
  const EpochMs age = known.described_at - before.described_at;
  if (!news && age >= 0 && age < kKeepMs) return {};
  for (const auto& path : known.hidden) {
    const auto earlier = before.since.find(path);
    known.since[path] = earlier != before.since.end() ? earlier->second
                        : shows(before.shown, path)   ? before.described_at
                                                      : 0;
  }
  if (auto kept = keep(object.name, known); !kept) return kept;
  const bool told = known.hidden == before.hidden;
  publish(object.name, std::move(known));
  return told ? Result<void>() : tell_facts();
}

/// Facts that are not known yet are learned with all().
Result<void> HiddenFields::tell_facts() {
  auto facts = ledger_.org_facts(org_);
  if (!facts) return {};
  facts->retired = all();
  return ledger_.set_org_facts(*facts);
}

crm::RetiredPaths HiddenFields::all() const {
  const std::lock_guard lock(mutex_);
  crm::RetiredPaths out;
  for (const auto& [object, known] : objects_) {
    if (!known.hidden.empty()) out.emplace(object, known.hidden);
  }
  return out;
}

Result<void> HiddenFields::doubt_shown_again(const std::string& object,
                                             const Object& before,
                                             Object& known) {
  if (!before.again.empty()) {
    const auto holes = ledger_.wide_holes(org_);
    const bool is_open = std::ranges::any_of(holes, [&](const ledger::Hole& hole) {
      return hole.cause == ledger::kFieldHidden && hole.object == object && hole.to_ts == 0;
    });
    for (const auto& [path, until] : before.again) {
      if (!known.hidden.contains(path) && (is_open || until != kNoEnd))
        known.again.emplace(path, until);
    }
  }
  std::string paths;
  EpochMs from = known.described_at;
  for (const auto& path : before.hidden) {
    if (known.hidden.contains(path)) continue;
    known.again[path] = kNoEnd;
    paths += (paths.empty() ? "" : ", ") + path;
    const auto since = before.since.find(path);
    from = std::min(from, since == before.since.end() ? 0 : since->second);
  }
  if (paths.empty()) return {};
  const auto counts = ledger_.counts();
  const bool has_records = std::ranges::any_of(counts, [&](const auto& count) {
    return count.org == org_ && count.object == object && count.alive + count.deleted > 0;
  });
  if (!has_records) {
    known.again.clear();
    return {};
  }
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Object;
  hole.org = org_;
  hole.object = object;
  hole.cause = ledger::kFieldHidden;
  hole.from_ts = ledger_.last_snapped(org_, object) ? 0 : from;
  hole.detail =
      fmt::format("the org shows it again since {}: {}; what was told or read before lacks it",
                  format_datetime(known.described_at),
                  paths);
  log::info("fields are shown again", {{"org", org_}, {"object", object}, {"fields", paths}});
  return ledger_.open_hole(hole);
}

Result<void> HiddenFields::end_hole(ledger::Hole hole, const Listening& by) {
  // Nothing promises that an event comes soon after its commit.
  if (!have_told(by, hole.object, noticed_at(hole, by.now) + by.settle.count())) return {};
  Object known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = objects_.find(hole.object); at != objects_.end()) known = at->second;
  }
  const auto is_open = [](const auto& it) { return it.second == kNoEnd; };
  if (std::ranges::any_of(known.again, is_open)) {
    // First: else a crash between the two would leave them so for ever. By the org's clock alone:
    // ours may have been wrong, then or now.
    EpochMs told = 0;
    for (const auto& stream : by.streams) told = std::max(told, stream.newest_commit);
    for (auto& [path, until] : known.again) {
      if (until == kNoEnd) until = told;
    }
    if (auto kept = keep(hole.object, known); !kept) return kept;
    publish(hole.object, std::move(known));
  }
  hole.to_ts = by.now;
  return ledger_.open_hole(hole);
}

/// A line each: `+PATH` shown, `-PATH` hidden, `?PATH` shown again, `!MS PATH` the same and mute
/// until then, `~MS PATH` hidden and shown until then, `@MS` when it was described.
Result<void> HiddenFields::keep(const std::string& object, const Object& known) {
  std::string text = fmt::format("@{}\n", known.described_at);
  for (const auto& path : known.shown) text += '+' + path + '\n';
  for (const auto& path : known.hidden) text += '-' + path + '\n';
  for (const auto& [path, until] : known.again)
    text += until == kNoEnd ? fmt::format("?{}\n", path) : fmt::format("!{} {}\n", until, path);
  for (const auto& [path, ms] : known.since) {
    if (ms != 0) text += fmt::format("~{} {}\n", ms, path);
  }
  return ledger::AuditBook(ledger_).keep(row_name(org_, object), text);
}

void HiddenFields::read_line(std::string_view line, Object& known) {
  if (line.size() < 2) return;
  const char kind = line.front();
  line.remove_prefix(1);
  if (kind == '+') known.shown.emplace(line);
  if (kind == '-') known.hidden.emplace(line);
  if (kind == '?') known.again.emplace(line, kNoEnd);
  EpochMs ms = 0;
  const auto [end, failed] = std::from_chars(line.data(), line.data() + line.size(), ms);
  if (failed != std::errc()) return;
  if (kind == '@') known.described_at = ms;
  const auto used = static_cast<std::size_t>(end - line.data()) + 1;
  if (used >= line.size()) return;
  if (kind == '~') known.since.emplace(line.substr(used), ms);
  if (kind == '!') known.again.emplace(line.substr(used), ms);
}

void HiddenFields::publish(const std::string& object, Object known) {
  known.names.reset();
  if (!known.hidden.empty() || !known.again.empty()) {
    NameTable& names = ledger_.names(org_, object);
    std::vector<Mute> mute;
    for (const auto& path : known.hidden) mute.push_back({names.intern(path), kNoEnd});
    for (const auto& [path, until] : known.again) mute.push_back({names.intern(path), until});
    std::ranges::sort(mute, {}, &Mute::name);
    known.names = std::make_shared<const std::vector<Mute>>(std::move(mute));
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
