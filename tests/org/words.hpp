#pragma once

#include <array>
#include <string>
#include <string_view>

#include "tests/org/phrases.hpp"

// What the workload's files share: picklist values and two small helpers.

namespace headwater::org {

using Words = std::string_view;

inline constexpr std::array<Words, 6> kIndustry{
    "Energy", "Banking", "Retail", "Technology", "Healthcare", "Media"};
inline constexpr std::array<Words, 4> kInterest{"Golf", "Wine", "Théâtre", "AI & ML"};
inline constexpr std::array<Words, 4> kLanguage{"English", "Deutsch", "日本語", "עברית"};
inline constexpr std::array<Words, 4> kSource{"Web", "Phone Inquiry", "Partner Referral", "Other"};
inline constexpr std::array<Words, 3> kRating{"Hot", "Warm", "Cold"};
inline constexpr std::array<Words, 5> kStage{
    "Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won"};
inline constexpr std::array<Words, 5> kForecast{
    "Pipeline", "Pipeline", "BestCase", "Forecast", "Closed"};
inline constexpr std::array<double, 5> kProbability{10, 25, 50, 75, 100};
inline constexpr std::array<Words, 3> kPriority{"High", "Medium", "Low"};
inline constexpr std::array<Words, 3> kOrigin{"Phone", "Email", "Web"};
inline constexpr std::array<Words, 5> kOrigins{
    "com/salesforce/api/soap/67.0;client=SfdcInternalAPI/",
    "com/salesforce/api/rest/67.0;client=portal",
    "com/salesforce/api/bulkapi/67.0",
    "com/salesforce/api/apex/67.0",
    ""};

inline std::string text(std::string_view words) { return std::string(words); }

inline double cents(Dice& dice, std::int64_t max) {
  return static_cast<double>(dice.between(0, max * 100)) / 100.0;
}

}  // namespace headwater::org
