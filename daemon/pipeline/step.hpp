#pragma once

#include <cstdint>

namespace headwater {

/// What a loop's step() wants next. A step is one bounded piece of work and never sleeps; the
/// thread around it (or the simulator) waits.
struct Step {
  enum class Next : std::uint8_t {
    Again,  ///< there is more to do now
    Wait,   ///< nothing before `until_ms`, unless woken
    Done,   ///< for good
  };
  Next next = Next::Again;
  std::int64_t until_ms = 0;  ///< monotonic clock

  static Step again() { return {}; }
  static Step wait(std::int64_t until) { return {Next::Wait, until}; }
  static Step done() { return {Next::Done, 0}; }
};

}  // namespace headwater
