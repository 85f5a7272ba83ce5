#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/ledger_impl.hpp"

// What `headwater verify` asks of a running ledger: states in key order, and one record's story.

namespace headwater::ledger {

Result<void> Ledger::read_keys(std::string_view after,
                               std::size_t entries_max,
                               std::size_t bytes_max,
                               EntryBatch& out,
                               std::string& last) {
  return impl_->reader_.scan(after, entries_max, bytes_max, out, last);
}

Result<std::vector<std::optional<RecordHead>>> Ledger::heads(std::span<const std::string> rkeys) {
  return impl_->reader_.heads(rkeys);
}

Result<std::optional<RecordFacts>> Ledger::facts_of(const RecordKey& key) {
  return impl_->reader_.facts_of(key);
}

Result<std::optional<RecordFacts>> StateReader::facts_of(const RecordKey& key) {
  const std::lock_guard lock(mutex_);
  auto found = store_.get(Family::Records, key.str(), bytes_);
  if (!found) return found.error();
  if (!*found) return std::optional<RecordFacts>{};
  if (!codec_.decode(bytes_, state_))
    return fatal(fmt::format("ledger: the state of {} is damaged or of a newer format", key.str()));
  RecordFacts facts;
  facts.head = {state_.meta.rev, state_.deleted()};
  facts.complete = state_.complete;
  facts.refetch_owed = state_.refetch_owed;
  facts.base = state_.base;
  facts.alive = state_.alive;
  facts.dead = state_.dead;
  facts.newest = state_.newest;
  facts.known_to = state_.known_to();
  NameTable& names = names_.of(key.org, key.object);
  for (const auto& field : state_.fv)
    facts.fields.emplace_back(std::string(names.text(field.name)), field.version);
  return std::optional<RecordFacts>(std::move(facts));
}

Result<std::vector<std::optional<RecordHead>>> StateReader::heads(
    std::span<const std::string> rkeys) {
  const std::lock_guard lock(mutex_);
  std::vector<std::optional<RecordHead>> out;
  for (const auto& rkey : rkeys) {
    auto& head = out.emplace_back();
    auto found = store_.get(Family::Records, rkey, bytes_);
    if (!found) return found.error();
    if (*found && codec_.decode(bytes_, state_) && state_.meta.rev.value != 0)
      head = RecordHead{state_.meta.rev, state_.meta.deleted};
  }
  return out;
}

Result<void> StateReader::scan(std::string_view after,
                               std::size_t entries_max,
                               std::size_t bytes_max,
                               EntryBatch& out,
                               std::string& last) {
  const std::lock_guard lock(mutex_);
  last.clear();
  // The first key behind `after`: a zero byte makes the smallest longer one.
  std::string from(after);
  if (!from.empty()) from.push_back('\0');
  auto at = store_.scan(Family::Records, from);
  std::size_t entries = 0, bytes = 0;
  for (; at->valid() && entries < entries_max && bytes < bytes_max; at->next()) {
    last = at->key();
    auto added = add(last, std::nullopt, out, bytes);
    if (!added) return added.error();
    if (*added) ++entries;
  }
  return at->valid() ? Result<void>() : at->status();
}

}  // namespace headwater::ledger
