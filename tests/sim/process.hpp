#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/memory_store.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/ingest.hpp"
#include "daemon/pipeline/org_worker.hpp"
#include "daemon/pipeline/sink_loop.hpp"
#include "tests/sim/source.hpp"
#include "tests/sim/targets.hpp"

namespace headwater::sim {

/// What the process believes: the world's time, and a wall clock that may be wrong.
class SkewedClock final : public Clock {
 public:
  explicit SkewedClock(const SimClock& clock) : clock_(clock) {}
  std::int64_t now_us() const override { return clock_.now_us() + skew_us; }
  std::int64_t monotonic_ms() const override { return clock_.monotonic_ms(); }
  std::int64_t skew_us = 0;

 private:
  const SimClock& clock_;
};

/// A loop of a process: what a thread would run.
struct Actor {
  std::string name;
  std::function<Step()> step;
  std::int64_t ready_at = 0;  ///< ms
  bool done = false;          ///< ended for good
  bool busy = false;          ///< on the stack: it waits for somebody
};

/// A daemon: the real ledger, ingest, org worker and sink loops over a disk that outlives it. It
/// dies and starts again; what it was is in its disk and in the targets alone.
class Process {
 public:
  Process(World& world,
          SimOrg& org,
          std::vector<SimTarget*> targets,
          int id,
          std::shared_ptr<ledger::MemoryDisk> disk);
  ~Process();

  /// Opens the ledger and builds the loops. False: it died on the way.
  bool start();
  /// Gone at once. `power`: with what was not synced, but for a prefix of it.
  void die(bool power);
  /// As after SIGTERM: nothing more is asked for, sinks pay what they owe.
  void stop();

  bool up() const { return parts_ != nullptr; }
  std::vector<Actor>& actors();
  ledger::Ledger& ledger();
  const std::vector<std::unique_ptr<SinkLoop>>& sinks() const;
  RowLane& lane();
  /// Fields that the org does not show our user; nullptr: nobody notes them in this run.
  const HiddenFields* hidden() const;
  int id() const { return id_; }
  std::string holder() const { return "machine:" + std::to_string(id_); }
  /// The state directory as another machine would find it: what is synced, and some of the rest.
  std::shared_ptr<ledger::MemoryDisk> copy_disk() {
    return disk_->copy(world_.random.below(disk_->unsynced() + 1));
  }
  /// The state directory is another from now on. REQUIRES: not up().
  void set_disk(std::shared_ptr<ledger::MemoryDisk> disk) { disk_ = std::move(disk); }
  Subscriptions& subscriptions() { return subscriptions_; }
  /// Somebody's entry came: who waits for one looks.
  void wake_sinks();

  std::int64_t start_at = 0;      ///< ms; while down: when to start
  std::int64_t paused_until = 0;  ///< ms; stands still before
  bool retired = false;           ///< never starts again

 private:
  struct Parts;
  void build();
  void add_tasks();
  Step step_ingest();
  Step step_main();
  Step step_remap();

  World& world_;
  SimOrg& org_;
  const std::vector<SimTarget*> targets_;
  const int id_;
  std::shared_ptr<ledger::MemoryDisk> disk_;
  SkewedClock clock_;
  Subscriptions subscriptions_;
  std::int64_t disk_full_until_ = 0;
  std::size_t mapping_ = 0;  // of those that a start may bring
  std::unique_ptr<Parts> parts_;
};

}  // namespace headwater::sim
