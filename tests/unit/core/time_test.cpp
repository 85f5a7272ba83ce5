#include "schemas/core/time.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace headwater {
namespace {

TEST(Time, ReadsWhatSalesforcePrints) {
  EXPECT_EQ(parse_datetime("2024-04-26T18:38:23.000+0000"), 1714156703000);
  EXPECT_EQ(parse_datetime("2024-04-26T18:38:23.000Z"), 1714156703000);
  EXPECT_EQ(parse_datetime("2024-04-26T20:38:23+02:00"), 1714156703000);
  EXPECT_EQ(parse_datetime("2024-04-26T13:08:23-0530"), 1714156703000);
  EXPECT_EQ(parse_date("2024-06-30"), 1719705600000 / kMsPerDay);
  EXPECT_EQ(parse_time_of_day("14:30:00.000Z"), 52'200'000);
}

TEST(Time, RefusesWhatIsNotATime) {
  for (const char* text :
       {"", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-04-26", "2024-04-26T18:38:23"}) {
    EXPECT_FALSE(parse_datetime(text)) << text;
  }
  EXPECT_FALSE(parse_date("2024-06-30T"));
  EXPECT_FALSE(parse_time_of_day("25:00:00"));
  EXPECT_FALSE(parse_time_of_day("23:59:60")) << "the day is over by then";
}

TEST(Time, WritesWhatItReads) {
  EXPECT_EQ(format_datetime(1772366400000), "2026-03-01T12:00:00.000Z");
  EXPECT_EQ(format_datetime(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_TRUE(format_datetime(INT64_MIN).ends_with("T16:47:04.192Z")) << "no product overflows";
  std::string out;
  append_date(out, -719162);
  EXPECT_EQ(out, "0001-01-01");
}

}  // namespace
}  // namespace headwater
