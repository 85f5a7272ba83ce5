// headwater-sim: runs the simulation over many seeds, or one of them again with its trace.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <map>

#include "daemon/observe/log.hpp"
#include "tests/sim/simulation.hpp"

namespace {

using headwater::sim::Options;
using headwater::sim::Outcome;

void report(const Options& options, const Outcome& outcome) {
  std::printf(
      "seed %llu: %s\n  %zu steps, %.1f s simulated, trace %016llx\n  again: headwater-sim --from "
      "%llu --seeds 1 --trace\n",
      static_cast<unsigned long long>(options.seed),
      outcome.failure.c_str(),
      outcome.steps,
      static_cast<double>(outcome.at_ms) / 1000,
      static_cast<unsigned long long>(outcome.hash),
      static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::uint64_t from = 1, seeds = 1'000;
  std::size_t failures_max = 1;
  double seconds_max = 0;
  bool logs = false, points = false;
  CLI::App app{"Simulates the daemon under faults, one seed after another"};
  app.add_option("--from", from, "first seed");
  app.add_option("--seeds", seeds, "how many");
  app.add_option(
      "--seconds", seconds_max, "stop after so much time of one core; 0: only after all seeds");
  app.add_option("--changes", options.changes, "changes that the org makes in each run");
  app.add_option("--failures", failures_max, "stop after so many failed seeds");
  app.add_flag("--trace", options.print, "print what happens, step by step");
  app.add_flag("--logs", logs, "let the daemon log to stderr");
  app.add_flag(
      "--points", points, "list the labelled steps: times reached, runs that crashed there");
  CLI11_PARSE(app, argc, argv);
  headwater::log::set_level(logs ? headwater::log::Level::Debug : headwater::log::Level::None);

  // Of our own core: on a busy machine as many seeds are run.
  const auto elapsed = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  std::size_t failures = 0, done = 0, entries = 0, crashes = 0;
  std::map<std::string, std::uint64_t> reached, crashed;
  for (options.seed = from; options.seed < from + seeds && failures < failures_max;
       ++options.seed) {
    if (seconds_max > 0 && elapsed() > seconds_max) break;
    const Outcome outcome = headwater::sim::simulate(options);
    ++done;
    entries += outcome.entries;
    crashes += outcome.crashes;
    for (const auto& [label, count] : outcome.points) reached[label] += count;
    for (const auto& label : outcome.crashed) ++crashed[label];
    if (options.print) {
      std::printf("trace %016llx\n", static_cast<unsigned long long>(outcome.hash));
    }
    if (outcome.ok()) continue;
    ++failures;
    report(options, outcome);
  }
  if (points) {
    for (const auto& [label, count] : reached) {
      std::printf("%8llu %8llu  %s\n",
                  static_cast<unsigned long long>(count),
                  static_cast<unsigned long long>(crashed[label]),
                  label.c_str());
    }
  }
  std::printf(
      "%zu seeds, %zu failed, %.0f seeds a minute, %zu entries, %zu crashes, %zu labelled steps\n",
      done,
      failures,
      60.0 * static_cast<double>(done) / elapsed(),
      entries,
      crashes,
      reached.size());
  return failures == 0 ? 0 : 1;
}
