#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headwater::crm {

/// A decimal number of at most 34 digits, rounded half to even: what expressions compute in
/// (unified-model.md section 9), so that 0.1 * 3 is 0.3. The exponent's range is that of IEEE 754
/// decimal128; what leaves it is an error.
///
/// Own code, because the compiler's decimal128 exists on x86 only and Boost's decimal type does not
/// round half to even. Values are normalized: no trailing zeros, so equal numbers are equal
/// members.
class Decimal {
 public:
  static constexpr int kDigits = 34;
  static constexpr int kExponentMax = 6111;
  static constexpr int kExponentMin = -6176;

  Decimal() = default;
  explicit Decimal(std::int64_t value);
  /// By the double's shortest digits. Nothing for NaN and infinities.
  static std::optional<Decimal> from_double(double value);
  /// Reads `-12.5e3`. Nothing if it is not a JSON number or out of range.
  static std::optional<Decimal> parse(std::string_view text);

  /// Nothing if the result is out of range.
  static std::optional<Decimal> multiply(const Decimal& a, const Decimal& b);
  /// Rounded half to even, `digits` after the point.
  Decimal rounded(int digits) const;

  double to_double() const;                        ///< nearest
  std::optional<std::int64_t> to_integer() const;  ///< nothing if not whole or too large

  friend bool operator==(const Decimal&, const Decimal&) = default;
  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);

 private:
  __extension__ using Coefficient = unsigned __int128;  // 34 digits need 113 bits

  struct Digits {
    char text[kDigits];
    std::size_t size = 0;  // at the end of text
    std::string_view view() const { return {text + kDigits - size, size}; }
  };
  Digits digits() const;
  void normalize();

  Coefficient coefficient_ = 0;
  std::int32_t exponent_ = 0;
  bool negative_ = false;
};

}  // namespace headwater::crm
