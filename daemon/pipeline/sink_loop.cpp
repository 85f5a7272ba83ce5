#include "daemon/pipeline/sink_loop.hpp"

#include <algorithm>

#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

using observe::PartState;

/// A holder touches its cursor this often, so that silence does not age it (unified-model.md
/// section 13).
constexpr std::int64_t kTouchMs = 10'000;
/// After this much quiet the sink writes what it still owes (a cursor that rides with the next
/// write).
constexpr std::int64_t kQuietMs = 100;
/// A write of so many entries says that they come fast. What comes within the next moment then goes
/// out in one write: half as many transactions, while a change that comes alone waits for nothing.
constexpr std::size_t kBusy = 64;
constexpr std::int64_t kGatherMs = 25;

}  // namespace

SinkLoop::SinkLoop(Parts parts)
    : parts_(std::move(parts)),
      ledger_id_(parts_.ledger.id()),
      sink_(parts_.make(ledger_id_)),
      metrics_(parts_.metrics, parts_.name),
      refusals_(parts_.name, parts_.ledger, parts_.clock),
      backoff_(std::chrono::milliseconds{200},
               std::chrono::seconds{30},
               std::hash<std::string>{}(parts_.name)),
      entries_limit_(sink_->entries_max()) {
  status_.name = parts_.name;
  // Until the target has told its cursor, anything may be owed to it.
  hold_journal();
  publish(0);
}

Step SinkLoop::step() {
  parts_.health.beat();
  if (const auto request = retries_.pop()) return serve(*request);
  if (remake_.exchange(false)) {
    rebuild();
    // It may be what a blocked target waits for.
    retry_at_ = gather_until_ = 0;
  }
  const std::int64_t now = parts_.clock.monotonic_ms();
  if (now < retry_at_) return Step::wait(retry_at_);
  if (now < gather_until_) return Step::wait(gather_until_);
  if (parts_.ledger.id() != ledger_id_) rebuild();
  if (!opened_) return open();
  for (OrgCursor& cursor : cursors_) {
    if (cursor.materializing) return materialize(cursor);
  }
  return follow();
}

void SinkLoop::wait(std::int64_t until_ms, std::stop_token stop) {
  const Millis left(until_ms - parts_.clock.monotonic_ms());
  // While backing off, new entries change nothing: the least cursor stands where it stood, and only
  // time counts.
  const bool gathering = until_ms == gather_until_;
  const Rev seen = opened_ && !gathering ? least_cursor() : Rev{UINT64_MAX};
  parts_.ledger.wait_for(seen, std::chrono::steady_clock::now() + left, std::move(stop), [this] {
    return !retries_.empty() || remake_;
  });
}

void SinkLoop::remake() {
  remake_ = true;
  parts_.ledger.wake();
}

/// The ledger was born anew: what the target is told from now on is told in its new name. Or the
/// mapping is another.
void SinkLoop::rebuild() {
  sink_->close();
  opened_ = false;
  ledger_id_ = parts_.ledger.id();
  sink_ = parts_.make(ledger_id_);
}

Step SinkLoop::open() {
  auto found = sink_->open(parts_.orgs);
  if (!found) return retry(found.error());
  cursors_.clear();
  // A cursor may have gone back: nothing is dropped while we look how far.
  if (sink_->needs_history()) parts_.ledger.hold_journal(parts_.name, Rev{0});
  for (const Cursor& cursor : *found) {
    const auto verdict = parts_.ledger.found_cursor(
        parts_.name, cursor.org, cursor.ledger, cursor.rev, cursor.highest);
    if (!verdict) return retry(verdict.error());
    if (parts_.ledger.id() != ledger_id_) return Step::again();  // reopened under the new name
    OrgCursor ours;
    ours.org = cursor.org;
    // Rows that are owed anew, as when a column was lost: the journal would tell each older image
    // first, and they would be seen to go backwards.
    const bool owed_images =
        cursor.rev.value == 0 && cursor.highest.value != 0 && !sink_->needs_history();
    ours.materializing = *verdict == ledger::CursorVerdict::Materialize || owed_images;
    const bool known = cursor.ledger == parts_.ledger.id();
    ours.rev = known ? cursor.rev : Rev{0};
    ours.commit_ts = known ? cursor.commit_ts : 0;
    // History has told of them, and tells again where it is read from the start.
    ours.rows_owed = ours.materializing && !sink_->needs_history();
    ours.upto = parts_.ledger.head();
    if (ours.materializing && sink_->needs_history()) {
      const auto upto = parts_.ledger.skip_history(
          parts_.name, cursor.org, cursor.ledger, cursor.rev, cursor.commit_ts);
      if (!upto) return retry(upto.error());
      ours.upto = *upto;
    }
    const auto told = parts_.ledger.told_before(parts_.name, cursor.org);
    if (!told) return retry(told.error());
    ours.told = *told;
    ours.touched_at = parts_.clock.monotonic_ms();
    log::info(ours.materializing ? "sink opened: sending record states first"
                                 : "sink opened: following the journal",
              {{"sink", parts_.name},
               {"org", cursor.org},
               {"cursor", cursor.rev.value},
               {"epoch", cursor.epoch}});
    cursors_.push_back(std::move(ours));
  }
  hold_journal();
  // A materialization that a crash cut short goes on as following: what changed since then stands
  // in the journal up to here.
  settled_ = parts_.ledger.head();
  refusals_.load();
  opened_ = true;
  // What this open or a materialization after it leaves owed is paid after a moment of quiet.
  quiet_told_ = false;
  quiet_at_ = 0;
  for (const std::string& warning : sink_->warnings())
    log::warning(warning, {{"sink", parts_.name}});
  if (nothing_owed()) works();
  publish(0);
  return Step::again();
}

/// The target's mirrors of what is open begin afresh: written by themselves, before any state. A
/// mirror that is refused is no reason to hold the records back.
std::optional<Error> SinkLoop::write_open_rows(OrgCursor& cursor) {
  batch_.clear();
  parts_.ledger.read_open_rows(cursor.org, batch_);
  const CursorMove here = stay(cursor);
  auto error = write(batch_.entries(), {&here, 1}, Mode::Materialize);
  if (error && error->kind == ErrorKind::Rejected) {
    log::warning(error->message + "; the mirrors of holes and quarantine stay empty",
                 {{"sink", parts_.name}});
    error.reset();
  }
  if (!error) cursor.rows_owed = false;
  return error;
}

Step SinkLoop::materialize(OrgCursor& cursor) {
  if (cursor.rows_owed) {
    if (auto error = write_open_rows(cursor)) return retry(*error);
  }
  batch_.clear();
  auto read = parts_.ledger.read_states(
      cursor.org, cursor.rev, cursor.upto, entries_limit_, sink_->bytes_max(), batch_);
  if (!read) return retry(read.error());
  if (remake_) return Step::again();
  const auto states = batch_.entries();
  const bool done = states.empty();
  // The last of them reach `upto`: from there the journal goes on without a seam.
  const auto move = move_to(cursor,
                            done ? cursor.upto : states.back().meta.rev,
                            done ? cursor.commit_ts : states.back().meta.commit_ts);
  if (auto error = write(states, {&move, 1}, Mode::Materialize)) {
    return on_error(*error, states, {&move, 1}, Mode::Materialize);
  }
  if (done) {
    cursor.materializing = parts_.ledger.journal().first.value > cursor.rev.value + 1 &&
                           cursor.rev < parts_.ledger.head() && !sink_->needs_history();
    cursor.upto = settled_ = parts_.ledger.head();
    if (!cursor.materializing) {
      log::info("sink has all record states: following the journal",
                {{"sink", parts_.name}, {"org", cursor.org}, {"cursor", cursor.rev.value}});
    }
  }
  publish(0);
  return Step::again();
}

Step SinkLoop::follow() {
  batch_.clear();
  auto read = parts_.ledger.read(least_cursor(), entries_limit_, sink_->bytes_max(), batch_);
  if (!read) return retry(read.error());
  // Born anew while we read: these may be stamped entries, and must not be told in the old name.
  // Nor by tables of the old mapping, if there is another.
  if (parts_.ledger.id() != ledger_id_ || remake_) return Step::again();
  const auto all = batch_.entries();
  if (all.empty()) return idle();
  quiet_told_ = false;
  quiet_at_ = 0;
  (all.size() >= entries_limit_           ? metrics_.closed_by_entries
   : batch_.bytes() >= sink_->bytes_max() ? metrics_.closed_by_bytes
                                          : metrics_.closed_by_head)
      .add();
  const Entries entries = ours(all);
  const auto moves = moves_to(all.back().meta.rev, entries);
  publish(all.front().ts_ms);
  if (auto error = write(entries, moves, Mode::Follow))
    return on_error(*error, entries, moves, Mode::Follow);
  publish(0);
  return gather(all.size());
}

Step SinkLoop::gather(std::size_t written) {
  if (written < kBusy || written >= entries_limit_ / 2) return Step::again();
  gather_until_ = parts_.clock.monotonic_ms() + kGatherMs;
  return Step::wait(gather_until_);
}

/// Nothing to write: the sink pays what it owes, and cursors are touched now and then.
Step SinkLoop::idle() {
  const std::int64_t now = parts_.clock.monotonic_ms();
  std::vector<CursorMove> stale;
  std::int64_t due = INT64_MAX;
  for (const OrgCursor& cursor : cursors_) {
    if (now - cursor.touched_at >= kTouchMs) stale.push_back(stay(cursor));
    due = std::min(due, cursor.touched_at + kTouchMs);
  }
  if (!stale.empty()) {
    if (auto error = write({}, stale, Mode::Follow)) return retry(*error);
    return Step::again();
  }
  if (!quiet_told_) {
    if (quiet_at_ == 0) quiet_at_ = now + kQuietMs;
    if (now < quiet_at_) return Step::wait(std::min(due, quiet_at_));
    quiet_told_ = true;
    if (auto owed = sink_->idle(); !owed) return retry(owed.error());
    hold_journal();
  }
  publish(0);
  return Step::wait(due);
}

/// Writes and, if that went well, moves our view of the cursors.
std::optional<Error> SinkLoop::write(Entries entries,
                                     std::span<const CursorMove> moves,
                                     Mode mode) {
  const std::int64_t started_us = parts_.clock.now_us();
  // The target may not hold what these build on: then relations go out whole, though an entry
  // changes none.
  const bool lacks_ground =
      !entries.empty() && (entries.front().meta.rev <= settled_ || refusals_.concern(entries));
  auto written = sink_->write(Batch{entries, moves, mode, lacks_ground});
  if (!written) return std::move(written).error();
  metrics_.write_seconds.observe(static_cast<double>(parts_.clock.now_us() - started_us) / 1e6);
  if (auto kept = moved(entries, moves); !kept) return std::move(kept).error();
  return std::nullopt;
}

Result<void> SinkLoop::moved(Entries entries, std::span<const CursorMove> moves) {
  const std::int64_t now = parts_.clock.monotonic_ms();
  for (const CursorMove& move : moves) {
    for (OrgCursor& cursor : cursors_) {
      if (cursor.org != move.org) continue;
      cursor.rev = move.rev;
      cursor.commit_ts = move.commit_ts;
      cursor.touched_at = now;
    }
  }
  hold_journal();
  backoff_.reset();
  const bool records = std::any_of(entries.begin(), entries.end(), [](const EntryView& entry) {
    return entry.kind == EntryKind::Record;
  });
  if (records || nothing_owed()) works();
  if (entries.empty()) return {};
  entries_limit_ = std::min(sink_->entries_max(), entries_limit_ * 2);
  metrics_.wrote(entries);
  {
    const std::lock_guard lock(status_mutex_);
    status_.entries_written += entries.size();
  }
  return refusals_.accepted(entries, sink_->needs_history());
}

bool SinkLoop::nothing_owed() const {
  return least_cursor() >= parts_.ledger.head() &&
         std::none_of(
             cursors_.begin(), cursors_.end(), [](const auto& c) { return c.materializing; });
}

void SinkLoop::works() {
  failing_since_.reset();
  metrics_.up.set(1);
  if (parts_.health.state() != PartState::Ok) parts_.health.set(PartState::Ok);
}

/// Entries of our orgs that lie after their own org's cursor. Usually that is all of them.
Entries SinkLoop::ours(Entries entries) {
  const auto wanted = [&](const EntryView& entry) {
    return std::any_of(cursors_.begin(), cursors_.end(), [&](const OrgCursor& c) {
      return c.org == entry.org && entry.meta.rev > c.rev;
    });
  };
  if (std::all_of(entries.begin(), entries.end(), wanted)) return entries;
  filtered_.clear();
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(filtered_), wanted);
  return filtered_;
}

/// Every org's cursor goes to the batch's last rev: an org without entries in it has none up to
/// there.
std::vector<CursorMove> SinkLoop::moves_to(Rev last, Entries entries) const {
  std::vector<CursorMove> moves;
  for (const OrgCursor& cursor : cursors_) {
    if (cursor.rev >= last) continue;
    CursorMove move = move_to(cursor, last, cursor.commit_ts);
    for (const EntryView& entry : entries) {
      if (entry.org == cursor.org && entry.meta.commit_ts != 0)
        move.commit_ts = entry.meta.commit_ts;
    }
    moves.push_back(move);
  }
  return moves;
}

Rev SinkLoop::least_cursor() const {
  Rev least{UINT64_MAX};
  for (const OrgCursor& cursor : cursors_) least = std::min(least, cursor.rev);
  return cursors_.empty() ? Rev{0} : least;
}

const SinkLoop::OrgCursor* SinkLoop::cursor_of(std::string_view org) const {
  const auto found =
      std::find_if(cursors_.begin(), cursors_.end(), [&](const auto& c) { return c.org == org; });
  return found == cursors_.end() ? nullptr : &*found;
}

/// When the ledger wrote the first entry that the target does not hold; 0: there is none, or
/// nothing is known.
EpochMs SinkLoop::oldest_unwritten() {
  EntryBatch first;
  const auto read = parts_.ledger.read(least_cursor(), 1, 1, first);
  return read && !first.entries().empty() ? first.entries().front().ts_ms : 0;
}

/// A sink that is owed history, or platform events, keeps the journal from where its target would
/// have it begin after a crash.
void SinkLoop::hold_journal() {
  if (!sink_->holds_journal()) return;
  Rev least = least_cursor();
  for (const OrgCursor& cursor : cursors_)
    least = std::min(least, sink_->recorded(cursor.org, cursor.rev));
  parts_.ledger.hold_journal(parts_.name, least);
}

void SinkLoop::publish(EpochMs oldest_unwritten_ts) {
  const Rev cursor = least_cursor();
  const auto behind = parts_.ledger.entries_after(cursor);
  const bool materializing =
      std::any_of(cursors_.begin(), cursors_.end(), [](const auto& c) { return c.materializing; });
  const double lag = behind > 0 ? seconds_since(oldest_unwritten_ts) : 0;
  metrics_.late_repeats.set(static_cast<double>(sink_->late_repeats()));
  metrics_.mended.set(static_cast<double>(sink_->mended()));
  metrics_.cursor_rev.set(static_cast<double>(cursor.value));
  metrics_.lag_entries.set(static_cast<double>(behind));
  metrics_.lag_seconds.set(lag);
  metrics_.materializing.set(materializing ? 0 : 1);
  const std::lock_guard lock(status_mutex_);
  status_.open = opened_;
  status_.cursor = cursor;
  status_.materializing = materializing;
  status_.lag_entries = behind;
  status_.lag_seconds = lag;
  oldest_unwritten_ts_ = oldest_unwritten_ts;
}

double SinkLoop::seconds_since(EpochMs ts) const {
  return ts == 0 ? 0 : static_cast<double>(parts_.clock.now_ms() - ts) / 1000.0;
}

/// The lag is that of now: a loop that backs off publishes nothing for a while.
SinkStatus SinkLoop::status() const {
  const std::lock_guard lock(status_mutex_);
  SinkStatus now = status_;
  now.lag_entries = parts_.ledger.entries_after(now.cursor);
  if (now.lag_entries > 0) now.lag_seconds = seconds_since(oldest_unwritten_ts_);
  return now;
}

bool SinkLoop::caught_up() const {
  const auto now = status();
  return now.open && !now.materializing && now.cursor >= parts_.ledger.head();
}

void SinkLoop::stop() {
  if (opened_) {
    if (auto owed = sink_->idle(); !owed)
      log::warning(owed.error().message, {{"sink", parts_.name}});
  }
  sink_->close();
  opened_ = false;
  metrics_.up.set(0);
  if (parts_.health.state() != PartState::Fatal) parts_.health.set(PartState::Stopped);
}

}  // namespace headwater
