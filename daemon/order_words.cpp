#include "daemon/order_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace headwater {
namespace {

bool is_name(std::string_view text) {
  static constexpr std::size_t kNameMax = 64;
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '@';
         });
}

}  // namespace

std::string refused(const std::string& why) {
  return boost::json::serialize(boost::json::object{{"error", why}});
}

std::string done(std::string what) {
  return boost::json::serialize(boost::json::object{{"done", std::move(what)}});
}

std::string next_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  std::string word(line.substr(0, end));
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::string who_asks(std::string_view& line, const runtime::Peer& peer) {
  static constexpr std::string_view kBy = "by=";
  if (!line.starts_with(kBy)) return peer.name;
  const std::string claimed = next_word(line).substr(kBy.size());
  if (!is_name(claimed) || claimed == peer.name) return peer.name;
  return claimed + ", as " + peer.name;
}

std::optional<std::string> lacks_right(const runtime::Peer& peer) {
  if (peer.may_operate) return std::nullopt;
  return fmt::format(
      "user {} may read but not operate: ask as root, or as the user that headwaterd runs as",
      peer.name);
}

Result<std::string> org_of(const std::string& named, const StatusSources& sources) {
  std::set<std::string> orgs;
  for (const auto& stream : sources.streams) orgs.insert(stream.org);
  if (named != "-") {
    if (orgs.contains(named)) return named;
    return rejected(
        fmt::format("no org {} is configured; there are: {}", named, fmt::join(orgs, ", ")));
  }
  if (orgs.size() == 1) return *orgs.begin();
  return rejected(fmt::format("which org? there are: {}", fmt::join(orgs, ", ")));
}

}  // namespace headwater
