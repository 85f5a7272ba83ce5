#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/sim/world.hpp"

namespace headwater::sim {

/// How a run went.
struct Outcome {
  std::string failure;     ///< which promise was broken and by what; empty: none
  std::int64_t at_ms = 0;  ///< of simulated time, since the start
  std::size_t steps = 0, entries = 0, crashes = 0;
  std::uint64_t hash = 0;                       ///< of the trace
  std::map<std::string, std::uint64_t> points;  ///< labelled steps reached
  std::set<std::string> crashed;                ///< those at which a process died
  bool ok() const { return failure.empty(); }
};

/// One run: a daemon (or two), an org, three targets, one seed; faults for a while, then none until
/// all is at rest. The same options give the same run, byte for byte.
Outcome simulate(const Options& options);

}  // namespace headwater::sim
