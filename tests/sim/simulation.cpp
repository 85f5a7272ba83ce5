#include "tests/sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/audit/receipt.hpp"
#include "daemon/ledger/hole_causes.hpp"
#include "daemon/pipeline/org_objects.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/process.hpp"

namespace headwater::sim {
namespace {

constexpr std::size_t kStepsMax = 400'000;
/// It rests for so long: what begins when the last hole is closed shows within this.
constexpr std::int64_t kRestMs = 3'000;
constexpr std::int64_t kRestMostMs = 4LL * 3'600'000;
constexpr int kDepthMax = 3;
constexpr std::int64_t kMinuteUs = 60'000'000, kHourUs = 60 * kMinuteUs;

constexpr std::string_view kUnaudited = "an audit is due";

/// A daemon and who watches it.
struct Daemon {
  Daemon(World& world, SimOrg& org, const std::vector<SimTarget*>& targets, int id, auto disk)
      : process(world, org, targets, id, std::move(disk)),
        watch(world, org, process.subscriptions()) {}
  Process process;
  Watch watch;
  bool copied = false;  // its state directory is a copy: of another's, or from before
};

/// A state directory, and what the bus owes whoever goes on from it: an event that was lost to a
/// later one is not lost to this.
struct Backup {
  std::shared_ptr<ledger::MemoryDisk> disk;
  Subscriptions subscriptions;
};

/// What the org's list said of the object when it was asked last: that no stream tells of it.
/// Nothing: it was never certain.
std::optional<bool> told_silent(ledger::Ledger& ledger, const std::string& object) {
  const auto captured = captured_of(ledger, kOrg);
  if (!captured || !captured->exact) return std::nullopt;
  const auto at = captured->objects.find(object);
  if (at == captured->objects.end() || !at->second.sure) return std::nullopt;
  return captured->silent(at->second);
}

class Simulation {
 public:
  explicit Simulation(const Options& options);
  Outcome run();

 private:
  /// Something that may happen next.
  struct Task {
    std::int64_t at = 0;
    enum class What { Change, Fault, Start, Act } what = What::Act;
    Daemon* daemon = nullptr;
    Actor* actor = nullptr;
  };
  void collect(std::vector<Task>& out);
  bool step();
  void meanwhile();
  bool is_outer(const Task& task) const;
  void perform(const Task& task);
  void act(Daemon& daemon, Actor& actor);
  void start(Daemon& daemon);
  void gone(int process);
  void disown(const std::string& holder);
  void change();
  void listen();
  bool audited();
  std::size_t audits_of(const std::string& object);
  void strike();
  void strike_target(SimTarget& target, std::vector<TargetState>& copies);
  void strike_process();
  void strike_field();
  void begin_rival();
  void deselect();
  void select_again();
  // the end
  void calm_down();
  std::string unrest();

  World world_;
  SimOrg org_;
  std::vector<std::unique_ptr<SimTarget>> owned_;
  std::vector<SimTarget*> targets_;
  std::vector<std::unique_ptr<Daemon>> daemons_;
  std::vector<Backup> backups_;
  std::vector<std::vector<TargetState>> copies_;  // by target
  std::vector<int> stack_;                        // processes whose actors wait, outermost first
  std::size_t changes_left_;
  std::int64_t change_at_, fault_at_;
  std::map<std::string, std::size_t> audits_before_;  // by object: when all else was at rest
  bool migrated_ = false, history_ = true;
  Outcome outcome_;
};

Simulation::Simulation(const Options& options)
    : world_(options), org_(world_), changes_left_(options.changes) {
  owned_.push_back(make_sim_postgres(world_));
  owned_.push_back(make_sim_redis(world_));
  owned_.push_back(make_sim_kafka(world_));
  for (const auto& target : owned_) targets_.push_back(target.get());
  copies_.resize(targets_.size());
  world_.on_wait = [this] { meanwhile(); };
  change_at_ = fault_at_ = world_.now_ms();
  const std::uint64_t life = world_.faults.snapshot ? 60 : 5;  // before the daemon's first start
  for (std::uint64_t i = world_.random.below(life); i > 0; --i) org_.commit();
  daemons_.push_back(
      std::make_unique<Daemon>(world_, org_, targets_, 1, std::make_shared<ledger::MemoryDisk>()));
}

// ---- the scheduler

void Simulation::collect(std::vector<Task>& out) {
  out.clear();
  if (!world_.calm) {
    out.push_back({change_at_, Task::What::Change});
    out.push_back({fault_at_, Task::What::Fault});
  }
  for (const auto& daemon : daemons_) {
    Process& process = daemon->process;
    if (process.retired) continue;
    if (!process.up()) {
      if (std::ranges::find(stack_, process.id()) == stack_.end()) {
        out.push_back({process.start_at, Task::What::Start, daemon.get()});
      }
      continue;
    }
    for (Actor& actor : process.actors()) {
      if (actor.done || actor.busy) continue;
      out.push_back(
          {std::max(actor.ready_at, process.paused_until), Task::What::Act, daemon.get(), &actor});
    }
  }
}

/// One of the things that are due, by chance; if none is, time passes.
bool Simulation::step() {
  std::vector<Task> tasks;
  collect(tasks);
  if (tasks.empty()) return false;
  const std::int64_t soonest = std::ranges::min_element(tasks, {}, &Task::at)->at;
  if (soonest > world_.now_ms()) world_.clock.us = soonest * 1000;
  std::erase_if(tasks, [&](const Task& task) { return task.at > world_.now_ms(); });
  perform(tasks[world_.random.below(tasks.size())]);
  return true;
}

/// While a call is under way: other threads run, and time passes.
void Simulation::meanwhile() {
  if (static_cast<int>(stack_.size()) >= kDepthMax || world_.random.chance(0.6)) return;
  std::vector<Task> tasks;
  const int outer = world_.process;
  const std::string actor = world_.actor;
  for (std::uint64_t i = 1 + world_.random.below(4); i > 0; --i) {
    world_.clock.us += world_.random.between(0, 8) * 1000;
    collect(tasks);
    // What strikes a process from outside does not do so in the middle of its call.
    std::erase_if(tasks, [&](const Task& task) {
      return task.at > world_.now_ms() + 40 || task.what == Task::What::Fault || is_outer(task);
    });
    if (tasks.empty()) break;
    const Task& task = tasks[world_.random.below(tasks.size())];
    world_.clock.us = std::max(world_.clock.us, task.at * 1000);
    perform(task);
  }
  world_.process = outer;
  world_.actor = actor;
}

/// Of a process that waits further out for another one's call: should it crash, that call would be
/// unwound with it, and leave the other in a state that no process can be in.
bool Simulation::is_outer(const Task& task) const {
  if (task.what != Task::What::Act || stack_.empty()) return false;
  const int process = task.daemon->process.id();
  return process != stack_.back() && std::ranges::find(stack_, process) != stack_.end();
}

void Simulation::perform(const Task& task) {
  try {
    switch (task.what) {
      case Task::What::Change:
        return change();
      case Task::What::Fault:
        return strike();
      case Task::What::Start:
        return start(*task.daemon);
      case Task::What::Act:
        return act(*task.daemon, *task.actor);
    }
  } catch (const Crash& crash) {
    // Its other threads may be waiting further out: then it is gone once they are unwound.
    if (std::ranges::find(stack_, crash.process) != stack_.end()) throw;
    gone(crash.process);
  }
}

void Simulation::act(Daemon& daemon, Actor& actor) {
  struct OnStack {
    OnStack(Actor& a, std::vector<int>& s, int process) : actor(a), stack(s) {
      actor.busy = true;
      stack.push_back(process);
    }
    ~OnStack() {
      actor.busy = false;
      stack.pop_back();
    }
    Actor& actor;
    std::vector<int>& stack;
  };
  Process& process = daemon.process;
  world_.process = process.id();
  world_.actor = actor.name;
  const std::uint64_t head = process.ledger().head().value;
  {
    const OnStack on_stack(actor, stack_, process.id());
    const Step step = actor.step();
    const std::int64_t now = world_.now_ms();
    actor.done = step.next == Step::Next::Done;
    actor.ready_at = step.next == Step::Next::Wait ? std::max(step.until_ms, now)
                                                   : now + world_.random.between(0, 2);
    world_.trace.line(fmt::format("{} {} {} {} {}",
                                  now,
                                  process.id(),
                                  actor.name,
                                  static_cast<int>(step.next),
                                  actor.ready_at));
  }
  ++outcome_.steps;
  if (process.ledger().head().value != head) process.wake_sinks();
  daemon.watch.look(process.ledger(), targets_);
  daemon.watch.look_at_cursors(process.ledger(), process.holder(), targets_);
}

void Simulation::start(Daemon& daemon) {
  if (!daemon.process.start()) {
    daemon.process.die(false);
    daemon.process.start_at = world_.now_ms() + world_.random.between(1'000, 20'000);
    return;
  }
  ledger::Ledger& ledger = daemon.process.ledger();
  daemon.watch.reopened(ledger, daemon.copied);
  if (daemon.copied) daemon.watch.adopt(ledger, targets_);
  daemon.copied = false;
  daemon.watch.look(ledger, targets_);
}

void Simulation::gone(int id) {
  Daemon& daemon = *daemons_[static_cast<std::size_t>(id - 1)];
  ++outcome_.crashes;
  daemon.process.die(world_.options.crash_at || world_.roll(world_.faults.power_loss));
  daemon.process.paused_until = 0;
  daemon.process.start_at =
      world_.now_ms() + (world_.random.chance(0.5) ? world_.random.between(0, 500)
                                                   : world_.random.between(0, 40'000));
  if (id == 1 && !backups_.empty() && world_.roll(world_.faults.restore)) {
    world_.trace.line(fmt::format("{} an older state directory is put back", world_.now_ms()));
    const Backup& backup = backups_[world_.random.below(backups_.size())];
    daemon.process.set_disk(backup.disk->copy());
    daemon.process.subscriptions() = backup.subscriptions;
    daemon.copied = true;
    disown(daemon.process.holder());
    history_ = false;
  }
}

/// What a holder moved before its state directory went back says nothing of the journal that it has
/// now.
void Simulation::disown(const std::string& holder) {
  const auto disown = [&](TargetState& state) {
    if (state.cursor.mover == holder) state.cursor.mover.clear();
  };
  for (SimTarget* target : targets_) disown(target->state());
  for (auto& copies : copies_) std::ranges::for_each(copies, disown);
}

void Simulation::change() {
  if (changes_left_ > 0) {
    listen();
    org_.commit();
    --changes_left_;
  }
  const auto pause = world_.random.chance(0.5)   ? world_.random.between(0, 60)
                     : world_.random.chance(0.8) ? world_.random.between(0, 3'000)
                                                 : world_.random.between(0, 40'000);
  change_at_ = world_.now_ms() + pause;
}

/// From when the daemon's position is on its disk, and its audit claims what is saved, it is owed
/// every change.
void Simulation::listen() {
  Process& process = daemons_[0]->process;
  if (world_.faults.dropped == 0 || org_.listened_to() || !process.up()) return;
  const auto position = process.ledger().position({kOrg, kTopic});
  const bool anchored = position && !position->replay_id.empty();
  if (anchored && listening_since(process.ledger(), kOrg) != 0) org_.listen();
}

/// Each object was audited since all else is at rest: an audit may have begun before.
bool Simulation::audited() {
  if (!world_.faults.audits) return true;
  bool all = true;
  for (const auto& object : org_.objects()) {
    const std::size_t audits = audits_of(object.name);
    all &= audits >= audits_before_.try_emplace(object.name, audits).first->second + 2;
  }
  return all;
}

/// Audits of the object that could look.
std::size_t Simulation::audits_of(const std::string& object) {
  const auto receipts = audit::Receipts(daemons_[0]->process.ledger()).list(kOrg, object);
  if (!receipts) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(*receipts, [](const auto& receipt) {
    return receipt.find(R"("result":"failed")") == std::string::npos;
  }));
}

// ---- faults from outside

void Simulation::strike() {
  const Faults& faults = world_.faults;
  fault_at_ = world_.now_ms() + world_.random.between(200, 6'000);
  for (std::size_t i = 0; i < targets_.size(); ++i) strike_target(*targets_[i], copies_[i]);
  if (world_.roll(faults.stall)) org_.stall();
  // Audits take their time, and come every few minutes: at times these pass all at once.
  if (faults.audits && !faults.rival && world_.random.chance(0.1))
    world_.clock.us += world_.random.between(1, 12) * kMinuteUs;
  if (world_.roll(faults.new_schema)) org_.change_schema();
  if (world_.roll(faults.expire) && org_.visible() > org_.first_kept()) {
    org_.expire(org_.first_kept() + world_.random.below(org_.visible() - org_.first_kept()) + 1);
  }
  if (!migrated_ && world_.roll(faults.migration)) {
    migrated_ = true;
    org_.migrate();
  }
  if (faults.restore > 0 && backups_.size() < 4 && world_.random.chance(0.1)) {
    Process& process = daemons_[0]->process;
    backups_.push_back({process.copy_disk(), process.subscriptions()});
  }
  if (faults.deselect > 0) org_.deselected() != nullptr ? select_again() : deselect();
  if (faults.hide > 0) strike_field();
  strike_process();
}

/// A field is hidden from our user, and shown again. Events carry it as null once a describe told
/// the daemon: what comes between the two it takes for a value, and nobody can tell.
void Simulation::strike_field() {
  const auto& hidden = org_.hidden();
  if (!hidden || !hidden->now) {
    if (!hidden && world_.roll(world_.faults.hide)) org_.hide();
    return;
  }
  Process& process = daemons_[0]->process;
  if (!process.up()) return;
  if (hidden->masked) {
    if (world_.roll(world_.faults.hide)) org_.show();
    return;
  }
  const auto known = process.hidden()->of(hidden->object);
  const NameTable& names = process.ledger().names(kOrg, hidden->object);
  const auto name = names.find(hidden->field);
  if (known && name && std::ranges::binary_search(*known, *name, {}, &HiddenFields::Mute::name)) {
    org_.mask();
  }
}

void Simulation::strike_target(SimTarget& target, std::vector<TargetState>& copies) {
  const Faults& faults = world_.faults;
  const bool log = !target.state().log.empty();
  if (world_.random.chance(0.3)) target.land_late();
  if (world_.roll(faults.outage)) {
    target.take_down(world_.now_ms() + world_.random.between(500, 90'000));
  }
  if (world_.roll(faults.blocked)) {
    target.block(world_.now_ms() + world_.random.between(500, 90'000));
  }
  if (!log && faults.rollback > 0) {
    if (copies.size() < 4 && world_.random.chance(0.2)) copies.push_back(target.state());
    if (!copies.empty() && world_.roll(faults.rollback)) {
      world_.trace.line(fmt::format("{} {} goes back", world_.now_ms(), target.name()));
      target.state() = copies[world_.random.below(copies.size())];
      // Redis may come back behind a proxy that keeps connections; Postgres is started anew.
      if (target.name() != "redis" || world_.random.chance(0.5)) target.cut();
      for (const auto& daemon : daemons_) daemon->watch.forget(target);
    }
  }
  if (world_.roll(faults.flush)) {
    world_.trace.line(fmt::format("{} {} is emptied", world_.now_ms(), target.name()));
    target.land_late();  // in what is emptied: nothing of before comes after
    TargetState empty;
    empty.log.resize(target.state().log.size());
    target.state() = std::move(empty);
    if (target.name() != "redis" || world_.random.chance(0.5)) target.cut();
    for (const auto& daemon : daemons_) daemon->watch.forget(target);
  }
}

void Simulation::strike_process() {
  const Faults& faults = world_.faults;
  for (std::size_t i = 0; i < daemons_.size(); ++i) {
    Process& process = daemons_[i]->process;
    if (!process.up()) continue;
    if (world_.roll(faults.pause)) {
      process.paused_until = world_.now_ms() + world_.random.between(500, 100'000);
    } else if (world_.roll(faults.crash * 2)) {
      world_.trace.line(fmt::format("{} {} is killed", world_.now_ms(), process.id()));
      gone(process.id());
    } else if (world_.roll(faults.term * 0.1)) {
      world_.process = process.id();
      world_.actor = "stop";
      process.stop();
      process.start_at = world_.now_ms() + world_.random.between(0, 5'000);
    }
  }
  if (faults.rival && daemons_.size() == 1 && world_.random.chance(0.05)) begin_rival();
}

/// A copy of the state directory is started on another machine while ours stands still for longer
/// than a claim lasts.
void Simulation::begin_rival() {
  world_.trace.line(fmt::format("{} a rival begins", world_.now_ms()));
  Process& ours = daemons_[0]->process;
  daemons_.push_back(std::make_unique<Daemon>(world_, org_, targets_, 2, ours.copy_disk()));
  daemons_[1]->copied = true;
  daemons_[1]->process.subscriptions() = ours.subscriptions();
  // A copy takes time: no two ledgers start in the same microsecond.
  daemons_[1]->process.start_at = world_.now_ms() + 1;
  ours.paused_until = world_.now_ms() + world_.random.between(0, 150'000);
  history_ = false;
}

/// An object of which the daemon has heard by event, and by the org's list, leaves the channel.
void Simulation::deselect() {
  Process& process = daemons_[0]->process;
  if (!process.up() || !world_.roll(world_.faults.deselect)) return;
  const auto& object = org_.objects()[world_.random.below(org_.objects().size())];
  const auto counts = process.ledger().counts();
  const bool heard_of = std::ranges::any_of(
      counts, [&](const auto& count) { return count.object == object.name && count.alive > 0; });
  if (!heard_of || told_silent(process.ledger(), object.name) != false) return;
  world_.trace.line(fmt::format("{} {} is deselected", world_.now_ms(), object.name));
  org_.select(object.name, false);
}

/// A silence that is over before anybody asked is like none: it ends once the ledger knows of it.
void Simulation::select_again() {
  Process& process = daemons_[0]->process;
  if (!process.up()) return;
  const SimObject& object = *org_.deselected();
  const auto holes = process.ledger().wide_holes(kOrg);
  const bool named = std::ranges::any_of(holes, [&](const ledger::Hole& hole) {
    return hole.cause == ledger::kSwitchedOff && hole.object == object.name;
  });
  if (!named || told_silent(process.ledger(), object.name) != true) {
    // The list is asked every hour: that hour passes, at times all at once.
    if (world_.random.chance(world_.calm ? 0.001 : 0.2)) world_.clock.us += kHourUs;
    return;
  }
  if (!world_.calm && world_.random.chance(0.8)) return;
  world_.trace.line(fmt::format("{} {} is selected again", world_.now_ms(), object.name));
  org_.select(object.name, true);
}

// ---- the end

void Simulation::calm_down() {
  world_.calm = true;
  world_.trace.line(fmt::format("{} faults stop", world_.now_ms()));
  org_.release();
  for (SimTarget* target : targets_) {
    target->land_late();
    target->take_down(0);
    target->block(0);
  }
  const bool rival = daemons_.size() > 1;
  if (rival) {
    // An operator stops one of the two, and starts the other again.
    daemons_[1]->process.retired = true;
    if (daemons_[1]->process.up()) daemons_[1]->process.die(false);
  }
  Process& process = daemons_[0]->process;
  process.paused_until = 0;
  process.start_at = std::min(process.start_at, world_.now_ms());
  // A fenced sink claims again only after a start by a person.
  if (process.up() && (rival || std::ranges::any_of(process.actors(), &Actor::done))) {
    process.die(false);
  }
}

/// Why it is not at rest; empty: it is.
std::string Simulation::unrest() {
  Process& process = daemons_[0]->process;
  if (!process.up()) return "the daemon is down";
  ledger::Ledger& ledger = process.ledger();
  for (const Actor& actor : process.actors()) {
    if (actor.done) return actor.name + " has ended";
  }
  if (const SimObject* object = org_.deselected()) return object->name + " is deselected";
  const auto position = ledger.position({kOrg, kTopic});
  const auto index = position ? org_.index_of(position->replay_id.bytes()) : std::nullopt;
  if (!org_.bus().empty() && (!index || *index + 1 != org_.bus().size())) {
    return fmt::format("the position is at {} of {}", index.value_or(0), org_.bus().size());
  }
  if (!process.lane().empty()) return "rows wait in the lane";
  if (ledger.reprojecting()) return "records owe a projection";
  for (const auto& object : org_.objects()) {
    if (world_.faults.snapshot && !ledger.last_snapped(kOrg, object.name))
      return object.name + " is not read in";
  }
  for (const auto& hole : ledger.holes()) {
    if (hole.of_record() || !world_.faults.unread) {
      return fmt::format("a hole of {} {} is open ({})", hole.object, hole.id, hole.cause);
    }
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const TargetCursor& cursor = targets_[i]->state().cursor;
    if (process.sinks()[i]->caught_up() && cursor.ledger == ledger.id() &&
        cursor.rev >= ledger.head().value) {
      continue;
    }
    return fmt::format(
        "{} stands at {}, the journal at {}", targets_[i]->name(), cursor.rev, ledger.head().value);
  }
  if (!audited()) return std::string(kUnaudited);
  return {};
}

Outcome Simulation::run() {
  const std::int64_t began = world_.now_ms();
  try {
    while (!world_.calm) {
      step();
      if (changes_left_ == 0 && world_.random.chance(0.002)) calm_down();
    }
    const std::int64_t calm_at = world_.now_ms();
    const std::size_t steps = outcome_.steps;
    std::int64_t since = world_.now_ms();  // that it rests
    for (;;) {
      step();
      if (org_.deselected() != nullptr) select_again();
      const std::string why = unrest();
      if (why == kUnaudited && world_.random.chance(0.1)) world_.clock.us += kMinuteUs;
      if (!why.empty()) since = world_.now_ms();
      if (world_.now_ms() - since > kRestMs) break;
      if (world_.now_ms() - calm_at > kRestMostMs || outcome_.steps - steps > kStepsMax) {
        throw Violation("rest: it does not come to rest: " + why);
      }
    }
    daemons_[0]->watch.rest(daemons_[0]->process.ledger(), targets_, history_);
  } catch (const Violation& violation) {
    outcome_.failure = violation.what();
    world_.trace.line(outcome_.failure);
  }
  outcome_.at_ms = world_.now_ms() - began;
  outcome_.entries = daemons_[0]->watch.entries();
  outcome_.hash = world_.trace.hash();
  outcome_.points = world_.points;
  outcome_.crashed = world_.crashed;
  return outcome_;
}

}  // namespace

Outcome simulate(const Options& options) { return Simulation(options).run(); }

}  // namespace headwater::sim
