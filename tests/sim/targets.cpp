#include "tests/sim/targets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/claim.hpp"
#include "schemas/model/render.hpp"

namespace headwater::sim {

std::string text_of(const EntryView& entry) {
  std::string out(1, static_cast<char>(entry.op));
  if (entry.kind != EntryKind::Record) return out.append(entry.row);
  append_hash_input(out, entry.bu, entry.meta.deleted ? entry.old : entry.after);
  return out;
}

bool SimTarget::poison(const EntryView& entry) const {
  if (world_.faults.poison <= 0 || entry.kind != EntryKind::Record || entry.meta.deleted) {
    return false;
  }
  // By what it says, so that a repeat of it is refused as well.
  const auto draw = (entry.meta.hash ^ name_.size() * 0x9e3779b9U) % 10'000;
  return static_cast<double>(draw) < world_.faults.poison * 10'000;
}

// ---- what all sinks share

Result<std::vector<Cursor>> SimSink::open(std::span<const std::string> orgs) {
  World& world = target_.world();
  open_ = false;
  if (fenced_) return *fenced_;
  world.point("sink.open");
  world.meanwhile();
  if (target_.down()) return transient(target_.name() + ": connect: refused");
  if (target_.blocked()) return blocked(target_.name() + ": connect: password not accepted");
  TargetCursor& cursor = target_.state().cursor;
  if (!cursor.holder.empty() && cursor.holder != holder_.holder) {
    if (held_) return fenced();
    if (world.now_ms() - cursor.updated_at < kClaimWaitMs) {
      return claim_refused(fmt::format("{}: claim: held by {}", target_.name(), cursor.holder),
                           Millis(cursor.updated_at + kClaimWaitMs - world.now_ms()));
    }
  }
  // A claim changes neither ledger nor rev.
  cursor.holder = holder_.holder;
  epoch_ = ++cursor.epoch;
  cursor.updated_at = world.now_ms();
  held_ = open_ = true;
  generation_ = target_.generation();
  world.point("sink.claimed");
  if (auto ok = claimed(); !ok) return ok.error();
  const Rev highest(std::max(cursor.highest, cursor.rev));
  return std::vector<Cursor>{{orgs[0], cursor.ledger, Rev(cursor.rev), epoch_, highest}};
}

Result<void> SimSink::write(const Batch& batch) {
  World& world = target_.world();
  if (fenced_) return *fenced_;
  world.point("sink.before_write");
  world.meanwhile();
  if (!connected() || target_.down()) return transient(target_.name() + ": write: not connected");
  const Faults& faults = world.faults;
  if (world.roll(faults.before)) {
    open_ = false;
    return transient(target_.name() + ": write: connection reset");
  }
  const double share =
      world.roll(faults.partial) ? 0.1 * static_cast<double>(world.random.below(10)) : 1;
  auto done = arrive(batch, share);
  world.point("sink.after_write");
  if (done && share == 1 && !world.roll(faults.after)) return done;
  if (!done) return done;
  // It arrived, or part of it did; we never hear of it.
  open_ = false;
  return transient(target_.name() + ": write: timed out");
}

Result<void> SimSink::idle() {
  if (fenced_) return *fenced_;
  if (!connected() || target_.down()) return transient(target_.name() + ": idle: not connected");
  target_.world().point("sink.before_idle");
  return pay();
}

void SimSink::close() noexcept {
  if (connected() && !target_.down() && !fenced_ && holds()) (void)pay();
  open_ = false;
}

bool SimSink::holds() const {
  const TargetCursor& cursor = target_.state().cursor;
  return cursor.epoch == epoch_ && cursor.holder == holder_.holder;
}

Error SimSink::fenced() {
  open_ = false;
  fenced_ = taken_over(fmt::format("{}: fenced: {} holds it now; this sink stays stopped",
                                   target_.name(),
                                   target_.state().cursor.holder));
  return *fenced_;
}

/// By the guard that every target has: only a greater rev replaces.
void SimSink::put(const EntryView& entry, bool whole_relations) {
  if (entry.kind != EntryKind::Record) return;
  TargetRow& row = target_.state().rows[std::string(entry.rkey)];
  if (entry.meta.rev.value <= row.rev) return;
  row.rev = entry.meta.rev.value;
  row.deleted = entry.meta.deleted;
  row.image = text_of(entry).substr(1);
  row.ledger = holder_.ledger;
  const auto refs = entry.after[Section::Refs];
  const auto name = [&](const Member& member) {
    return std::string(entry.after.names->text(member.name));
  };
  if (whole_relations || entry.op != Op::Update) {
    row.edges.clear();
    for (const Member& member : refs) row.edges[name(member)] = member.value.text;
    return;
  }
  // Otherwise only what the entry says was changed.
  for (const Member& old : entry.old[Section::Refs]) {
    const auto at = std::ranges::find(refs, old.name, &Member::name);
    if (at == refs.end()) {
      row.edges.erase(name(old));
    } else {
      row.edges[name(old)] = at->value.text;
    }
  }
}

void SimSink::move(const CursorMove& move, Mode mode) {
  TargetState& state = target_.state();
  TargetCursor& cursor = state.cursor;
  cursor.updated_at = target_.world().now_ms();
  cursor.highest = std::max(cursor.highest, move.rev.value);
  const bool ours = cursor.ledger.empty() || cursor.ledger == holder_.ledger;
  // A cursor of another ledger is ours only once a materialization began.
  if (mode == Mode::Follow && !ours) return;
  if (mode == Mode::Materialize) state.materialized = std::max(state.materialized, move.rev.value);
  cursor.ledger = holder_.ledger;
  cursor.mover = holder_.holder;
  cursor.rev = move.rev.value;
}

namespace {

Error refusal(const SimTarget& target, const EntryView& entry) {
  return rejected(fmt::format("{}: {} refused", target.name(), entry.rkey), "22003");
}

/// Several changes of a record in one write are one: an image in between is never written.
bool last_of_its_key(Entries entries, std::size_t at) {
  return std::none_of(entries.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                      entries.end(),
                      [&](const EntryView& e) { return e.rkey == entries[at].rkey; });
}

// ---- Postgres

class PostgresSinkModel final : public SimSink {
 public:
  using SimSink::SimSink;

 private:
  Result<void> arrive(const Batch& batch, double share) override {
    if (!holds()) return fenced();
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
      if (last_of_its_key(batch.entries, i) && target_.poison(batch.entries[i])) {
        return refusal(target_, batch.entries[i]);
      }
    }
    if (share < 1) return {};  // half a transaction is none
    for (const EntryView& entry : batch.entries) {
      put(entry, batch.whole_relations || batch.mode == Mode::Materialize);
    }
    for (const CursorMove& each : batch.cursors) move(each, batch.mode);
    return {};
  }
};

// ---- Redis

class RedisSinkModel final : public SimSink {
 public:
  using SimSink::SimSink;
  Rev recorded(std::string_view, Rev cursor) const override {
    return owed_ ? Rev(stored_) : cursor;
  }

 private:
  struct Owed {
    CursorMove move;
    Mode mode;
  };
  Result<void> claimed() override {
    owed_.reset();
    stored_ = target_.state().cursor.rev;
    std::uint64_t& highest = target_.state().cursor.highest;
    highest_ = highest = std::max(highest, stored_);
    return {};
  }
  /// The first call of a pipeline: is it still our cursor, where we left it? Then on it goes.
  Result<void> check_and_advance(std::span<const CursorMove> moves) {
    TargetCursor& cursor = target_.state().cursor;
    const std::uint64_t known = highest_, found = cursor.highest;
    for (const CursorMove& each : moves) highest_ = std::max(highest_, each.rev.value);
    // Noted whatever is answered: the rest of the pipeline comes all the same.
    cursor.highest = std::max(found, highest_);
    if (cursor.epoch > epoch_ || (cursor.epoch == epoch_ && cursor.holder != holder_.holder)) {
      return fenced();
    }
    if (cursor.epoch < epoch_ || cursor.rev != stored_ || found != known) {
      open_ = false;
      return transient("redis: the cursor stands elsewhere, or one that lost wrote late", "CURSOR");
    }
    if (owed_) move(owed_->move, owed_->mode);
    stored_ = cursor.rev;
    owed_.reset();
    return {};
  }
  Result<void> pay() override { return owed_ ? check_and_advance({}) : Result<void>(); }
  Result<void> arrive(const Batch& batch, double share) override {
    const auto checked = check_and_advance(batch.cursors);
    const auto count = static_cast<std::size_t>(share * static_cast<double>(batch.entries.size()));
    std::optional<Error> first;
    std::set<std::string_view> refused;
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
      if (!last_of_its_key(batch.entries, i) || !target_.poison(batch.entries[i])) continue;
      refused.insert(batch.entries[i].rkey);
      if (!first) first = refusal(target_, batch.entries[i]);
    }
    for (const EntryView& entry : batch.entries.first(count)) {
      if (refused.contains(entry.rkey)) continue;
      const bool whole = batch.whole_relations || batch.mode == Mode::Materialize;
      // A seam: it would be written whole by a second pipeline, which a refused one does not send.
      if (!checked && !whole && is_seam(entry)) continue;
      put(entry, whole);
    }
    if (!checked) return checked;
    if (first) return *first;
    if (share < 1) return {};
    for (const CursorMove& each : batch.cursors)
      owed_ = {{{}, each.rev, each.commit_ts}, batch.mode};
    if (batch.entries.empty()) return check_and_advance({});
    return {};
  }
  /// True if the record does not hold what the entry builds on (headwater.lua).
  bool is_seam(const EntryView& entry) const {
    const auto row = target_.state().rows.find(std::string(entry.rkey));
    const bool held = row != target_.state().rows.end();
    if (entry.op == Op::Create) return held && !row->second.deleted;
    return entry.has_before && (!held || row->second.rev < entry.before.rev.value);
  }
  std::optional<Owed> owed_;
  std::uint64_t stored_ = 0;   // where the server's cursor stands, as far as we know
  std::uint64_t highest_ = 0;  // of any of the server's images, as far as we know
};

// ---- Kafka

constexpr std::size_t kPartitions = 3;

std::size_t partition_of(std::string_view key) {
  std::size_t hash = 17;
  for (const char c : key) hash = hash * 31 + static_cast<unsigned char>(c);
  return hash % kPartitions;
}

class KafkaModel final : public SimTarget {
 public:
  explicit KafkaModel(World& world) : SimTarget(world, "kafka") { state_.log.resize(kPartitions); }
  std::unique_ptr<Sink> sink(const Holder& holder) override;
  void land_late() override {
    for (Message& message : late_) {
      message.late = true;
      append(message);
    }
    late_.clear();
  }
  void append(const Message& message) {
    if (!message.untold) state_.log[partition_of(message.key)].push_back(message);
    if (!message.record) return;
    // The compacted topic, as its readers have it: upsert by key, the greater rev wins.
    TargetRow& row = state_.rows[message.key];
    if (message.rev <= row.rev) return;
    row = {message.rev, message.text[0] == 'd', message.text.substr(1), {}, message.ledger};
  }
  void leave(Message message) { late_.push_back(std::move(message)); }

 private:
  std::vector<Message> late_;
};

class KafkaSinkModel final : public SimSink {
 public:
  KafkaSinkModel(KafkaModel& kafka, Holder holder)
      : SimSink(kafka, std::move(holder)), kafka_(kafka) {}
  bool needs_history() const override { return true; }
  Rev recorded(std::string_view, Rev cursor) const override {
    return owed_ ? Rev(target_.state().cursor.rev) : cursor;
  }

 private:
  struct Owed {
    CursorMove move;
    Mode mode;
  };
  /// What the log holds after the offsets that the cursor record names.
  Result<void> claimed() override {
    const std::string& ledger = target_.state().cursor.ledger;
    foreign_ = !ledger.empty() && ledger != holder_.ledger;
    owed_.reset();
    known_.clear();
    read_back();
    return {};
  }
  void read_back() {
    tail_last_ = 0;
    TargetState& state = target_.state();
    std::uint64_t& highest = state.cursor.highest;
    for (std::size_t p = 0; p < kPartitions; ++p) {
      const auto& log = state.log[p];
      found_to_[p] = log.size();
      const std::size_t from = p < state.cursor.ends.size() ? state.cursor.ends[p] : 0;
      for (std::size_t i = std::min(from, log.size()); i < log.size(); ++i) {
        known_.emplace(log[i].key, log[i].rev);
        highest = std::max(highest, log[i].rev);
        tail_last_ = std::max(tail_last_, log[i].rev);
      }
    }
  }
  Result<void> pay() override {
    if (!owed_) return {};
    if (!holds()) return fenced();
    move(owed_->move, owed_->mode);
    owed_.reset();
    // What read-back found and the cursor has not passed stands before the ends: those of before
    // are kept.
    TargetCursor& cursor = target_.state().cursor;
    if (cursor.rev < tail_last_) return {};
    cursor.ends.clear();
    for (const auto& log : target_.state().log) cursor.ends.push_back(log.size());
    return {};
  }
  Result<void> arrive(const Batch& batch, double share) override {
    if (!holds()) return fenced();
    if (auto ok = pay(); !ok) return ok;
    // Per partition in order, but the partitions each at their own pace.
    double arrives[kPartitions];
    for (double& each : arrives)
      each = share == 1 ? 1 : 0.5 * static_cast<double>(target_.world().random.below(3));
    std::size_t sent[kPartitions] = {}, of[kPartitions] = {};
    for (const EntryView& entry : batch.entries) ++of[partition_of(entry.rkey)];
    TargetState& state = target_.state();
    // One org: a retry is told whatever was told before.
    const Rev history_from =
        batch.mode == Mode::Rewrite ? Rev{} : batch.cursors.front().history_from;
    if (history_from.value > 0) state.untold_to = std::max(state.untold_to, history_from.value - 1);
    const bool late = share < 1 && target_.world().roll(target_.world().faults.late);
    std::optional<Error> first;
    for (const EntryView& entry : batch.entries) {
      Message message{std::string(entry.rkey),
                      entry.meta.rev.value,
                      text_of(entry),
                      holder_.ledger,
                      entry.kind == EntryKind::Record,
                      batch.mode == Mode::Materialize,
                      epoch_,
                      found_to_[partition_of(entry.rkey)]};
      message.untold = entry.meta.rev < history_from;
      message.foreign = foreign_;
      if (known_.contains({message.key, message.rev})) continue;
      if (target_.poison(entry)) {
        if (!first) first = refusal(target_, entry);
        continue;
      }
      const std::size_t p = partition_of(entry.rkey);
      if (static_cast<double>(sent[p]++) < arrives[p] * static_cast<double>(of[p])) {
        kafka_.append(message);
      } else if (late) {
        kafka_.leave(std::move(message));
      }
    }
    if (first) {
      read_back();  // what did arrive of this write must not be sent again
      return *first;
    }
    if (share < 1) return {};
    for (const CursorMove& each : batch.cursors)
      owed_ = {{{}, each.rev, each.commit_ts}, batch.mode};
    return batch.entries.empty() ? pay() : Result<void>();
  }
  KafkaModel& kafka_;
  std::set<std::pair<std::string, std::uint64_t>> known_;
  std::size_t found_to_[kPartitions] = {};  // where the partitions ended when they were read back
  std::uint64_t tail_last_ = 0;             // the highest rev that read-back found
  std::optional<Owed> owed_;
  bool foreign_ = false;
};

std::unique_ptr<Sink> KafkaModel::sink(const Holder& holder) {
  return std::make_unique<KafkaSinkModel>(*this, holder);
}

template <typename SinkModel>
class RowTarget final : public SimTarget {
 public:
  using SimTarget::SimTarget;
  std::unique_ptr<Sink> sink(const Holder& holder) override {
    return std::make_unique<SinkModel>(*this, holder);
  }
};

}  // namespace

std::unique_ptr<SimTarget> make_sim_postgres(World& world) {
  return std::make_unique<RowTarget<PostgresSinkModel>>(world, "postgres");
}
std::unique_ptr<SimTarget> make_sim_redis(World& world) {
  return std::make_unique<RowTarget<RedisSinkModel>>(world, "redis");
}
std::unique_ptr<SimTarget> make_sim_kafka(World& world) {
  return std::make_unique<KafkaModel>(world);
}

}  // namespace headwater::sim
