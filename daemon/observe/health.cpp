#include "daemon/observe/health.hpp"

#include <algorithm>

#include "daemon/observe/log.hpp"

namespace headwater::observe {

std::string_view to_string(PartState state) {
  switch (state) {
    case PartState::Starting:
      return "starting";
    case PartState::Ok:
      return "ok";
    case PartState::Waiting:
      return "waiting";
    case PartState::Blocked:
      return "blocked";
    case PartState::Fatal:
      return "fatal";
    case PartState::Stopped:
      return "stopped";
  }
  return "?";
}

Part::Part(std::string name, Millis step_deadline, const Clock& clock)
    : name_(std::move(name)),
      step_deadline_(step_deadline),
      clock_(clock),
      beat_at_(clock.monotonic_ms()),
      since_(clock.now_ms()) {}

void Part::set(PartState state, std::string sentence) {
  const std::lock_guard lock(mutex_);
  if (state == state_ && sentence == sentence_) return;
  if (state != state_) since_ = clock_.now_ms();
  state_ = state;
  sentence_ = std::move(sentence);
  const bool red = state == PartState::Blocked || state == PartState::Fatal;
  const auto level = red                           ? log::Level::Error
                     : state == PartState::Waiting ? log::Level::Warning
                                                   : log::Level::Info;
  if (sentence_.empty()) {
    log::write(level, "part is " + std::string(to_string(state)), {{"part", name_}});
  } else {
    log::write(level, sentence_, {{"part", name_}, {"state", to_string(state)}});
  }
}

void Part::fail(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Transient:
    case ErrorKind::Rejected:
      set(PartState::Waiting, error.message);
      return;
    case ErrorKind::Blocked:
      set(PartState::Blocked, error.message);
      return;
    case ErrorKind::Fatal:
      set(PartState::Fatal, error.message);
      return;
  }
}

void Part::beat() { beat_at_.store(clock_.monotonic_ms(), std::memory_order_relaxed); }

PartState Part::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Part::Snapshot Part::snapshot() const {
  const std::lock_guard lock(mutex_);
  const auto age = clock_.monotonic_ms() - beat_at_.load(std::memory_order_relaxed);
  const bool runs = state_ != PartState::Stopped && state_ != PartState::Fatal;
  return {name_, state_, sentence_, since_, age, runs && age > step_deadline_.count()};
}

Part& Health::add(std::string name, Millis step_deadline) {
  return *parts_.emplace_back(std::make_unique<Part>(std::move(name), step_deadline, clock_));
}

std::vector<Part::Snapshot> Health::parts() const {
  std::vector<Part::Snapshot> out;
  for (const auto& part : parts_) out.push_back(part->snapshot());
  return out;
}

bool Health::live() const {
  const auto all = parts();
  return std::none_of(all.begin(), all.end(), [](const auto& part) { return part.stuck; });
}

}  // namespace headwater::observe
