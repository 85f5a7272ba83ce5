#include "daemon/ledger/state_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/platform_events.hpp"
#include "daemon/ledger/publisher.hpp"

namespace headwater::ledger {
namespace {

/// States that one pass keeps: some 10 MB.
constexpr std::size_t kRunMax = 100'000;
/// Materializations at once: one per sink, and some to spare.
constexpr std::size_t kRunsMax = 8;

/// A copy whose members and texts live in the batch.
ImageView copy_image(const ImageView& image, EntryBatch& out) {
  ImageView copy;
  copy.names = image.names;
  for (std::size_t s = 0; s < kSections; ++s) {
    const auto members = image.sections[s];
    if (members.empty()) continue;
    auto* made = static_cast<Member*>(
        out.arena().allocate(members.size() * sizeof(Member), alignof(Member)));
    for (std::size_t i = 0; i < members.size(); ++i) {
      Member* member = new (made + i) Member(members[i]);
      if (member->value.holds_text()) member->value.text = out.keep(member->value.text);
    }
    copy.sections[s] = {made, members.size()};
  }
  return copy;
}

Origin copy_origin(const Origin& origin, EntryBatch& out) {
  Origin copy = origin;
  for (auto* text : {&copy.commit_user,
                     &copy.change_origin,
                     &copy.transaction_key,
                     &copy.schema_id,
                     &copy.event_uuid,
                     &copy.replay_id,
                     &copy.change_id}) {
    *text = out.keep(*text);
  }
  return copy;
}

}  // namespace

void StateReader::set_mapping(std::shared_ptr<const crm::Mapping> mapping) {
  const std::lock_guard lock(mutex_);
  mapping_ = std::move(mapping);
  projectors_.clear();
}

void StateReader::facts_changed() {
  const std::lock_guard lock(mutex_);
  projectors_.clear();
}

ObjectProjector& StateReader::projector(std::string_view org, std::string_view object) {
  auto& kept = projectors_[make_key(org, object)];
  if (!kept) {
    kept = std::make_unique<ObjectProjector>(
        mapping_, orgs_.projection_facts(org), object, names_.of(org, object));
  }
  return *kept;
}

Result<void> StateReader::pass(Run& run) {
  run.items.clear();
  run.at = 0;
  const std::string prefix = run.org + ":";
  auto scan = store_.scan(Family::Records, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    const Rev rev = RecordCodec::rev_of(scan->value());
    if (rev <= run.served || rev > run.upto) continue;
    if (run.items.size() == kRunMax && rev > run.items.front().rev) continue;
    run.items.push_back({rev, std::string(scan->key())});
    std::ranges::push_heap(run.items, std::less<>());  // front: the greatest rev
    if (run.items.size() > kRunMax) {
      std::ranges::pop_heap(run.items, std::less<>());
      run.items.pop_back();
    }
  }
  std::ranges::sort(run.items, std::less<>());
  return scan->status();
}

StateReader::Run& StateReader::run_of(std::string_view org, Rev after, Rev upto) {
  for (auto at = runs_.begin(); at != runs_.end(); ++at) {
    if ((*at)->org == org && (*at)->upto == upto && (*at)->served == after) {
      std::rotate(at, at + 1, runs_.end());
      return *runs_.back();
    }
  }
  if (runs_.size() == kRunsMax) runs_.erase(runs_.begin());
  runs_.push_back(std::make_unique<Run>());
  Run& run = *runs_.back();
  run.org = org;
  run.upto = upto;
  run.served = after;
  return run;
}

Result<void> StateReader::read(std::string_view org,
                               Rev after,
                               Rev upto,
                               std::size_t entries_max,
                               std::size_t bytes_max,
                               JournalEvents* events,
                               EntryBatch& out) {
  const std::lock_guard lock(mutex_);
  Run& run = run_of(org, after, upto);
  const std::size_t had = out.entries().size();
  std::size_t bytes = 0;  // of states
  const auto entries = [&] { return out.entries().size() - had; };
  // True if there is room for what comes behind them.
  const auto events_before = [&](std::uint64_t rev) -> Result<bool> {
    if (events == nullptr) return true;
    return events->append(Rev{rev - 1}, entries_max - entries(), bytes_max, out, run.served);
  };
  while (entries() < entries_max && bytes < bytes_max) {
    if (run.at == run.items.size()) {
      if (entries() > 0 && !run.finished) break;  // the next call makes the pass
      if (!run.finished) {
        if (auto ok = pass(run); !ok) return ok;
        run.finished = run.items.empty();
      }
      if (run.finished) {
        if (auto all = events_before(upto.value + 1); !all) return all.error();
        break;
      }
    }
    const Item& item = run.items[run.at];
    auto room = events_before(item.rev.value);
    if (!room) return room.error();
    if (!*room || entries() == entries_max) break;
    ++run.at;
    auto added = add(item.rkey, item.rev, out, bytes);
    if (!added) return added.error();
    run.served = item.rev;
  }
  if (entries() == 0) runs_.pop_back();  // done: no one asks for it again
  return {};
}

Result<bool> StateReader::get(const RecordKey& key, EntryBatch& out) {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  return add(key.str(), std::nullopt, out, bytes);
}

Result<void> StateReader::sample(std::string_view org,
                                 std::string_view object,
                                 std::size_t most,
                                 EntryBatch& out) {
  const std::lock_guard lock(mutex_);
  const std::string prefix = make_key(org, object, "");
  auto scan = store_.scan(Family::Records, prefix);
  std::size_t bytes = 0;
  for (; most > 0 && scan->valid() && scan->key().starts_with(prefix); scan->next(), --most) {
    if (auto added = add(scan->key(), std::nullopt, out, bytes); !added) return added.error();
  }
  return scan->valid() ? Result<void>() : scan->status();
}

Result<bool> StateReader::add(std::string_view rkey,
                              std::optional<Rev> rev,
                              EntryBatch& out,
                              std::size_t& bytes) {
  auto found = store_.get(Family::Records, rkey, bytes_);
  if (!found) return found.error();
  if (!*found) return false;
  if (!codec_.decode(bytes_, state_)) {
    return fatal(fmt::format(
        "ledger: the state of {} is damaged or of a newer format; restore a backup", rkey));
  }
  if (state_.meta.rev.value == 0 || (rev && state_.meta.rev != *rev)) return false;
  bytes += bytes_.size();
  EntryView entry;
  entry.rkey = out.keep(rkey);
  const auto first = entry.rkey.find(':');
  const auto second = entry.rkey.find(':', first + 1);
  entry.org = entry.rkey.substr(0, first);
  entry.object = entry.rkey.substr(first + 1, second - first - 1);
  entry.id = entry.rkey.substr(second + 1);
  ObjectProjector& projector = this->projector(entry.org, entry.object);
  projector.project(state_, projector.facts_of(state_, entry.id), projection_);
  entry.entity = out.keep(projector.entity());
  entry.bu = out.keep(state_.bu);
  entry.meta = state_.meta;
  entry.meta.violations = out.keep(projection_.violations);
  entry.meta.retired = out.keep(projection_.retired);
  entry.ts_ms = state_.ts_ms;
  entry.sort_at = projection_.sort_at;
  fill_entry(entry, state_);
  entry.merged_into = out.keep(entry.merged_into);
  entry.origin = copy_origin(state_.origin, out);
  entry.origin.snapshot = SnapshotMark::True;
  entry.origin.change_id =
      out.keep(fmt::format("{}/state-{}/0/{}", entry.org, state_.meta.rev.value, entry.id));
  const ImageView image = copy_image(projection_.image(projector.names()), out);
  entry.op = state_.meta.deleted ? Op::Delete : Op::Read;
  entry.after.names = entry.old.names = &projector.names();
  // A sink that keeps deleted records finds the last image in `old`; there is no before.
  (state_.meta.deleted ? entry.old : entry.after) = image;
  entry.before_sort_at = state_.meta.deleted ? projection_.sort_at : std::nullopt;
  out.add(entry);
  return true;
}

}  // namespace headwater::ledger
