#include "schemas/model/version.hpp"

#include <gtest/gtest.h>

namespace headwater {
namespace {

Version event(std::int64_t commit, std::uint64_t sequence, EpochMs at) {
  return {1, commit, sequence, at};
}
Version row(std::int64_t noted, std::uint64_t query, EpochMs stamp) {
  return {1, noted, Version::kRowSequence + query, stamp};
}

TEST(Version, OrdersEventsByTheirNumbers) {
  EXPECT_TRUE(newer(event(2, 1, 0), event(1, 9, 5000)));
  EXPECT_TRUE(newer(event(1, 2, 0), event(1, 1, 0)));
  EXPECT_FALSE(newer(event(1, 1, 0), event(1, 1, 0)));
  EXPECT_TRUE(newer(Version{2, 1, 1, 0}, Version{1, 999, 1, 0}));  // a later epoch
}

TEST(Version, ARowContainsEventsOfEarlierSeconds) {
  // The stream lags: its event has a larger number than the query noted, but was committed before
  // the row's stamp.
  EXPECT_FALSE(newer(event(20, 1, 3'000), row(10, 1, 5'000)));
  EXPECT_TRUE(newer(row(10, 1, 5'000), event(20, 1, 3'000)));
  // Committed after it, or in the same second: newer.
  EXPECT_TRUE(newer(event(20, 1, 6'000), row(10, 1, 5'000)));
  EXPECT_TRUE(newer(event(20, 1, 5'500), row(10, 1, 5'000)));
  EXPECT_FALSE(newer(row(10, 1, 5'000), event(20, 1, 6'000)));
}

TEST(Version, ALaterReadBeatsAnEarlierOne) {
  EXPECT_TRUE(newer(row(10, 2, 5'000), row(10, 1, 5'000)));
}

TEST(Version, NoneIsOlderThanAnything) {
  EXPECT_TRUE(newer(event(1, 1, 0), Version{}));
  EXPECT_FALSE(newer(Version{}, event(1, 1, 0)));
  EXPECT_FALSE(newer(Version{}, Version{}));
}

TEST(Version, PrintsSoThatTextOrderIsNumberOrder) {
  EXPECT_EQ((Version{1, 1100670838951, 1, 0}.str()), "001-00000001100670838951-0000000001");
}

}  // namespace
}  // namespace headwater
