#include "connectors/kafka/sink.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace headwater::kafka {
namespace {

/// An owed cursor record rides with a write at most so often: it is only a lower bound, and the
/// topic that holds it is read whole at every open.
constexpr std::int64_t kCursorEveryMs = 100;
/// close() waits no longer than this for the last cursor record.
constexpr Millis kCloseTimeout{2'000};

}  // namespace

KafkaSink::KafkaSink(KafkaConfig config,
                     Holder holder,
                     KafkaSinkOptions options,
                     const Clock& clock)
    : config_(std::move(config)),
      holder_(std::move(holder)),
      options_(std::move(options)),
      clock_(clock),
      topics_(config_.topic_prefix, config_.partitions, config_.replication),
      known_(options_.read_back_pairs_max) {}

KafkaSink::~KafkaSink() = default;

/// After a failure whose effect is not known the producer goes; the next open() reads back.
Error KafkaSink::fail(Error error) {
  gaps_.clear();
  for (const auto& [name, lane] : lanes_) {
    if (!lane.producer->made_anew().empty()) made_anew_ = lane.producer->made_anew();
  }
  lanes_.clear();
  if (error.kind == ErrorKind::Fatal) fenced_ = error;
  return error;
}

Result<void> KafkaSink::write(const Batch& batch) {
  if (auto done = ready(); !done) return done;
  if (auto done = watch(); !done) return fail(std::move(done).error());
  if (auto done = ensure_topics(batch.entries); !done) return done;
  rewriting_ = batch.mode == Mode::Rewrite;
  for (const CursorMove& move : batch.cursors) {
    auto* org = org_of(move.org);
    if (org == nullptr) continue;
    org->history_from = rewriting_ ? Rev{} : move.history_from;
    org->events_from = rewriting_ ? Rev{} : move.events_from;
  }
  return config_.transactions ? write_transactions(batch) : write_idempotent(batch);
}

Result<void> KafkaSink::idle() {
  if (lanes_.empty() || fenced_) return {};
  const Deadline until = deadline();
  if (auto done = watch(); !done) return fail(std::move(done).error());
  if (auto done = send_owed(true, until); !done) return fail(std::move(done).error());
  for (auto& [name, lane] : lanes_) {
    if (auto done = lane.producer->wait(until); !done) return fail(std::move(done).error());
    lane.producer->shrink();
  }
  if (config_.transactions) return {};
  if (auto done = note_cursor_offsets(); !done) return fail(std::move(done).error());
  return {};
}

void KafkaSink::close() noexcept {
  if (!lanes_.empty() && !fenced_) {
    const Deadline until = std::chrono::steady_clock::now() + kCloseTimeout;
    if (send_owed(true, until).ok()) {
      // Not delivered in time: the next open reads back a little more.
      for (auto& [name, lane] : lanes_) static_cast<void>(lane.producer->wait(until));
    }
  }
  lanes_.clear();
  reader_.reset();
  committed_.reset();
}

/// A Rejected that the broker told late has cost us the producer: the loop goes on halving, so we
/// open again ourselves. If the topics turn out to have lost data, the loop must know.
Result<void> KafkaSink::ready() {
  if (fenced_) return *fenced_;
  if (!lanes_.empty()) return {};
  const std::vector<std::string> names = org_names_;
  std::map<std::string, Rev> known;
  for (const auto& [name, org] : orgs_) known[name] = org.record.rev;
  auto cursors = open(names);
  if (!cursors) return std::move(cursors).error();
  for (const Cursor& cursor : *cursors) {
    if (cursor.rev.value != 0 || known[cursor.org].value == 0) continue;
    return transient(fmt::format("kafka: the cursor of {} was lost; opening again", cursor.org));
  }
  return {};
}

// ---- topics

Result<void> KafkaSink::ensure_topics(Entries entries) {
  std::vector<TopicSpec> wanted;
  std::string_view last;
  for (const EntryView& entry : entries) {
    if (entry.kind == EntryKind::Quarantine) wanted.push_back(topics_.quarantine());
    if (entry.kind == EntryKind::Event && events_ready_.emplace(entry.object).second)
      wanted.push_back(topics_.events(entry.object));  // taken back below if it is not there
    if (entry.kind != EntryKind::Record || entry.entity == last) continue;
    last = entry.entity;
    if (entities_ready_.contains(entry.entity)) continue;
    wanted.push_back(topics_.changes(entry.entity));
    wanted.push_back(topics_.records(entry.entity));
    entities_ready_.emplace(entry.entity);  // taken back below if it is not
  }
  if (wanted.empty()) return {};
  auto missing = create_missing(std::move(wanted));
  if (missing && missing->topics.empty()) return {};
  entities_ready_.clear();
  events_ready_.clear();
  if (!missing) return std::move(missing).error();
  // A broker that creates no topics leaves this unanswered as well: a person should see it.
  missing->asked.answered = true;
  return missing_topic(missing->topics.front(), config_.brokers, missing->asked);
}

KafkaSink::Org* KafkaSink::org_of(std::string_view name) {
  const auto found = orgs_.find(name);
  return found == orgs_.end() ? nullptr : &found->second;
}

// ---- default mode

Result<void> KafkaSink::write_idempotent(const Batch& batch) {
  Lane& lane = lanes_.begin()->second;
  const Deadline until = deadline();
  if (auto done = send_idempotent(batch, lane, until); !done) {
    // Refused before it was handed over: the producer is sound, and what went before it is
    // remembered.
    Error error = std::move(done).error();
    if (error.kind == ErrorKind::Rejected && !lanes_.empty()) return error;
    return fail(std::move(error));
  }
  if (auto done = lane.producer->wait(until); !done) return fail(std::move(done).error());
  if (auto done = note_cursor_offsets(); !done) return fail(std::move(done).error());
  return batch.entries.empty() ? Result<void>{} : owe(batch.cursors);
}

Result<void> KafkaSink::send_idempotent(const Batch& batch, Lane& lane, Deadline until) {
  const bool touch = batch.entries.empty();
  if (touch) {
    if (auto done = owe(batch.cursors); !done) return done;
  }
  if (auto done = send_owed(touch, until); !done) return done;
  if (touch) return {};
  raise_highest(batch.cursors);

  if (auto done = know_tail(batch.entries); !done) return done;
  auto sent = send_entries(lane, batch.entries, nullptr, Rev{0}, until);
  if (sent) return {};

  Error error = std::move(sent).error();
  if (error.kind != ErrorKind::Rejected) return error;
  // The loop now halves the batch: what is already under way must not be sent a second time.
  if (auto waited = lane.producer->wait(until); !waited) return fail(std::move(waited).error());
  for (const EntryView& entry : batch.entries) {
    if (entry.meta.rev.value >= refused_rev_) break;
    known_.remember_change(entry.rkey, entry.meta.rev.value);
  }
  return error;
}

/// Read back further where the memory of it ends; forgotten once it is passed.
Result<void> KafkaSink::know_tail(Entries entries) {
  if (entries.front().meta.rev.value > known_.last()) {
    known_.clear();
  } else if (entries.back().meta.rev.value > known_.ceiling()) {
    return read_back(entries.front().meta.rev.value - 1);
  }
  return {};
}

// ---- transactions

Result<void> KafkaSink::write_transactions(const Batch& batch) {
  if (!batch.entries.empty()) {
    if (auto done = know_tail(batch.entries); !done) return fail(std::move(done).error());
  }
  for (const EntryView& entry : batch.entries) {
    if (lanes_.contains(entry.org)) continue;
    return fail(fatal(
        fmt::format("kafka: entry {} is of org {}, which was not opened", entry.rkey, entry.org)));
  }
  for (const std::string& name : org_names_) {
    if (auto done = write_transaction(orgs_.at(name), batch); !done) return done;
  }
  return {};
}

Result<void> KafkaSink::write_transaction(Org& org, const Batch& batch) {
  const CursorMove* move = nullptr;
  for (const CursorMove& one : batch.cursors) {
    if (one.org == org.name) move = &one;
  }
  const bool touch = batch.entries.empty();
  // A repeat of a batch of which this org's part was committed.
  if (move == nullptr || (!touch && !rewriting_ && move->rev.value <= org.committed)) return {};

  Lane& lane = lanes_.at(org.name);
  const Deadline until = deadline();
  const CursorRecord before = org.record;
  const auto attempt = [&]() -> Result<void> {
    if (auto done = lane.producer->begin(); !done) return done;
    const Rev after{rewriting_ ? 0 : org.committed};
    if (auto sent = send_entries(lane, batch.entries, &org, after, until); !sent)
      return std::move(sent).error();
    // Delivered first: the record names the ends behind them, so that whatever the topics lose of
    // this very transaction shows at the next open.
    if (auto delivered = lane.producer->wait(until); !delivered) return delivered;
    org.record.ledger = holder_.ledger;
    org.record.rev = move->rev;
    org.record.highest = std::max(org.record.highest, move->rev);
    org.record.commit_ts = move->commit_ts;
    note_ends(org);
    if (auto done = send_cursor(lane, org, until); !done) return done;
    return lane.producer->commit(until);
  };
  auto done = attempt();
  if (done) {
    org.committed = move->rev.value;
    cursor_offsets_.clear();
    return {};
  }
  Error error = std::move(done).error();
  org.record = before;
  cursor_offsets_.clear();
  if (error.kind == ErrorKind::Rejected && lane.producer->abort(until).ok()) return error;
  if (error.kind == ErrorKind::Fatal) error = fenced_by_whom(std::move(error));
  return fail(std::move(error));
}

// ---- cursors

Result<void> KafkaSink::send_cursor(Lane& lane, Org& org, Deadline until) {
  org.record.updated_at = clock_.now_ms();
  value_.clear();
  append_cursor_json(value_, org.record);
  headers_.clear();
  org.recorded_at = clock_.monotonic_ms();
  return lane.producer->produce(*lane.cursors, org.key, std::string_view(value_), headers_, until);
}

Rev KafkaSink::recorded(std::string_view org, Rev cursor) const {
  const auto found = orgs_.find(org);
  if (config_.transactions || found == orgs_.end()) return cursor;
  return std::min(cursor, found->second.record.rev);
}

Result<void> KafkaSink::owe(std::span<const CursorMove> moves) {
  for (const CursorMove& move : moves) {
    Org* org = org_of(move.org);
    if (org == nullptr) {
      return fail(fatal(fmt::format("kafka: cursor of org {}, which was not opened", move.org)));
    }
    org->owed = {move.rev, move.commit_ts};
  }
  return {};
}

/// Told with the next cursor record, whatever becomes of this write. Until then it stands behind
/// the ends, where read-back finds it.
void KafkaSink::raise_highest(std::span<const CursorMove> moves) {
  for (const CursorMove& move : moves) {
    if (Org* org = org_of(move.org)) org->record.highest = std::max(org->record.highest, move.rev);
  }
}

/// Whatever of ours is not in the log yet will stand after these. Not so while entries that
/// read-back found are still ahead of the cursor: they stand before the end, so the old offsets are
/// kept until they are passed.
void KafkaSink::note_ends(Org& org) {
  if (org.record.rev.value < tail_last_) return;
  org.record.ends = ends_;
  org.record.ends.erase(topics_.cursors().name);
  // What stands in a gap has not been looked at: a crash must not hide it from the next open.
  for (const auto& [at, gap] : gaps_) {
    auto& end = org.record.ends.at(gap.topic)[static_cast<std::size_t>(gap.partition)];
    end = std::min(end, gap.from);
  }
}

/// Sends the cursor records of durable batches: those not sent for a while, or all.
Result<void> KafkaSink::send_owed(bool all, Deadline until) {
  if (config_.transactions) return {};  // nothing is ever owed
  for (const std::string& name : org_names_) {
    Org& org = orgs_.at(name);
    if (!org.owed || (!all && clock_.monotonic_ms() - org.recorded_at < kCursorEveryMs)) continue;
    org.record.ledger = holder_.ledger;
    org.record.rev = org.owed->rev;
    org.record.commit_ts = org.owed->commit_ts;
    note_ends(org);
    org.owed.reset();
    if (auto done = send_cursor(lanes_.begin()->second, org, until); !done) return done;
  }
  return {};
}

}  // namespace headwater::kafka
