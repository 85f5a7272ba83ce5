#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::observe {

enum class PartState {
  Starting,  ///< not yet at work
  Ok,
  Waiting,  ///< a transient failure: backs off and tries again
  Blocked,  ///< needs a person; tried again every 60 s
  Fatal,    ///< stopped for good; a restart after mending
  Stopped,  ///< orderly
};
std::string_view to_string(PartState state);

/// How one part (a stream, an org's repair, a sink) is. Written by its thread, read by /status and
/// the watchdog.
class Part {
 public:
  struct Snapshot {
    std::string name;
    PartState state = PartState::Starting;
    std::string sentence;          ///< why, and what to do; empty when Ok
    EpochMs since = 0;             ///< of this state
    std::int64_t beat_age_ms = 0;  ///< since its thread last came round
    bool stuck = false;            ///< its thread is older than its own deadline
  };

  Part(std::string name, Millis step_deadline, const Clock& clock);
  /// Logs the change, once. The same state with the same sentence is nothing new.
  void set(PartState state, std::string sentence = {});
  void fail(const Error& error);  ///< the state that the error's kind asks for
  void beat();                    ///< "my thread came round": the watchdog is fed by progress
  PartState state() const;
  Snapshot snapshot() const;

 private:
  const std::string name_;
  const Millis step_deadline_;
  const Clock& clock_;
  std::atomic<std::int64_t> beat_at_;
  mutable std::mutex mutex_;
  PartState state_ = PartState::Starting;
  std::string sentence_;
  EpochMs since_;
};

/// All parts. add() before the threads start; the rest is thread-safe.
class Health {
 public:
  explicit Health(const Clock& clock) : clock_(clock) {}
  Part& add(std::string name, Millis step_deadline);
  std::vector<Part::Snapshot> parts() const;
  /// Every thread came round within its own deadline. Never asks a sink or Salesforce.
  bool live() const;

 private:
  const Clock& clock_;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace headwater::observe
