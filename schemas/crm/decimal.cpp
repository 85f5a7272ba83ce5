#include "schemas/crm/decimal.hpp"

#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <charconv>
#include <cmath>

namespace headwater::crm {
namespace {

// The product of two coefficients has 226 bits. Fixed size: no allocation.
using Wide = boost::multiprecision::uint256_t;

/// 10^0 … 10^77: all that 256 bits hold.
const std::array<Wide, 78>& powers_of_ten() {
  static const std::array<Wide, 78> powers = [] {
    std::array<Wide, 78> table;
    table[0] = 1;
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = table[i - 1] * 10;
    return table;
  }();
  return powers;
}

/// Divides by 10^drop, half to even. REQUIRES: value has at most 70 digits, so that doubling fits.
Wide drop_digits(const Wide& value, int drop) {
  if (drop > 77) return 0;  // nothing is left of it, not even a half
  const Wide& power = powers_of_ten()[static_cast<std::size_t>(drop)];
  Wide quotient;
  Wide remainder;
  boost::multiprecision::divide_qr(value, power, quotient, remainder);
  const bool above = remainder > power - remainder;
  const bool half = remainder == power - remainder;
  if (above || (half && (quotient & 1) == 1)) ++quotient;
  return quotient;
}

int count_digits(const Wide& value) {
  const auto& powers = powers_of_ten();
  const auto above = std::upper_bound(powers.begin() + 1, powers.end(), value);
  return static_cast<int>(above - powers.begin());
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Decimal::Decimal(std::int64_t value) : negative_(value < 0) {
  const auto bits = static_cast<std::uint64_t>(value);
  coefficient_ = negative_ ? 0 - bits : bits;
  normalize();
}

void Decimal::normalize() {
  if (coefficient_ == 0) {
    exponent_ = 0;
    negative_ = false;
    return;
  }
  while (coefficient_ % 10 == 0) {
    coefficient_ /= 10;
    ++exponent_;
  }
}

std::optional<Decimal> Decimal::from_double(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::fabs(value) < 9e15 && value == std::trunc(value)) {
    return Decimal(static_cast<std::int64_t>(value));
  }
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  return parse({text.data(), static_cast<std::size_t>(end - text.data())});
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal out;
  std::size_t at = 0;
  bool negative = false;
  if (at < text.size() && text[at] == '-') {
    negative = true;
    ++at;
  }
  // Digits beyond what 256 bits hold only move the exponent; the expressions we read are too short
  // to tell them from an exact half.
  Wide value = 0;
  int kept = 0;
  std::int64_t exponent = 0;
  std::size_t digits = 0;
  const auto take = [&](bool fraction) {
    for (; at < text.size() && is_digit(text[at]); ++at, ++digits) {
      if (kept < 70) {
        value = value * 10 + static_cast<unsigned>(text[at] - '0');
        if (value != 0) ++kept;
        if (fraction) --exponent;
      } else if (!fraction) {
        ++exponent;
      }
    }
  };
  take(false);
  if (digits == 0) return std::nullopt;
  if (at < text.size() && text[at] == '.') {
    ++at;
    const std::size_t before = digits;
    take(true);
    if (digits == before) return std::nullopt;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    int power = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), power);
    if (error != std::errc{}) return std::nullopt;
    at = static_cast<std::size_t>(end - text.data());
    exponent += power;
  }
  if (at != text.size()) return std::nullopt;
  if (const int drop = count_digits(value) - kDigits; drop > 0) {
    value = drop_digits(value, drop);
    exponent += drop;
  }
  if (value != 0 && (exponent < kExponentMin || exponent > kExponentMax)) return std::nullopt;
  out.coefficient_ = static_cast<Coefficient>(value);
  out.exponent_ = static_cast<std::int32_t>(exponent);
  out.negative_ = negative;
  out.normalize();
  return out;
}

std::optional<Decimal> Decimal::multiply(const Decimal& a, const Decimal& b) {
  Wide product = Wide(a.coefficient_) * Wide(b.coefficient_);
  std::int64_t exponent = std::int64_t{a.exponent_} + b.exponent_;
  if (const int drop = count_digits(product) - kDigits; drop > 0) {
    product = drop_digits(product, drop);
    exponent += drop;
  }
  if (product != 0 && (exponent < kExponentMin || exponent > kExponentMax)) return std::nullopt;
  Decimal out;
  out.coefficient_ = static_cast<Coefficient>(product);
  out.exponent_ = static_cast<std::int32_t>(exponent);
  out.negative_ = a.negative_ != b.negative_;
  out.normalize();
  return out;
}

Decimal Decimal::rounded(int digits) const {
  if (exponent_ >= -digits) return *this;
  Decimal out = *this;
  out.coefficient_ = static_cast<Coefficient>(drop_digits(Wide(coefficient_), -digits - exponent_));
  out.exponent_ = -digits;
  out.normalize();
  return out;
}

Decimal::Digits Decimal::digits() const {
  Digits out;
  Coefficient rest = coefficient_;
  do {
    out.text[kDigits - ++out.size] = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  return out;
}

double Decimal::to_double() const {
  std::array<char, kDigits + 16> text;
  char* at = text.data();
  if (negative_) *at++ = '-';
  const Digits written = digits();
  at += written.view().copy(at, written.size);
  *at++ = 'e';
  at = std::to_chars(at, text.data() + text.size(), exponent_).ptr;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), at, value);
  if (error == std::errc::result_out_of_range) {
    return exponent_ < 0 ? 0.0 : (negative_ ? -HUGE_VAL : HUGE_VAL);
  }
  return value;
}

std::optional<std::int64_t> Decimal::to_integer() const {
  if (exponent_ < 0 || exponent_ > 18) return std::nullopt;
  Coefficient value = coefficient_;
  for (int i = 0; i < exponent_; ++i) {
    value *= 10;
    if (value > INT64_MAX) return std::nullopt;
  }
  if (value > INT64_MAX) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(value);
  return negative_ ? -whole : whole;
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
  if (a.negative_ != b.negative_) {
    return a.negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  const auto magnitude = [&] {
    if (a.coefficient_ == 0 || b.coefficient_ == 0) {
      return (a.coefficient_ != 0) <=> (b.coefficient_ != 0);
    }
    const Decimal::Digits left = a.digits();
    const Decimal::Digits right = b.digits();
    const auto left_point = static_cast<std::int64_t>(left.size) + a.exponent_;
    const auto right_point = static_cast<std::int64_t>(right.size) + b.exponent_;
    if (left_point != right_point) return left_point <=> right_point;
    return left.view().compare(right.view()) <=> 0;  // same place of the point: digit by digit
  }();
  return a.negative_ ? 0 <=> magnitude : magnitude;
}

}  // namespace headwater::crm
