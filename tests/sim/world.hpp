#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "schemas/core/time.hpp"

namespace headwater::sim {

/// A promise that was broken. what() says which check and by what.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thrown at a labelled step: the process named is gone at once. Nothing of its memory is used
/// again.
struct Crash {
  int process = 0;
};

/// All chance in a run comes from one of these, so the seed decides everything.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t bits() { return engine_(); }
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : engine_() % bound; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least) + 1));
  }
  bool chance(double share) { return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < share; }

 private:
  std::mt19937_64 engine_;
};

/// Moved by the scheduler alone. One for all: what a process believes is its own SkewedClock.
class SimClock final : public Clock {
 public:
  std::int64_t now_us() const override { return us; }
  std::int64_t monotonic_ms() const override { return us / 1000; }
  std::int64_t us = 1'772'366'400'000'000;  // 2026-03-01T12:00:00Z
};

/// What happened, as a hash: two runs of one seed give the same. Printed if asked for.
class Trace {
 public:
  explicit Trace(bool print) : print_(print) {}
  void line(std::string_view text);
  void bytes(std::string_view bytes);
  std::uint64_t hash() const { return hash_; }

 private:
  bool print_;
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

/// How likely each fault is, at each place where it may strike. A seed switches each on or off, so
/// that rare combinations come up: a run with everything at once hides what a single fault does.
struct Faults {
  // the process
  double crash = 0;       ///< at a labelled step
  double power_loss = 0;  ///< share of crashes that lose what was not synced, or the end of it
  double term = 0;        ///< share of ends that are orderly stops
  double pause = 0;       ///< a process stands still for a while, as under SIGSTOP
  double clock_back = 0;  ///< a start whose wall clock lies a day off
  double disk = 0;        ///< a write of the store fails: it may be on the disk all the same
  double restore = 0;     ///< a start from an older copy of the state directory
  double remap = 0;       ///< a start with another mapping
  bool rival = false;     ///< a copy of the state directory is started beside us
  bool small_journal = false;
  // the org
  double cut = 0;          ///< stream ends
  double refused = 0;      ///< Subscribe fails
  double redeliver = 0;    ///< events come again after a reconnect
  double expire = 0;       ///< the bus forgets what was not yet read
  double stall = 0;        ///< the bus holds back events for minutes
  double schema_down = 0;  ///< GetSchema unavailable
  double api = 0;          ///< REST fails
  double gap = 0;          ///< an event comes as GAP_UPDATE without its fields
  double corrupt = 0;      ///< an event cannot be decoded but for its header
  double new_schema = 0;   ///< a field is added mid-stream
  double migration = 0;    ///< commit numbers restart
  double deselect = 0;     ///< an object leaves the channel until the daemon knows
  bool start_latest = false;
  bool snapshot = false;  ///< with start_latest: objects are read in first, while events come
  double log_cut = 0;     ///< the log of deletions begins too late, or ends too early
  bool no_bin = false;    ///< what is deleted is in no recycle bin
  bool unread = false;    ///< nobody reads objects again: holes of stretches stay
  bool audits = false;    ///< objects are compared with the org, every few minutes
  double dropped = 0;     ///< an event is lost in silence: the audit alone can tell
  double hide = 0;        ///< a field is hidden from our user for a while
  bool bulk = false;      ///< objects are too large for REST: they are read by Bulk jobs
  double job_lost = 0;    ///< a Bulk job fails, or its rows are gone before they are read
  double slow = 0;        ///< a query takes too long for as many rows as it asks for
  // the targets
  double before = 0;    ///< a write fails and nothing arrived
  double after = 0;     ///< a write arrived, its answer did not
  double partial = 0;   ///< part of it arrived
  double late = 0;      ///< the rest of it arrives later, behind our back (Kafka)
  double outage = 0;    ///< down for a while
  double blocked = 0;   ///< wrong credentials for a while
  double rollback = 0;  ///< an older copy comes back
  double flush = 0;     ///< all is gone
  double poison = 0;    ///< share of images that a target refuses for good

  static Faults draw(Random& random);
};

struct Options {
  std::uint64_t seed = 1;
  std::size_t changes = 60;  ///< that the org makes before faults stop
  bool print = false;        ///< the trace, to stdout
  /// Instead of crashes by chance: one when this labelled step is reached for the n-th time.
  std::optional<std::pair<std::string, std::uint64_t>> crash_at;
  std::optional<Faults> faults;  ///< instead of drawn ones
};

/// What every part of a run shares.
class World {
 public:
  explicit World(const Options& options);

  bool roll(double share) { return !calm && share > 0 && random.chance(share); }
  std::int64_t now_ms() const { return clock.monotonic_ms(); }
  /// A labelled step of the running actor, just before or after something durable: between two of
  /// them nothing outside the process changes, so a crash here stands for one anywhere between.
  void point(std::string_view what);
  /// A call that takes time: other threads of the process, and others, go on meanwhile.
  void meanwhile() {
    if (on_wait) on_wait();
  }

  const Options options;
  Random random;
  SimClock clock;
  Trace trace;
  Faults faults;
  bool calm = false;  ///< no more faults: all must come to rest
  int process = 0;    ///< whose actor is running
  std::string actor;
  std::map<std::string, std::uint64_t> points;  ///< labelled steps and how often they were reached
  std::set<std::string> crashed;                ///< those at which a process died
  std::function<void()> on_wait;
};

}  // namespace headwater::sim
