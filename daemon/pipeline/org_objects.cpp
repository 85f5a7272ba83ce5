#include "daemon/pipeline/org_objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "daemon/ledger/audit_book.hpp"
#include "daemon/observe/log.hpp"
#include "schemas/model/topic.hpp"

namespace headwater {
namespace {

constexpr std::string_view kData = "/data/";
/// Answers further apart do not follow each other: the list is asked every hour.
constexpr EpochMs kApartMs = 2 * 60 * 60'000;

std::string captured_key(std::string_view org) { return fmt::format("captured:{}", org); }
std::string listening_key(std::string_view org) { return fmt::format("since:{}", org); }

// A line for the answer, and one for each object.
std::string written(const Captured& captured) {
  std::string out = fmt::format("{} {:d}\n", captured.asked_at, captured.exact);
  for (const auto& [name, it] : captured.objects)
    out += fmt::format(
        "{} {} {} {:d} {:d} {} {}\n", name, it.from, it.to, it.sure, it.hidden, it.told, it.back);
  return out;
}

Captured read(const std::string& text) {
  Captured out;
  std::istringstream lines(text);
  lines >> out.asked_at >> out.exact;
  std::string line, name;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream in(line);
    Captured::Object object;
    if (!(in >> name >> object.from >> object.to >> object.sure >> object.hidden)) continue;
    // An older row ends here.
    if (!(in >> object.told >> object.back)) object.told = object.hidden ? 0 : object.to;
    out.objects.emplace(name, object);
  }
  return out;
}

void tell_news(std::string_view org, const Captured& before, const Captured& after) {
  std::vector<std::string> fresh, hidden;
  for (const auto& [name, object] : after.objects) {
    const auto was = before.objects.find(name);
    if (was == before.objects.end()) fresh.push_back(name);
    const bool was_hidden = was != before.objects.end() && was->second.hidden;
    if (object.hidden && !was_hidden && object.to == after.asked_at && after.exact)
      hidden.push_back(name);
  }
  if (!fresh.empty())
    log::info("objects that the org's channels carry",
              {{"org", org}, {"objects", fmt::format("{}", fmt::join(fresh, ","))}});
  if (!hidden.empty())
    log::warning(
        "objects are selected in Change Data Capture, but hidden from the integration user: no "
        "change of them comes; give it read permission, or take them out of the channel",
        {{"org", org}, {"objects", fmt::format("{}", fmt::join(hidden, ","))}});
}

}  // namespace

std::vector<std::string> channels_of(std::span<const std::string> topics) {
  std::vector<std::string> out;
  for (const auto& topic : topics) {
    if (topic.starts_with(kData) && object_of_topic(topic).empty())
      out.push_back(topic.substr(kData.size()));
  }
  return out;
}

std::set<std::string> known_objects(const ledger::Ledger& ledger,
                                    std::string_view org,
                                    const ObjectsAsked& asked) {
  std::set<std::string> out(asked.snapshot_objects.begin(), asked.snapshot_objects.end());
  for (const auto& count : ledger.counts()) {
    if (count.org == org && count.alive + count.deleted > 0) out.insert(count.object);
  }
  for (auto& object : ledger.snapped_objects(org)) out.insert(std::move(object));
  for (const auto& topic : asked.topics) {
    if (auto object = object_of_topic(topic); !object.empty()) out.insert(std::move(object));
  }
  return out;
}

Result<Captured> captured_of(ledger::Ledger& ledger, std::string_view org) {
  const auto text = ledger::AuditBook(ledger).text_of(captured_key(org));
  if (!text) return text.error();
  return read(*text);
}

Result<Captured> ask_captured(salesforce::OrgApi& api,
                              ledger::Ledger& ledger,
                              std::string_view org,
                              std::span<const std::string> channels,
                              EpochMs now) {
  const auto before = captured_of(ledger, org);
  if (!before) return before.error();
  const auto told = salesforce::learn_captured(api, channels);
  if (!told) return told.error();
  // A clock that was set, or hours without an answer, say nothing of the minutes before.
  const bool apart = now < before->asked_at || now - before->asked_at > kApartMs;
  Captured after = *before;
  after.asked_at = now;
  after.exact = told->exact;
  // Guesses end with the first word that is certain.
  if (told->exact) std::erase_if(after.objects, [](const auto& it) { return !it.second.sure; });
  for (const auto& name : told->objects) {
    auto [at, fresh] = after.objects.try_emplace(name);
    Captured::Object& object = at->second;
    if (fresh) object = {before->asked_at == 0 ? 0 : now, now, 0, 0, told->exact, false};
    object.to = now;
    object.hidden = told->hidden.contains(name);
    // That it may be selected is not that it is.
    if (object.hidden || (!told->exact && object.sure)) continue;
    if (object.told != before->asked_at || apart) object.back = now;
    object.told = now;
  }
  if (!told->exact && (before->asked_at == 0 || before->exact))
    log::warning(
        "which objects are selected in Change Data Capture is not told; every object that has "
        "change events is taken for one that may be: give the integration user the permission View "
        "Setup and Configuration",
        {{"org", org}, {"why", told->why}});
  tell_news(org, *before, after);
  ledger::AuditBook book(ledger);
  if (auto done = book.keep(captured_key(org), written(after)); !done) return done.error();
  return after;
}

EpochMs listening_since(ledger::Ledger& ledger, std::string_view org) {
  EpochMs since = 0;
  if (const auto text = ledger::AuditBook(ledger).text_of(listening_key(org)))
    std::from_chars(text->data(), text->data() + text->size(), since);
  return since;
}

Result<void> note_listening(ledger::Ledger& ledger, std::string_view org, EpochMs since) {
  return ledger::AuditBook(ledger).keep(listening_key(org), std::to_string(since));
}

std::map<std::string, EpochMs> selected_objects(const Captured& captured, EpochMs listening_since) {
  std::map<std::string, EpochMs> out;
  const EpochMs since = listening_since + kListeningSlackMs;
  for (const auto& [name, object] : captured.objects) {
    if (captured.selected(object) && !object.hidden)
      out.emplace(name, std::max(since, object.from));
  }
  return out;
}

std::set<std::string> hidden_objects(const Captured& captured) {
  std::set<std::string> out;
  for (const auto& [name, object] : captured.objects) {
    if (captured.selected(object) && object.hidden) out.insert(name);
  }
  return out;
}

}  // namespace headwater
