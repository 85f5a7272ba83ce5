#include "tests/org/phrases.hpp"

#include <fmt/format.h>

#include <array>

namespace headwater::org {
namespace {

using Words = std::string_view;

constexpr std::array<Words, 20> kFirst{"Ann",       "José",   "Zoë",      "Łukasz",  "Дмитрий",
                                       "山田",      "محمد",   "שרה",      "Björn",   "Siân",
                                       "Priya",     "Nguyễn", "Ana",      "Max",     "Chloé",
                                       "Oluwaseun", "Mei",    "D'Angelo", "Ιωάννης", "Tom"};
constexpr std::array<Words, 20> kLast{
    "Lee",      "O'Brien", "Müller",       "García-López", "Иванова", "太郎",         "العلي",
    "כהן",      "Åström",  "Ng",           "Smith",        "Dvořák",  "van der Berg", "Şahin",
    "Kowalska", "Jones",   "Παπαδόπουλος", "Silva",        "D’Arcy",  "Null"};
constexpr std::array<Words, 18> kCompany{"Acme",
                                         "Globex",
                                         "Æther Works",
                                         "東京電機",
                                         "Norddeutsche Öl",
                                         "Hooli",
                                         "“Quoted” Goods",
                                         "Initech",
                                         "Ziggy \"Z\" Ltd",
                                         "شركة النور",
                                         "Café Crème",
                                         "Umbrella 🌂",
                                         "Stark & Sons",
                                         "Wayne/Co",
                                         "Tyrell\\Corp",
                                         "Soylent",
                                         "Массив",
                                         "Blue Sun"};
constexpr std::array<Words, 8> kForm{"Inc", "GmbH", "Ltd", "S.A.", "株式会社", "plc", "AB", "LLC"};
constexpr std::array<Words, 16> kSentence{
    "Called back, no answer.",
    "Wants a quote by Friday; budget is 10,000 €.",
    "She said \"maybe next quarter\".",
    "מעדיף פגישה בבוקר.",
    "يفضل التواصل بالبريد الإلكتروني.",
    "Great meeting 🎉🤝 – follow up with the deck.",
    "Path C:\\temp\\report was attached.",
    "Tab\there, and a bell\x07 that some import left.",
    "契約書を送付してください。",
    "Ось нові вимоги клієнта.",
    "Renewal discussed; decision maker is out of office until the end of the month.",
    "First line\nsecond line",
    "Windows line\r\nending",
    "Family 👨‍👩‍👧‍👦 plan requested.",
    "It's 50% off <b>today</b> & tomorrow.",
    "Naïve façade coöperation — résumé attached."};
constexpr std::array<Words, 4> kMailbox{"info", "sales", "ops", "office"};
constexpr std::array<Place, 9> kPlaces{
    Place{"1 Main St",
          "San Francisco",
          "California",
          "CA",
          "94105",
          "United States",
          "US",
          37.7897,
          -122.3942},
    Place{"5 High Street\nFloor 2",
          "London",
          "",
          "",
          "EC1A 1BB",
          "United Kingdom",
          "GB",
          51.5202,
          -0.0979},
    Place{"Königsallee 3",
          "Düsseldorf",
          "Nordrhein-Westfalen",
          "NW",
          "40212",
          "Germany",
          "DE",
          51.2217,
          6.7794},
    Place{"千代田1-1", "東京", "Tokyo", "13", "100-0001", "Japan", "JP", 35.6852, 139.7528},
    Place{"Rua Áurea 12",
          "São Paulo",
          "São Paulo",
          "SP",
          "01001-000",
          "Brazil",
          "BR",
          -23.5505,
          -46.6333},
    Place{"12 Rue de l'Église", "Genève", "", "", "1204", "Switzerland", "CH", 46.2044, 6.1432},
    Place{"שדרות רוטשילד 1", "תל אביב", "", "", "6688101", "Israel", "IL", 32.0636, 34.7705},
    Place{
        "221B Baker St", "Toronto", "Ontario", "ON", "M5V 2T6", "Canada", "CA", 43.6446, -79.3945},
    Place{"0 Null Island", "Null", "", "", "00000", "Ghana", "GH", 0.0, 0.0}};

}  // namespace

std::string first_name(Dice& dice) { return std::string(dice.pick(kFirst)); }
std::string last_name(Dice& dice) { return std::string(dice.pick(kLast)); }
std::string company(Dice& dice) {
  return fmt::format("{} {} {}", dice.pick(kCompany), dice.pick(kForm), dice.below(10'000));
}
std::string email_of(Dice& dice, std::string_view domain) {
  return fmt::format("{}.{}@{}", dice.pick(kMailbox), dice.below(100'000), domain);
}
std::string phone(Dice& dice) {
  if (dice.chance(20))
    return fmt::format("({}) 555-{:04}", 200 + dice.below(700), dice.below(10'000));
  return fmt::format("+44 20 7946 {:04}", dice.below(10'000));
}
std::string sentence(Dice& dice) { return std::string(dice.pick(kSentence)); }

std::string long_text(Dice& dice, std::size_t size_min) {
  std::string out;
  while (out.size() < size_min) {
    if (!out.empty()) out += dice.chance(70) ? "\r\n" : " ";
    out += dice.pick(kSentence);
    out += fmt::format(" [{}]", dice.below(100'000));
  }
  return out;
}

const Place& place(Dice& dice) { return kPlaces[dice.below(kPlaces.size())]; }

std::string several(Dice& dice, std::span<const std::string_view> words) {
  const auto first = dice.below(words.size());
  const auto count = std::min<std::uint64_t>(words.size() - first, 1 + dice.below(3));
  std::string out;
  for (auto i = first; i < first + count; ++i) {
    if (!out.empty()) out += ';';
    out += words[i];
  }
  return out;
}

}  // namespace headwater::org
