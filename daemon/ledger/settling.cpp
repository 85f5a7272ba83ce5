#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/ledger_impl.hpp"

// Read jobs as the ledger's callers use them: making them, moving them, and what follows the last
// chunk of a whole object.

namespace headwater::ledger {
namespace {

/// True if a living record was in no chunk: everything that says it lives is older than the job.
bool is_unseen(const RecordState& state, const Version& noted) {
  return state.known && !state.deleted() && number_less(state.base, noted) &&
         number_less(state.alive, noted);
}

Hole hole_of(const ReadJob& job, Hole::Scope scope, std::string_view cause) {
  Hole hole;
  hole.scope = scope;
  hole.org = job.org;
  hole.object = job.object;
  hole.cause = cause;
  hole.version = job.noted;
  return hole;
}

}  // namespace

Result<ReadJob> Ledger::add_job(const ReadJob& job) {
  return impl_->write([&]() -> Result<ReadJob> {
    ReadJob added = impl_->jobs_.add(job);
    if (auto ok = impl_->commit(); !ok) return ok.error();
    return added;
  });
}

std::vector<ReadJob> Ledger::jobs() const { return impl_->jobs_.list(); }

std::vector<Hole> Ledger::wide_holes(std::string_view org) const { return impl_->holes_.wide(org); }

std::optional<ReadJob> Ledger::job(std::uint64_t number) const { return impl_->jobs_.get(number); }

std::optional<Snapped> Ledger::last_snapped(std::string_view org, std::string_view object) const {
  return impl_->jobs_.last_snapped(org, object);
}

std::vector<std::string> Ledger::snapped_objects(std::string_view org) const {
  return impl_->jobs_.snapped_objects(org);
}

Result<std::optional<ReadJob>> Ledger::change_job(std::uint64_t number,
                                                  const std::function<void(ReadJob&)>& change) {
  return impl_->write([&]() -> Result<std::optional<ReadJob>> {
    if (!impl_->jobs_.change(number, change)) return std::optional<ReadJob>{};
    if (auto ok = impl_->commit(); !ok) return ok.error();
    return impl_->jobs_.get(number);
  });
}

Result<bool> Ledger::settle_job(std::uint64_t number, std::size_t states_max) {
  return impl_->write([&] { return impl_->settle(number, states_max); });
}

Result<void> Ledger::settle_by_log(std::uint64_t number,
                                   std::span<const RecordId> gone,
                                   const std::string& proof) {
  return impl_->write([&] { return impl_->settle_by_log(number, gone, proof); });
}

Result<void> Ledger::Impl::settle_by_log(std::uint64_t number,
                                         std::span<const RecordId> gone,
                                         const std::string& proof) {
  const ReadJob* job = jobs_.find(number);
  if (job == nullptr || job->state != ReadJob::State::Settling ||
      job->settling != ReadJob::Settling::Log)
    return {};
  std::vector<Hole> unseen;
  std::string bytes;
  for (const RecordId& id : gone) {
    const std::string key = make_key(job->org, job->object, id.view());
    auto found = store_->get(Family::Records, key, bytes);
    if (!found) return found.error();
    if (!*found) continue;
    if (!settling_codec_.decode(bytes, settling_state_))
      return fatal(fmt::format("ledger: the state of {} is damaged or of a newer format", key));
    if (!is_unseen(settling_state_, job->noted)) continue;
    unseen.push_back(hole_of(*job, Hole::Scope::Record, kUnseen));
    unseen.back().id = id.str();
  }
  auto braked = brake(*job, unseen.size());
  if (!braked) return braked.error();
  for (Hole& hole : unseen) {
    if (*braked) break;
    if (auto opened = holes_.open(writer_.batch(), std::move(hole)); !opened) return opened.error();
  }
  jobs_.change(number, [&](ReadJob& moved) {
    moved.unseen = unseen.size();
    moved.braked = *braked;
    moved.proof = proof;
    moved.settling = ReadJob::Settling::Waiting;
  });
  return commit();
}

Result<bool> Ledger::Impl::settle(std::uint64_t number, std::size_t states_max) {
  const ReadJob* job = jobs_.find(number);
  if (job == nullptr || job->state != ReadJob::State::Settling) return true;
  if (job->settling == ReadJob::Settling::Log) return false;
  if (job->settling == ReadJob::Settling::Waiting) return end_settling(*job);

  const bool asking = job->settling == ReadJob::Settling::Asking;
  const std::string prefix = make_key(job->org, job->object, "");
  std::string last = job->settled_to;
  std::uint64_t unseen = 0;
  if (job->confirmed && !asking && last.empty()) {
    // Those that the ledger has never seen are in no state: a sink holds them.
    auto held_up = holes_.ask_held_up(hole_of(*job, Hole::Scope::Record, kUnseen));
    if (!held_up) return held_up.error();
    unseen = *held_up;
  }
  auto scan = store_->scan(Family::Records, last.empty() ? prefix : last + '\0');
  std::size_t looked_at = 0;
  for (; scan->valid() && scan->key().starts_with(prefix) && looked_at < states_max; scan->next()) {
    ++looked_at;
    last = scan->key();
    if (!settling_codec_.decode(scan->value(), settling_state_))
      return fatal(fmt::format("ledger: the state of {} is damaged or of a newer format", last));
    if (!is_unseen(settling_state_, job->noted)) continue;
    // Its row came and could not be read: it is there, and asked for by id in any case.
    const auto cause = holes_.cause_of(job->org, job->object, last.substr(prefix.size()));
    if (!cause) return cause.error();
    if (*cause == kUnreadableRow) continue;
    ++unseen;
    if (!asking) continue;
    Hole hole = hole_of(*job, Hole::Scope::Record, kUnseen);
    hole.id = last.substr(prefix.size());
    if (auto opened = holes_.open(writer_.batch(), std::move(hole)); !opened) return opened.error();
  }
  const bool more = scan->valid() && scan->key().starts_with(prefix);
  if (!more) {
    if (auto ok = scan->status(); !ok) return ok.error();
  }
  bool braked = false;
  if (!more && !asking) {
    auto held = brake(*job, job->unseen + unseen);
    if (!held) return held.error();
    braked = *held;
  }
  jobs_.change(number, [&](ReadJob& moved) {
    if (!asking) moved.unseen += unseen;
    moved.settled_to = more ? last : std::string();
    if (more) return;
    moved.braked = braked;
    const bool ask = !asking && !braked && moved.unseen > 0;
    moved.settling = ask ? ReadJob::Settling::Asking : ReadJob::Settling::Waiting;
  });
  if (auto ok = commit(); !ok) return ok.error();
  return false;
}

/// Too many records at once look like a withdrawn permission, not like deletions: none of them is
/// asked for, a person is.
Result<bool> Ledger::Impl::brake(const ReadJob& job, std::uint64_t unseen) {
  const std::uint64_t alive = objects_.of(job.org, job.object).counts.alive;
  const auto share =
      static_cast<std::uint64_t>(static_cast<double>(alive) * options_.sweep_share_max);
  if (job.confirmed || unseen <= std::max(share, kBrakeFloor)) return false;
  Hole hole = hole_of(job, Hole::Scope::Object, kMassDelete);
  hole.detail = fmt::format(
      "job {} read {} records of {}, and {} of our {} living ones {}; nothing is "
      "deleted: check the integration user's read permission on it. If they are really gone: "
      "headwater resync {} --confirm",
      job.number,
      job.rows,
      job.object,
      unseen,
      alive,
      job.since == 0 ? "were not among them" : "are in the org's log of deletions",
      job.object);
  if (auto opened = holes_.open(writer_.batch(), std::move(hole)); !opened) return opened.error();
  // More is in doubt now than what was spared one by one: events cannot end it any more.
  ObjectContext& context = objects_.of(job.org, job.object);
  context.brake_spared = 0;
  context.dirty = true;
  return true;
}

/// Done, once all that was asked for came back.
Result<bool> Ledger::Impl::end_settling(const ReadJob& job) {
  if (job.unseen > 0 && !job.braked && holes_.any_record(job.org, job.object, kUnseen))
    return false;
  if (job.whole()) jobs_.snapped(job);
  if (job.whole() && !job.braked && !holes_.any_record(job.org, job.object, kMassDelete)) {
    // What was too much at once is in order again, or a person answers for it.
    Closing closing{Closing::How::Repaired, job.by, {}};
    closing.evidence = fmt::format(
        "job {} read all {} records of {}; of ours {} were not among them and were asked for by "
        "id: "
        "{} deleted{}",
        job.number,
        job.rows,
        job.object,
        job.unseen,
        job.deleted,
        job.confirmed ? ", as " + job.by + " confirmed" : "");
    const Hole hole = hole_of(job, Hole::Scope::Object, kMassDelete);
    if (auto ok = holes_.close(writer_.batch(), hole, closing); !ok) return ok.error();
  }
  jobs_.change(job.number, [&](ReadJob& ended) {
    ended.state = ReadJob::State::Done;
    ended.ended_at = clock_.now_ms();
  });
  if (auto ok = commit(); !ok) return ok.error();
  return true;
}

}  // namespace headwater::ledger
