#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/writer.hpp"

// The writer's part in deletes that no event states (design.md ruling 14). Above a share of an
// object within an hour a record that a refetch found missing is spared: it stays alive, with a
// hole of its own beside that of its object.
//
// A refetch may merely have been faster than the bus. So the object's hole closes by itself once
// an event, or the org's word that it was deleted, told the death of every spared record: then the
// refetches saw the truth, and the deletes were stated. If the doubt about a single one ends in
// another way (it was there again, or an hour later it was let go), all that the refetches said is
// in question, and a reading of the whole object, or a person, must answer.

namespace headwater::ledger {

/// Unstated deletes that the object may have in the hour.
std::uint64_t Writer::unstated_max(const ObjectContext& context) const {
  const auto share =
      static_cast<std::uint64_t>(static_cast<double>(context.brake_base) * sweep_share_max_);
  return std::max(share, kBrakeFloor);
}

/// A row tells a deletion: begins the hour of counting, unless one is running. Returns the time.
EpochMs Writer::begin_hour(ObjectContext& context) {
  const EpochMs now = parts_.clock.now_ms();
  context.dirty = true;
  if (context.brake_from != 0 && now >= context.brake_from &&
      now < context.brake_from + kBrakeWindowMs)
    return now;
  context.brake_from = now;
  context.brake_gone = 0;
  context.brake_base = context.counts.alive;
  return now;
}

/// True if one more unstated delete would be too many; otherwise it is counted.
bool Writer::brake(ObjectContext& context, const std::string& org) {
  if (parts_.jobs.brake_released(org, context.object)) return false;
  begin_hour(context);
  if (context.brake_gone >= unstated_max(context)) return true;
  ++context.brake_gone;
  return false;
}

Result<bool> Writer::is_spared(const Touched& record) const {
  const ObjectContext& context = *record.context;
  if (!record.state.refetch_owed) return false;
  return parts_.holes.is_spared(context.org->name, context.object, record.id.view());
}

/// The record stays, and is asked for again in an hour. `again`: it was spared before.
Result<void> Writer::spare(Touched& record, const Version& noted, bool again) {
  ObjectContext& context = *record.context;
  Hole hole;
  hole.scope = Hole::Scope::Object;
  hole.org = context.org->name;
  hole.object = context.object;
  hole.cause = kMassDelete;
  hole.detail = fmt::format(
      "more than {} of {} records of {} vanished within an hour without a delete event; nothing "
      "more is deleted: check the integration user's read permission on it. If they are really "
      "gone: headwater resync {} --confirm",
      unstated_max(context),
      context.brake_base,
      context.object,
      context.object);
  auto opened = parts_.holes.open(*batch_, hole);
  if (!opened) return opened.error();
  // Under a hole that a reading or an audit opened more is in doubt than what is counted here.
  if (*opened)
    context.brake_spared = 1;
  else if (context.brake_spared > 0 && !again)
    ++context.brake_spared;
  context.dirty = true;

  hole.scope = Hole::Scope::Record;
  hole.id = record.id.str();
  hole.detail.clear();
  hole.next_try = parts_.clock.now_ms() + kBrakeWindowMs;
  hole.version = noted;
  opened = parts_.holes.open(*batch_, std::move(hole));
  if (!opened) return opened.error();
  record.dirty = record.dirty || !record.state.refetch_owed;
  record.state.refetch_owed = true;
  return {};
}

/// The record was alive until this event, or this row.
Result<void> Writer::event_told_death(Touched& record, const Version& version) {
  auto spared = is_spared(record);
  if (!spared) return spared.error();
  if (!*spared) return {};
  ObjectContext& context = *record.context;
  auto closed =
      parts_.holes.close_spared(context.org->name, context.object, record.id.view(), version);
  if (!closed) return closed.error();
  if (!*closed) return {};
  record.state.refetch_owed = false;
  return death_told(context);
}

/// One spared record less in doubt; with the last one the object's hole closes.
Result<void> Writer::death_told(ObjectContext& context) {
  context.dirty = true;
  if (context.brake_spared == 0 || --context.brake_spared > 0) return {};
  if (parts_.holes.any_record(context.org->name, context.object, kMassDelete)) return {};
  Hole hole;
  hole.scope = Hole::Scope::Object;
  hole.org = context.org->name;
  hole.object = context.object;
  hole.cause = kMassDelete;
  return parts_.holes.close(
      *batch_,
      hole,
      {Closing::How::Repaired,
       "headwater",
       fmt::format("the deletion of every {} that was left alone has been told since, by its own "
                   "event",
                   context.object),
       0});
}

}  // namespace headwater::ledger
