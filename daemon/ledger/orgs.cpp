#include "daemon/ledger/orgs.hpp"

#include <algorithm>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;
/// Far above what an org has; what is noted beyond it is learned with the others all the same.
constexpr std::size_t kUnknownTypesMax = 1'000;
/// An event this much later than the high-water mark, with a smaller number: the numbers restarted.
constexpr EpochMs kBumpAfterMs = 10 * 60 * 1000;
/// Commit times of one instance may be this much out of order around a restart.
constexpr EpochMs kEpochSlackMs = 5 * 60 * 1000;

Error damaged(std::string_view key) {
  return fatal("ledger: the row " + std::string(key) +
               " is damaged or of a newer format; start the version that wrote it, or restore a "
               "backup");
}

}  // namespace

std::uint32_t Epochs::place(std::int64_t commit_number, EpochMs commit_ts) {
  auto epoch = newest();
  while (epoch > 1 && starts_[epoch - 2] - kEpochSlackMs > commit_ts) --epoch;
  if (epoch < newest()) return epoch;  // older: never touches the newest one's mark
  if (commit_number < high_number_ && commit_ts > high_ts_ + kBumpAfterMs) {
    starts_.push_back(commit_ts);
    high_number_ = commit_number;
    high_ts_ = commit_ts;
    return newest();
  }
  if (commit_number > high_number_) {
    high_number_ = commit_number;
    high_ts_ = commit_ts;
  }
  return epoch;
}

void Epochs::put(std::string& out) const {
  put_varint(out, starts_.size());
  for (const EpochMs start : starts_) put_signed(out, start);
  put_signed(out, high_number_);
  put_signed(out, high_ts_);
}

bool Epochs::read(ByteReader& reader) {
  const std::uint64_t count = reader.varint();
  if (count > reader.left()) return false;
  starts_.clear();
  for (std::uint64_t i = 0; i < count; ++i) starts_.push_back(reader.signed_varint());
  high_number_ = reader.signed_varint();
  high_ts_ = reader.signed_varint();
  return reader.ok();
}

void put_facts(std::string& out, const crm::OrgFacts& facts) {
  put_text(out, facts.name);
  put_text(out, facts.currency);
  put_text(out, facts.region);
  std::vector<std::pair<std::string, std::string>> prefixes(facts.object_by_prefix.begin(),
                                                            facts.object_by_prefix.end());
  std::ranges::sort(prefixes);  // equal facts give equal bytes: that is how they are compared
  put_varint(out, prefixes.size());
  for (const auto& [prefix, object] : prefixes) {
    put_text(out, prefix);
    put_text(out, object);
  }
  put_varint(out, facts.record_types.size());
  for (const auto& [id, name] : facts.record_types) {
    put_text(out, id);
    put_text(out, name);
  }
  if (facts.retired.empty()) return;
  put_varint(out, facts.retired.size());
  for (const auto& [object, paths] : facts.retired) {
    put_text(out, object);
    put_varint(out, paths.size());
    for (const auto& path : paths) put_text(out, path);
  }
}

FactsFormat format_of(const crm::OrgFacts& facts) {
  return facts.retired.empty() ? FactsFormat::RecordTypes : FactsFormat::Retired;
}

bool read_facts(ByteReader& reader, FactsFormat format, crm::OrgFacts& facts) {
  facts.name = reader.text();
  facts.currency = reader.text();
  facts.region = reader.text();
  const std::uint64_t count = reader.varint();
  if (count > reader.left()) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string prefix(reader.text());
    facts.object_by_prefix[prefix] = reader.text();
  }
  if (format == FactsFormat::Plain) return reader.ok();
  const std::uint64_t types = reader.varint();
  if (types > reader.left()) return false;
  for (std::uint64_t i = 0; i < types; ++i) {
    const std::string id(reader.text());
    facts.record_types[id] = reader.text();
  }
  if (format == FactsFormat::RecordTypes) return reader.ok();
  const std::uint64_t objects = reader.varint();
  if (objects > reader.left()) return false;
  for (std::uint64_t i = 0; i < objects; ++i) {
    auto& paths = facts.retired[std::string(reader.text())];
    const std::uint64_t many = reader.varint();
    if (many > reader.left()) return false;
    for (std::uint64_t j = 0; j < many; ++j) paths.emplace(reader.text());
  }
  return reader.ok();
}

Result<void> Orgs::load() {
  auto scan = store_.scan(Family::Meta, kOrgPrefix);
  for (; scan->valid() && scan->key().starts_with(kOrgPrefix); scan->next()) {
    Org& org = of(scan->key().substr(kOrgPrefix.size()));
    ByteReader reader(scan->value());
    if (reader.byte() != kFormat) return damaged(scan->key());
    org.id = reader.text();
    if (!org.epochs.read(reader)) return damaged(scan->key());
    // Numbers reserved but not given out are skipped, so that none is given twice.
    org.queries = org.queries_kept = reader.varint();
    if (!reader.ok()) return damaged(scan->key());
  }
  if (auto ok = scan->status(); !ok) return ok;
  scan = store_.scan(Family::Meta, kFactsPrefix);
  for (; scan->valid() && scan->key().starts_with(kFactsPrefix); scan->next()) {
    Org& org = of(scan->key().substr(kFactsPrefix.size()));
    ByteReader reader(scan->value());
    auto facts = std::make_shared<crm::OrgFacts>();
    const auto format = static_cast<FactsFormat>(reader.byte());
    if (format < FactsFormat::Plain || format > FactsFormat::Retired) return damaged(scan->key());
    if (!read_facts(reader, format, *facts)) return damaged(scan->key());
    org.facts = std::move(facts);
    org.facts_known = true;
  }
  return scan->status();
}

Org& Orgs::of(std::string_view name) {
  const std::lock_guard lock(mutex_);
  auto at = orgs_.find(name);
  if (at == orgs_.end()) {
    at = orgs_.emplace(std::string(name), Org{}).first;
    at->second.name = name;
    auto facts = std::make_shared<crm::OrgFacts>();
    facts->name = name;
    at->second.facts = std::move(facts);
  }
  return at->second;
}

std::vector<std::string> Orgs::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, org] : orgs_) out.push_back(name);
  return out;
}

void Orgs::set_id(Org& org, std::string_view id) {
  const std::lock_guard lock(mutex_);
  org.id = id;
  org.dirty = true;
}

void Orgs::set_facts(Org& org, const crm::OrgFacts& facts, StoreBatch& batch) {
  std::string bytes;
  put_byte(bytes, static_cast<std::uint8_t>(format_of(facts)));
  put_facts(bytes, facts);
  batch.put(Family::Meta, std::string(kFactsPrefix) + org.name, bytes);
  const std::lock_guard lock(mutex_);
  org.facts = std::make_shared<crm::OrgFacts>(facts);
  org.facts_known = true;
  org.awaited.reset();
  std::erase_if(org.unknown_record_types,
                [&](const std::string& id) { return facts.record_types.contains(id); });
}

void Orgs::await_facts(Org& org, std::optional<crm::OrgFacts> facts) {
  const std::lock_guard lock(mutex_);
  org.awaited = std::move(facts);
}

void Orgs::stage(StoreBatch& batch) {
  const std::lock_guard lock(mutex_);  // a reader may be adding an org
  for (auto& [name, org] : orgs_) {
    if (!org.dirty) continue;
    std::string bytes;
    put_byte(bytes, kFormat);
    put_text(bytes, org.id);
    org.epochs.put(bytes);
    put_varint(bytes, org.queries_kept);
    batch.put(Family::Meta, std::string(kOrgPrefix) + name, bytes);
    org.dirty = false;
  }
}

std::string Orgs::id(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = orgs_.find(name);
  return at == orgs_.end() ? std::string() : at->second.id;
}

std::optional<crm::OrgFacts> Orgs::facts(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = orgs_.find(name);
  if (at == orgs_.end() || !at->second.facts_known) return std::nullopt;
  const Org& org = at->second;
  return org.awaited ? *org.awaited : *org.facts;
}

void Orgs::note_unknown_record_type(Org& org, std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (org.unknown_record_types.size() < kUnknownTypesMax) org.unknown_record_types.emplace(id);
}

std::vector<std::string> Orgs::unknown_record_types(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = orgs_.find(name);
  if (at == orgs_.end()) return {};
  const auto& all = at->second.unknown_record_types;
  return {all.begin(), all.end()};
}

std::shared_ptr<const crm::OrgFacts> Orgs::projection_facts(std::string_view name) {
  Org& org = of(name);
  const std::lock_guard lock(mutex_);
  return org.facts;
}

}  // namespace headwater::ledger
