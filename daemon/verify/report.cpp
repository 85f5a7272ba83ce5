#include "daemon/verify/report.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace headwater::verify {
namespace {

namespace json = boost::json;

constexpr std::size_t kRestatedShown = 50;

std::string at(const json::value& item, const char* key) {
  const auto* found = item.is_object() ? item.as_object().if_contains(key) : nullptr;
  if (found == nullptr || found->is_null()) return {};
  return found->is_string() ? std::string(found->as_string()) : json::serialize(*found);
}

std::string check_line(const Check& check) {
  if (!check.failed.empty())
    return fmt::format("{:<28} NOT CHECKED: {}\n", check.name, check.failed);
  const std::string verdict = check.different > 0 ? fmt::format("DIFFERENT ({}): ", check.different)
                              : check.moving > 0  ? fmt::format("NOT SETTLED ({}): ", check.moving)
                              : check.unread > 0  ? fmt::format("NOT CHECKED ({}): ", check.unread)
                                                  : "equal: ";
  return fmt::format("{:<28} {}{}{}{}{}\n",
                     check.name,
                     verdict,
                     check.compared,
                     check.note.empty() ? " compared" : " compared, ",
                     check.note,
                     check.moving > 0
                         ? "; what moved on, or has still to be told, is compared when "
                           "the sink is in step: again"
                         : "");
}

std::string open_lines(const char* what, const json::value& list) {
  if (!list.is_array() || list.as_array().empty()) return {};
  std::string out = fmt::format("open {}: {}\n", what, list.as_array().size());
  for (const auto& item : list.as_array()) {
    out += fmt::format("    {} {} {} {} {} {}\n",
                       at(item, "scope") + at(item, "stage"),
                       at(item, "cause") + at(item, "reason_code"),
                       at(item, "org"),
                       at(item, "object"),
                       at(item, "id"),
                       at(item, "detail") + at(item, "reason"));
  }
  return out;
}

std::string story_lines(const json::value& story) {
  if (!story.is_object()) return {};
  std::string out = fmt::format("the story of {}\n", at(story, "key"));
  const auto& ledger = story.at("ledger");
  if (ledger.is_object())
    out += fmt::format("    ledger: rev {}, {}, {}; newest {}, alive {}, dead {}{}\n",
                       at(ledger, "rev"),
                       ledger.at("deleted").as_bool() ? "deleted" : "alive",
                       ledger.at("complete").as_bool() ? "complete" : "not complete",
                       at(ledger, "newest"),
                       at(ledger, "alive"),
                       at(ledger, "dead"),
                       ledger.at("refetch_owed").as_bool() ? "; a refetch is owed" : "");
  else
    out += "    ledger: never seen\n";
  for (const auto& [place, held] : story.at("held").as_object())
    out += fmt::format(
        "    {}: {}\n", std::string(place), held.is_null() ? "nothing" : json::serialize(held));
  for (const auto& entry : story.at("journal").as_array()) {
    out += fmt::format("    journal: rev {} {} of {}, commit {}, after rev {}, changed {}\n",
                       at(entry, "rev"),
                       at(entry, "op"),
                       at(entry, "ts"),
                       at(entry, "commit"),
                       at(entry, "before_rev"),
                       at(entry, "changed"));
  }
  if (story.at("journal").as_array().empty()) out += "    journal: trimmed; no entry is left\n";
  return out;
}

json::object difference_object(const Difference& difference) {
  return {{"check", difference.check}, {"key", difference.rkey}, {"what", difference.what}};
}

}  // namespace

std::string report_text(const Outcome& outcome) {
  std::string out;
  if (!outcome.restated.empty()) {
    out += fmt::format("wrong in some sink, and told again: {} records\n", outcome.restated.size());
    for (std::size_t i = 0; i < outcome.restated.size() && i < kRestatedShown; ++i)
      out += fmt::format("    {}\n", outcome.restated[i]);
    if (outcome.restated.size() > kRestatedShown) out += "    more with --json\n";
  }
  for (const auto& check : outcome.checks) out += check_line(check);
  out += open_lines("holes", outcome.holes);
  out += open_lines("quarantine rows", outcome.quarantine);
  if (!outcome.unread.empty()) out += "could not be read in the org, and were not compared\n";
  for (const auto& one : outcome.unread)
    out += fmt::format("    {}: {}: {}\n", one.check, one.rkey, one.what);
  for (std::size_t i = 0; i < outcome.differences.size(); ++i) {
    const auto& difference = outcome.differences[i];
    out += fmt::format("{}{}: {}{}{}\n",
                       i == 0 ? "first difference\n    " : "    ",
                       difference.check,
                       difference.rkey,
                       difference.rkey.empty() ? "" : ": ",
                       difference.what);
    if (i == 0 && at(outcome.story, "key") == difference.rkey) out += story_lines(outcome.story);
    if (i == 0 && outcome.differences.size() > 1) out += "more differences\n";
  }
  return out;
}

std::string report_json(const Outcome& outcome) {
  json::array checks, differences, unread;
  for (const auto& check : outcome.checks) {
    checks.push_back(json::object{
        {"check", check.name},
        {"compared", check.compared},
        {"different", check.different},
        {"note", check.note},
        {"moving", check.moving},
        {"unread", check.unread},
        {"failed", check.failed.empty() ? json::value(nullptr) : json::value(check.failed)}});
  }
  for (const auto& difference : outcome.differences)
    differences.push_back(difference_object(difference));
  for (const auto& one : outcome.unread) unread.push_back(difference_object(one));
  json::array restated(outcome.restated.begin(), outcome.restated.end());
  return json::serialize(json::object{{"equal", outcome.equal()},
                                      {"restated", std::move(restated)},
                                      {"complete", outcome.could_check()},
                                      {"checks", std::move(checks)},
                                      {"differences", std::move(differences)},
                                      {"unread", std::move(unread)},
                                      {"story", outcome.story},
                                      {"holes", outcome.holes},
                                      {"quarantine", outcome.quarantine}});
}

}  // namespace headwater::verify
