// The short run of the simulation, and what must be true of the simulation itself.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "daemon/observe/log.hpp"
#include "tests/sim/simulation.hpp"

namespace headwater::sim {
namespace {

class Sim : public ::testing::Test {
 protected:
  void SetUp() override { log::set_level(log::Level::None); }
  static void must(const Options& options) {
    const Outcome outcome = simulate(options);
    EXPECT_TRUE(outcome.ok()) << outcome.failure << "\nagain: headwater-sim --from " << options.seed
                              << " --seeds 1 --trace";
  }
};

TEST_F(Sim, WithoutFaultsAllComesToRestEqual) {
  Options options;
  options.faults.emplace();
  for (options.seed = 1; options.seed <= 20; ++options.seed) must(options);
}

TEST_F(Sim, ASeedGivesTheSameTraceByteForByte) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Options options;
    options.seed = seed;
    const Outcome first = simulate(options);
    const Outcome again = simulate(options);
    EXPECT_EQ(first.hash, again.hash) << "seed " << seed;
    EXPECT_EQ(first.steps, again.steps);
  }
}

TEST_F(Sim, AnotherSeedGivesAnotherTrace) {
  Options one, two;
  two.seed = 2;
  EXPECT_NE(simulate(one).hash, simulate(two).hash);
}

/// Labelled steps at which these runs must crash. What drawn faults alone reach is not among them:
/// a trim, another mapping, the log of deletions, what follows a failed write.
const std::set<std::string> kLabels{"ingest schema.fetch",       "ingest store.after_sync",
                                    "ingest store.after_write",  "ingest store.before_sync",
                                    "ingest store.before_write", "ingest subscribe",
                                    "kafka sink.after_write",    "kafka sink.before_idle",
                                    "kafka sink.before_write",   "kafka sink.claimed",
                                    "kafka sink.open",           "kafka store.after_sync",
                                    "kafka store.before_sync",   "postgres sink.after_write",
                                    "postgres sink.before_idle", "postgres sink.before_write",
                                    "postgres sink.claimed",     "postgres sink.open",
                                    "postgres store.after_sync", "postgres store.before_sync",
                                    "redis sink.after_write",    "redis sink.before_idle",
                                    "redis sink.before_write",   "redis sink.claimed",
                                    "redis sink.open",           "redis store.after_sync",
                                    "redis store.before_sync",   "repair api.call",
                                    "repair api.count",          "repair api.create_job",
                                    "repair api.delete_job",     "repair api.job",
                                    "repair api.job_made",       "repair api.job_page",
                                    "repair api.query",          "repair store.after_sync",
                                    "repair store.before_sync",  "start store.after_sync",
                                    "start store.before_sync",   "stop sink.before_idle"};

/// No fault but what some labelled step needs: none; objects that are read in by Bulk jobs, and
/// audits; orderly stops.
std::vector<Faults> kinds() {
  Faults bulk;
  bulk.start_latest = bulk.snapshot = bulk.bulk = bulk.audits = true;
  Faults stops;
  stops.term = 1;
  return {{}, bulk, stops};
}

TEST_F(Sim, ACrashAtEachLabelledStepWithThePowerLosesNothing) {
  std::set<std::string> crashed;
  for (const Faults& faults : kinds()) {
    Options calm;
    calm.faults = faults;
    calm.changes = 30;
    for (calm.seed = 1; calm.seed <= 2; ++calm.seed) {
      for (const auto& [label, count] : simulate(calm).points) {
        for (const std::uint64_t at : {std::uint64_t{1}, 1 + count / 3, 1 + count / 2, count}) {
          SCOPED_TRACE(label + " for the " + std::to_string(at) + ". time");
          Options options = calm;
          options.crash_at = {label, at};
          const Outcome outcome = simulate(options);
          EXPECT_TRUE(outcome.ok()) << outcome.failure;
          crashed.insert(outcome.crashed.begin(), outcome.crashed.end());
        }
      }
    }
  }
  for (const auto& label : kLabels) {
    EXPECT_TRUE(crashed.contains(label)) << "nothing crashes at: " << label;
  }
}

TEST_F(Sim, ThousandSeedsOfFaultsBreakNoPromise) {
  Options options;
  for (options.seed = 1; options.seed <= 1'000; ++options.seed) must(options);
}

}  // namespace
}  // namespace headwater::sim
