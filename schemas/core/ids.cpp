#include "schemas/core/ids.hpp"

#include <algorithm>

namespace headwater {
namespace {

bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool slug_char(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); }

}  // namespace

void id_suffix(std::string_view id15, char* out) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
  for (std::size_t group = 0; group < 3; ++group) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      const char c = id15[group * 5 + i];
      if (c >= 'A' && c <= 'Z') bits |= 1U << i;
    }
    out[group] = kAlphabet[bits];
  }
}

bool looks_like_id(std::string_view text) {
  return (text.size() == 15 || text.size() == 18) &&
         std::all_of(text.begin(), text.end(), alphanumeric);
}

Result<RecordId> RecordId::parse(std::string_view text) {
  if (!looks_like_id(text)) {
    return rejected("a record id has 15 or 18 letters and digits, got " +
                    std::to_string(text.size()) + " characters");
  }
  RecordId id;
  std::copy_n(text.begin(), 15, id.text_.begin());
  id_suffix(text.substr(0, 15), id.text_.data() + 15);
  if (text.size() == 18 && text.substr(15) != id.view().substr(15)) {
    return rejected("record id " + std::string(text) +
                    ": its suffix does not fit its letters' case");
  }
  return id;
}

Result<OrgName> OrgName::parse(std::string_view text) {
  const bool fits =
      !text.empty() && text.size() <= 24 && slug_char(text.front()) &&
      std::all_of(text.begin(), text.end(), [](char c) { return slug_char(c) || c == '-'; });
  if (!fits)
    return rejected("an org's name has 1 to 24 of a-z, 0-9 and -, and does not start with -");
  OrgName name;
  name.text_ = text;
  return name;
}

Result<RecordKey> RecordKey::parse(std::string_view rkey) {
  const auto first = rkey.find(':');
  const auto second = first == std::string_view::npos ? first : rkey.find(':', first + 1);
  if (second == std::string_view::npos) {
    return rejected("a record key reads org:Object:id, as in emea:Account:0015f00002JUXA8AAP");
  }
  auto org = OrgName::parse(rkey.substr(0, first));
  if (!org) return org.error();
  auto id = RecordId::parse(rkey.substr(second + 1));
  if (!id) return id.error();
  return RecordKey{org->str(), std::string(rkey.substr(first + 1, second - first - 1)), *id};
}

std::string RecordKey::str() const {
  std::string out;
  out.reserve(org.size() + object.size() + RecordId::kSize + 2);
  out.append(org).append(1, ':').append(object).append(1, ':').append(id.view());
  return out;
}

std::string to_hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string ReplayId::hex() const { return to_hex(bytes_); }

}  // namespace headwater
