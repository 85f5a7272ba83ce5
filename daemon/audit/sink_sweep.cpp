#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "daemon/audit/sink_audit.hpp"

// What only the target knows: records of an earlier ledger that went while nobody looked.

namespace headwater::audit {
namespace {

/// While some objects are not read in yet, those that are wait so long for them: a sweep reads the
/// whole target.
constexpr std::int64_t kTogetherMs = 15 * 60'000;

std::string kept_as(const std::string& sink) { return "swept:" + sink; }

}  // namespace

/// Objects that this ledger has read in, and of which this target was not swept since its birth.
Result<bool> SinkAudit::sweep_owed() {
  if (!parts_.snapshots) return false;
  const auto now = parts_.clock.monotonic_ms();
  if (swept_of_ != parts_.ledger.id()) {
    const auto kept = book_.text_of(kept_as(parts_.sink));
    if (!kept) return kept.error();
    swept_.clear();
    swept_of_ = parts_.ledger.id();
    sweep_at_ = now + kTogetherMs;
    std::string_view text = *kept;
    for (bool first = true; !text.empty(); first = false) {
      const auto end = std::min(text.find('\n'), text.size());
      // Of an earlier birth: nothing is swept yet.
      if (first && text.substr(0, end) != swept_of_) break;
      if (!first) swept_.emplace(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  const auto snapshots = parts_.snapshots();
  sweeping_.clear();
  std::ranges::set_difference(
      snapshots.read_in, swept_, std::inserter(sweeping_, sweeping_.begin()));
  if (snapshots.filling || (now < sweep_at_ && (!snapshots.all || sweep_failed_)))
    sweeping_.clear();
  return !sweeping_.empty();
}

/// Every key that the target holds and the ledger has never seen. Each is asked of the org by id:
/// what lives there is read in, what does not is told as deleted, under the brake of all deletions
/// that no event states.
Result<Step> SinkAudit::sweep() {
  std::set<std::string> strays;
  more_strays_ = false;
  for (const auto& org : parts_.orgs) {
    const auto read = reader_->each_key(
        org, [&](std::span<const std::string> rkeys) { return find_strays(rkeys, strays); });
    if (!read) return read.error();
  }
  std::vector<Looked> found;
  std::vector<RecordName> names;
  for (const auto& rkey : strays) names.push_back({rkey, {}});
  std::vector<std::optional<Held>> held;
  if (log_ && !names.empty()) {  // it names what it held once, too
    auto looked = reader_->read(names);
    if (!looked) return looked.error();
    held = std::move(*looked);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!held.empty() && (!held[i] || held[i]->deleted)) continue;
    found.push_back({names[i].rkey, {}, Look::NotOwed, "the ledger has never seen it"});
  }
  strays_left_ = found.size();
  receipt_.suspects += found.size();
  receipt_.proven += found.size();
  if (auto opened = open_strays(found); !opened) return opened.error();
  findings_ = std::move(found);
  heal_until_ = parts_.clock.monotonic_ms() + kStrayPatienceMs;
  phase_ = Phase::Heal;
  return Step::again();
}

Result<void> SinkAudit::find_strays(std::span<const std::string> rkeys,
                                    std::set<std::string>& strays) {
  parts_.health.beat();
  const auto heads = parts_.ledger.heads(rkeys);
  if (!heads) return heads.error();
  for (std::size_t i = 0; i < rkeys.size(); ++i) {
    if ((*heads)[i]) continue;
    const auto key = RecordKey::parse(rkeys[i]);
    if (!key || !sweeping_.contains(fmt::format("{}:{}", key->org, key->object))) continue;
    if (strays.size() < kSuspectsMax)
      strays.insert(rkeys[i]);
    else
      more_strays_ = true;
  }
  return {};
}

Result<void> SinkAudit::open_strays(std::span<const Looked> found) {
  std::vector<ledger::Hole> holes;
  for (const auto& stray : found) {
    const auto key = *RecordKey::parse(stray.rkey);
    const auto open = book_.hole_of(key.org, key.object, key.id.view());
    if (!open) return open.error();
    if (*open) continue;  // asked before: the brake holds it, or the org cannot be asked
    auto noted = parts_.ledger.note_version(key.org);
    if (!noted) return noted.error();
    auto& hole = holes.emplace_back(ledger::stray_hole(
        key, fmt::format("audit {}: {} alone holds it", receipt_.run, parts_.sink)));
    hole.version = *noted;
  }
  return holes.empty() ? Result<void>() : book_.open(holes);
}

/// All that was found is answered: on to the next ones, or to what else the pass is for.
Result<Step> SinkAudit::after_sweep() {
  const auto now = parts_.clock.monotonic_ms();
  if (strays_left_ == 0 && more_strays_) {
    phase_ = Phase::Sweep;
    return Step::again();
  }
  sweep_failed_ = strays_left_ > 0;
  sweep_at_ = now + kTogetherMs;
  if (!sweep_failed_) {
    swept_.insert(sweeping_.begin(), sweeping_.end());
    std::string text = swept_of_;
    for (const auto& object : swept_) text += "\n" + object;
    if (auto kept = book_.keep(kept_as(parts_.sink), text); !kept) return kept.error();
  }
  sweeping_.clear();
  phase_ = log_ ? Phase::Again : Phase::Walk;
  return Step::again();
}

}  // namespace headwater::audit
