// The short run of the simulation, and what must be true of the simulation itself.

#include <gtest/gtest.h>

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
  options.no_faults = true;
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

TEST_F(Sim, ACrashAtEachLabelledStepWithThePowerLosesNothing) {
  Options calm;
  calm.no_faults = true;
  calm.changes = 30;
  for (calm.seed = 1; calm.seed <= 3; ++calm.seed) {
    for (const auto& [label, count] : simulate(calm).points) {
      for (const std::uint64_t at : {std::uint64_t{1}, 1 + count / 3, 1 + count / 2, count}) {
        SCOPED_TRACE(label + " for the " + std::to_string(at) + ". time");
        Options options = calm;
        options.no_faults = false;
        options.crash_at = {label, at};
        const Outcome outcome = simulate(options);
        EXPECT_TRUE(outcome.ok()) << outcome.failure;
      }
    }
  }
}

TEST_F(Sim, ThousandSeedsOfFaultsBreakNoPromise) {
  Options options;
  for (options.seed = 1; options.seed <= 1'000; ++options.seed) must(options);
}

}  // namespace
}  // namespace headwater::sim
