#pragma once

#include <string>
#include <string_view>

namespace headwater::test {

/// The text of a member in some JSON; the contract's texts need no unescaping. Empty if there is
/// none.
inline std::string text_of(std::string_view json, std::string_view key_colon) {
  const auto at = json.find(key_colon);
  if (at == std::string_view::npos) return {};
  const auto begin = at + key_colon.size() + 1;
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

/// The contact's name in a record's JSON, and the text that tells a platform event from others.
inline std::string name_in(std::string_view json) { return text_of(json, R"("name":)"); }
inline std::string text_in(std::string_view json) { return text_of(json, R"("Text__c":)"); }

}  // namespace headwater::test
