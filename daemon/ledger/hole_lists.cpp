#include <algorithm>

#include "daemon/ledger/hole_rows.hpp"
#include "daemon/ledger/holes.hpp"
#include "daemon/ledger/keys.hpp"
#include "schemas/model/topic.hpp"

// The open holes, and the closed ones, as others ask for them: all, or those that are due.

namespace headwater::ledger {
namespace {

/// Keys that one pass over an org's record holes keeps: later calls need no pass of their own.
constexpr std::size_t kRunMax = 20'000;
/// No try is put off for longer. One that lies further ahead was set while the clock was wrong.
constexpr EpochMs kPutOffMax = 60LL * 60 * 1000;

bool is_due(const Hole& hole, EpochMs now) {
  return hole.next_try <= now || hole.next_try > now + kPutOffMax;
}

}  // namespace

std::vector<Hole> Holes::list(std::size_t most) const {
  // Stretches and objects first: they are few, and a flood of record holes must not hide them.
  // Deletions last: they doubt no data, and must not hide what does.
  std::vector<Hole> out, records, deletions;
  auto scan = store_.scan(Family::Holes, "");
  for (; scan->valid() && out.size() < most; scan->next()) {
    auto hole = read_hole(scan->key(), scan->value());
    if (!hole) continue;
    if (hole->wide()) {
      out.push_back(std::move(*hole));
    } else if (auto& kept = hole->scope == Hole::Scope::Deletion ? deletions : records;
               kept.size() < most) {
      kept.push_back(std::move(*hole));
    }
  }
  for (auto* kept : {&records, &deletions}) {
    const std::size_t room = std::min(kept->size(), most - out.size());
    std::move(
        kept->begin(), kept->begin() + static_cast<std::ptrdiff_t>(room), std::back_inserter(out));
  }
  return out;
}

std::vector<Hole> Holes::wide(std::string_view org) const {
  std::vector<Hole> out;
  for (const std::string_view scope : {"o", "s"}) {
    const std::string prefix = make_key(org, scope, "");
    auto scan = store_.scan(Family::Holes, prefix);
    for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
      if (auto hole = read_hole(scan->key(), scan->value())) out.push_back(std::move(*hole));
    }
  }
  return out;
}

std::vector<Hole> Holes::of_sink(std::string_view org, std::string_view sink) const {
  std::vector<Hole> out;
  const std::string prefix = make_key(org, "k", "");
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    auto hole = read_hole(scan->key(), scan->value());
    if (hole && hole->sink == sink) out.push_back(std::move(*hole));
  }
  return out;
}

std::vector<Hole> Holes::due(std::string_view org, EpochMs now, std::size_t most) const {
  const std::lock_guard lock(runs_mutex_);
  auto at = runs_.find(org);
  if (at == runs_.end()) at = runs_.emplace(std::string(org), Run{}).first;
  Run& run = at->second;
  std::vector<Hole> out;
  const auto serve = [&] {
    // Holes that were closed or put off since the pass leave the run; the others stay in front.
    std::vector<std::string> kept;
    std::size_t i = 0;
    std::string bytes;
    for (; i < run.keys.size() && out.size() < most; ++i) {
      auto found = store_.get(Family::Holes, run.keys[i], bytes);
      if (!found || !*found) continue;
      auto hole = read_hole(run.keys[i], bytes);
      if (!hole || !is_due(*hole, now)) continue;
      out.push_back(std::move(*hole));
      kept.push_back(std::move(run.keys[i]));
    }
    kept.insert(kept.end(),
                std::make_move_iterator(run.keys.begin() + static_cast<std::ptrdiff_t>(i)),
                std::make_move_iterator(run.keys.end()));
    run.keys = std::move(kept);
  };
  serve();
  if (!out.empty() || now < run.next_pass) return out;

  const std::string prefix = make_key(org, "r", "");
  using Due = std::pair<EpochMs, std::string>;
  std::vector<Due> heap;  // the oldest kRunMax; its top is the youngest of them
  EpochMs earliest = std::numeric_limits<EpochMs>::max();
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    const auto hole = read_hole(scan->key(), scan->value());
    if (!hole) continue;
    if (!is_due(*hole, now)) {
      earliest = std::min(earliest, hole->next_try);
      continue;
    }
    if (heap.size() == kRunMax && hole->opened_at >= heap.front().first) continue;
    heap.emplace_back(hole->opened_at, std::string(scan->key()));
    std::ranges::push_heap(heap);
    if (heap.size() > kRunMax) {
      std::ranges::pop_heap(heap);
      heap.pop_back();
    }
  }
  std::ranges::sort(heap);
  run.keys.clear();
  for (auto& [opened_at, key] : heap) run.keys.push_back(std::move(key));
  run.next_pass = heap.empty() ? earliest : 0;
  serve();
  return out;
}

std::vector<Hole> Holes::due_fates(std::string_view org, EpochMs now, std::size_t most) const {
  const std::string prefix = make_key(org, "d", "");
  std::vector<Hole> out;
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix) && out.size() < most; scan->next()) {
    auto hole = read_hole(scan->key(), scan->value());
    if (hole && is_due(*hole, now)) out.push_back(std::move(*hole));
  }
  return out;
}

std::vector<Hole> Holes::closed(std::size_t most) const {
  std::vector<Hole> out;
  for (const auto* archive : {&archive_, &closed_records_, &closed_routine_}) {
    const auto from = static_cast<std::ptrdiff_t>(out.size());
    archive->walk([&](std::string_view bytes) {
      if (auto hole = read_closed_hole(bytes)) out.push_back(std::move(*hole));
      return true;
    });
    std::reverse(out.begin() + from, out.end());
  }
  if (out.size() > most) out.resize(most);
  return out;
}

bool Holes::any_record(std::string_view org,
                       std::string_view object,
                       std::string_view cause) const {
  const std::string prefix = make_key(org, "r", object, "");
  const auto is_one = [&](std::string_view key, std::string_view bytes) {
    const auto hole = key.starts_with(prefix) ? read_hole(key, bytes) : std::nullopt;
    return hole && hole->cause == cause;
  };
  for (const auto& [key, bytes] : holes_) {
    if (bytes && is_one(key, *bytes)) return true;
  }
  auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    if (!holes_.contains(scan->key()) && is_one(scan->key(), scan->value())) return true;
  }
  return false;
}

bool Holes::record_stretch_open(std::string_view org) const {
  const std::string prefix = make_key(org, "s", "");
  const auto scan = store_.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    if (!is_platform_topic(scan->key().substr(prefix.size()))) return true;
  }
  return false;
}

}  // namespace headwater::ledger
