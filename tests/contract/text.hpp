#pragma once

#include <string>
#include <string_view>

namespace headwater::test {

/// The contact's name in a record's JSON; the contract's names need no unescaping. Empty if there
/// is none.
inline std::string name_in(std::string_view json) {
  static constexpr std::string_view kKey = R"("name":")";
  const auto at = json.find(kKey);
  if (at == std::string_view::npos) return {};
  const auto begin = at + kKey.size();
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

}  // namespace headwater::test
