#include "schemas/crm/decimal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "schemas/crm/currency.hpp"

namespace headwater::crm {
namespace {

Decimal of(std::string_view text) {
  const auto value = Decimal::parse(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value.value_or(Decimal());
}

TEST(Decimal, ReadsWhatJsonWrites) {
  EXPECT_EQ(of("12.50"), of("1.25e1"));
  EXPECT_EQ(of("-0"), Decimal());
  EXPECT_EQ(of("100"), Decimal(100));
  EXPECT_EQ(of("-9223372036854775808"), Decimal(std::numeric_limits<std::int64_t>::min()));
  for (const auto* text : {"", "-", ".5", "5.", "1e", "1x", "1e99999", "NaN"}) {
    EXPECT_FALSE(Decimal::parse(text).has_value()) << text;
  }
}

TEST(Decimal, TakesADoubleByItsShortestDigits) {
  EXPECT_EQ(Decimal::from_double(0.1), of("0.1"));
  EXPECT_EQ(Decimal::from_double(1e21), of("1e21"));
  EXPECT_EQ(Decimal::from_double(5e-324), of("5e-324"));
  EXPECT_FALSE(Decimal::from_double(std::nan("")).has_value());
  EXPECT_FALSE(Decimal::from_double(HUGE_VAL).has_value());
}

TEST(Decimal, MultipliesExactlyWhereDoublesDoNot) {
  EXPECT_EQ(Decimal::multiply(of("0.1"), Decimal(3)), of("0.3"));
  EXPECT_EQ(Decimal::multiply(of("-2.5"), of("1e-3")), of("-0.0025"));
}

TEST(Decimal, RoundsAProductToThirtyFourDigitsHalfToEven) {
  // 34 nines squared: 9999…8000…1, of which the first 34 digits are 33 nines and an 8.
  const auto nines = of("9999999999999999999999999999999999");
  EXPECT_EQ(Decimal::multiply(nines, nines), of("9999999999999999999999999999999998e34"));
  // Exactly half: 1…5 at the 35th digit goes to the even neighbour.
  EXPECT_EQ(of("1000000000000000000000000000000000.5"), of("1000000000000000000000000000000000"));
  EXPECT_EQ(of("1000000000000000000000000000000001.5"), of("1000000000000000000000000000000002"));
}

TEST(Decimal, RefusesWhatLeavesItsRange) {
  EXPECT_FALSE(Decimal::multiply(of("1e6000"), of("1e6000")).has_value());
  EXPECT_FALSE(Decimal::multiply(of("1e-6000"), of("1e-6000")).has_value());
}

TEST(Decimal, RoundsHalfToEven) {
  EXPECT_EQ(of("2.345").rounded(2), of("2.34"));
  EXPECT_EQ(of("2.355").rounded(2), of("2.36"));
  EXPECT_EQ(of("-2.5").rounded(0), of("-2"));
  EXPECT_EQ(of("3.5").rounded(0), of("4"));
  EXPECT_EQ(of("2.3450000001").rounded(2), of("2.35"));
  EXPECT_EQ(of("1e-100").rounded(2), Decimal());
  EXPECT_EQ(of("1234").rounded(2), of("1234"));
}

TEST(Decimal, LeavesAsTheNearestDouble) {
  EXPECT_EQ(of("0.3").to_double(), 0.3);
  EXPECT_EQ(of("-1234567.125").to_double(), -1234567.125);
  EXPECT_EQ(of("1e400").to_double(), HUGE_VAL);
  EXPECT_EQ(of("1e-400").to_double(), 0);
}

TEST(Decimal, IsAnIntegerOnlyIfWhole) {
  EXPECT_EQ(of("12e2").to_integer(), 1200);
  EXPECT_EQ(of("-7").to_integer(), -7);
  EXPECT_EQ(of("0.5").to_integer(), std::nullopt);
  EXPECT_EQ(of("1e19").to_integer(), std::nullopt);
}

TEST(Decimal, IsOrderedAsNumbersAre) {
  const char* sorted[] = {
      "-1e3", "-10", "-9.5", "-0.1", "0", "1e-9", "0.1", "0.11", "9", "10", "1e3"};
  for (std::size_t i = 0; i < std::size(sorted); ++i) {
    for (std::size_t j = 0; j < std::size(sorted); ++j) {
      EXPECT_EQ(of(sorted[i]) <=> of(sorted[j]), i <=> j) << sorted[i] << " " << sorted[j];
    }
  }
}

TEST(Currency, HasItsOwnDigits) {
  EXPECT_EQ(currency_digits("EUR"), 2);
  EXPECT_EQ(currency_digits("JPY"), 0);
  EXPECT_EQ(currency_digits("KWD"), 3);
  EXPECT_EQ(currency_digits("CLF"), 4);
  EXPECT_EQ(currency_digits("XXX"), 2);
}

}  // namespace
}  // namespace headwater::crm
