#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace headwater::org {

/// Chance, the same on every machine for one seed: standard distributions are not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::string_view pick(std::span<const std::string_view> words) {
    return words[below(words.size())];
  }

 private:
  std::mt19937_64 random_;
};

struct Place {
  std::string_view street, city, state, state_code, postal_code, country, country_code;
  double latitude, longitude;
};

// What people type into a CRM: many scripts, emoji, right-to-left text, quotes, line breaks,
// control characters.

std::string first_name(Dice& dice);
std::string last_name(Dice& dice);
std::string company(Dice& dice);
std::string email_of(Dice& dice, std::string_view domain);
std::string phone(Dice& dice);
std::string sentence(Dice& dice);
/// At least `size_min` bytes of sentences on several lines; ends without white space.
std::string long_text(Dice& dice, std::size_t size_min);
const Place& place(Dice& dice);
/// One to three of the words, joined by `;`.
std::string several(Dice& dice, std::span<const std::string_view> words);

}  // namespace headwater::org
