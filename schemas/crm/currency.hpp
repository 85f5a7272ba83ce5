#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace headwater::crm {

/// Digits after the point of a currency's amounts. Two for a code we do not know, `XXX` included.
/// Source: ISO 4217 list one, minor units.
constexpr int currency_digits(std::string_view iso) {
  constexpr std::array<std::string_view, 17> kNone{"BIF",
                                                   "CLP",
                                                   "DJF",
                                                   "GNF",
                                                   "ISK",
                                                   "JPY",
                                                   "KMF",
                                                   "KRW",
                                                   "PYG",
                                                   "RWF",
                                                   "UGX",
                                                   "UYI",
                                                   "VND",
                                                   "VUV",
                                                   "XAF",
                                                   "XOF",
                                                   "XPF"};
  constexpr std::array<std::string_view, 7> kThree{"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
  if (std::find(kNone.begin(), kNone.end(), iso) != kNone.end()) return 0;
  if (std::find(kThree.begin(), kThree.end(), iso) != kThree.end()) return 3;
  return iso == "CLF" || iso == "UYW" ? 4 : 2;
}

}  // namespace headwater::crm
