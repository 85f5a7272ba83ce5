#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace headwater::sim {
namespace {

/// Neighbouring seeds must not begin alike.
std::uint64_t mixed(std::uint64_t seed) {
  seed += 0x9e3779b97f4a7c15ULL;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebULL;
  return seed ^ (seed >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) : engine_(mixed(seed)) {}

void Trace::bytes(std::string_view bytes) {
  for (const char c : bytes) {
    hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
}

void Trace::line(std::string_view text) {
  bytes(text);
  bytes("\n");
  if (print_) std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
}

Faults Faults::draw(Random& random) {
  Faults out;
  const auto some = [&](double share_of_runs, double most) {
    return random.chance(share_of_runs) ? most * (0.2 + 0.2 * static_cast<double>(random.below(5)))
                                        : 0.0;
  };
  out.crash = some(0.6, 0.02);
  out.power_loss = some(0.8, 1);
  out.term = some(0.3, 0.5);
  out.pause = some(0.3, 0.01);
  out.clock_back = some(0.2, 0.5);
  out.disk = some(0.15, 0.01);
  out.restore = some(0.1, 0.3);
  out.remap = some(0.15, 0.5);
  out.rival = random.chance(0.1);
  out.small_journal = random.chance(0.15);
  out.cut = some(0.5, 0.15);
  out.refused = some(0.3, 0.3);
  out.redeliver = some(0.4, 0.5);
  out.expire = some(0.08, 0.02);
  out.stall = some(0.3, 0.05);
  out.schema_down = some(0.2, 0.5);
  out.api = some(0.3, 0.4);
  out.gap = some(0.25, 0.2);
  out.corrupt = some(0.15, 0.1);
  out.new_schema = some(0.4, 0.1);
  out.migration = some(0.05, 0.03);
  out.start_latest = random.chance(0.3);
  out.before = some(0.4, 0.2);
  out.after = some(0.5, 0.2);
  out.partial = some(0.5, 0.2);
  out.late = some(0.4, 0.5);
  out.outage = some(0.3, 0.03);
  out.blocked = some(0.15, 0.01);
  out.rollback = some(0.15, 0.01);
  out.flush = some(0.1, 0.005);
  out.poison = some(0.15, 0.03);
  out.log_cut = some(0.3, 0.5);
  out.unread = random.chance(0.25);
  out.no_bin = random.chance(0.25);
  out.snapshot = out.start_latest && !out.unread && random.chance(0.6);
  out.bulk = random.chance(0.3);
  out.job_lost = some(0.5, 0.3);
  out.slow = some(0.2, 0.5);
  // Only the org's list tells of a deselected object. A copy of the state directory from before it
  // was asked knows nothing of a silence that is over by then.
  const bool asks = !out.unread && out.restore == 0 && !out.rival;
  if (asks) out.deselect = some(0.25, 0.2);
  out.audits = !out.unread && random.chance(0.25);
  // A copy of the state directory from before anybody listened claims nothing that was lost by
  // then, and by a clock that is an hour off the audit looks at what was saved at other times.
  if (out.audits && asks && out.clock_back == 0) out.dropped = some(0.7, 0.1);
  // Each audit describes its object: soon after a field was hidden it is known.
  if (out.audits && asks) out.hide = some(0.5, 0.2);
  return out;
}

World::World(const Options& o) : options(o), random(o.seed), trace(o.print) {
  Random of_faults(~o.seed);
  faults = o.faults ? *o.faults : Faults::draw(of_faults);
}

void World::point(std::string_view what) {
  std::string label = actor + " " + std::string(what);
  const std::uint64_t count = ++points[label];
  const auto& wanted = options.crash_at;
  const bool struck =
      wanted ? wanted->first == label && wanted->second == count : roll(faults.crash);
  if (!struck) return;
  crashed.insert(label);
  trace.line(fmt::format("{} crash of {} at {}", now_ms(), process, label));
  throw Crash{process};
}

}  // namespace headwater::sim
