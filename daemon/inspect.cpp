#include "daemon/inspect.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <sstream>

#include "daemon/order_words.hpp"
#include "daemon/pipeline/org_objects.hpp"
#include "daemon/status.hpp"

namespace headwater {
namespace {

namespace json = boost::json;

/// Bounds of one answer: main's thread, which serves the socket, stays free for milliseconds.
constexpr std::size_t kPageEntries = 250, kPageBytes = 1U << 20;
constexpr std::size_t kStretchEntries = 5'000, kStretchBytes = 8U << 20;

std::string version_text(const Version& version) {
  std::string out;
  append_version(out, version);
  return out;
}

std::string records(const std::string& after, ledger::Ledger& ledger) {
  EntryBatch batch;
  std::string last;
  if (auto read = ledger.read_keys(after, kPageEntries, kPageBytes, batch, last); !read)
    return refused(read.error().message);
  std::string out = "{\"last\":" + json::serialize(json::string(last)) + ",\"records\":[";
  // One record a line, so that a reader may take them apart without parsing them.
  bool first = true;
  for (const auto& entry : batch.entries()) {
    out += first ? "\n" : ",\n";
    first = false;
    out += record_json(entry);
  }
  return out + "\n]}";
}

std::string heads(const std::string& rest, ledger::Ledger& ledger) {
  std::istringstream words(rest);
  std::vector<std::string> rkeys;
  for (std::string word; words >> word;) rkeys.push_back(std::move(word));
  const auto heads = ledger.heads(rkeys);
  if (!heads) return refused(heads.error().message);
  json::array out;
  for (const auto& head : *heads) {
    if (head)
      out.push_back(json::object{{"rev", head->rev.value}, {"deleted", head->deleted}});
    else
      out.push_back(nullptr);
  }
  return json::serialize(out);
}

std::string facts(const std::string& rkey, ledger::Ledger& ledger) {
  const auto key = RecordKey::parse(rkey);
  if (!key) return refused(key.error().message);
  const auto found = ledger.facts_of(*key);
  if (!found) return refused(found.error().message);
  if (!*found) return refused("the ledger has never seen this record");
  const auto& state = **found;
  json::object fields;
  for (const auto& [name, version] : state.fields) fields[name] = version_text(version);
  return json::serialize(json::object{{"rev", state.head.rev.value},
                                      {"deleted", state.head.deleted},
                                      {"complete", state.complete},
                                      {"refetch_owed", state.refetch_owed},
                                      {"base", version_text(state.base)},
                                      {"alive", version_text(state.alive)},
                                      {"dead", version_text(state.dead)},
                                      {"newest", version_text(state.newest)},
                                      {"known_to", format_datetime(state.known_to)},
                                      {"fields", fields}});
}

std::string objects(const std::string& org, ledger::Ledger& ledger) {
  const auto captured = captured_of(ledger, org);
  if (!captured) return refused(captured.error().message);
  const EpochMs listening = listening_since(ledger, org);
  json::object since;
  for (const auto& [object, from] : selected_objects(*captured, listening))
    since[object] = format_datetime(from);
  json::array hidden;
  for (const auto& object : hidden_objects(*captured)) hidden.emplace_back(object);
  return json::serialize(json::object{
      {"listening_since",
       listening == 0 ? json::value(nullptr) : json::value(format_datetime(listening))},
      {"asked_at",
       captured->asked_at == 0 ? json::value(nullptr)
                               : json::value(format_datetime(captured->asked_at))},
      {"exact", captured->exact},
      {"since", std::move(since)},
      {"hidden", std::move(hidden)}});
}

/// What the journal holds after that rev: from its oldest entry on, if what follows was trimmed.
Result<void> read_held(ledger::Ledger& ledger, Rev after, EntryBatch& out) {
  while (true) {
    const Rev first = ledger.journal().first;
    const Rev from{std::max(after.value + 1, first.value) - 1};
    auto read = ledger.read(from, kStretchEntries, kStretchBytes, out);
    // Trimmed since we asked: it begins later now.
    if (read || ledger.journal().first == first) return read;
  }
}

std::string journal(const std::string& rest, ledger::Ledger& ledger) {
  std::istringstream words(rest);
  std::string rkey;
  std::uint64_t after = 0;
  words >> rkey >> after;
  EntryBatch batch;
  if (auto read = read_held(ledger, Rev{after}, batch); !read) return refused(read.error().message);
  json::array entries;
  for (const auto& entry : batch.entries()) {
    if (entry.kind != EntryKind::Record || entry.rkey != rkey) continue;
    json::object item{{"rev", entry.meta.rev.value},
                      {"op", std::string(1, static_cast<char>(entry.op))},
                      {"ts", format_datetime(entry.ts_ms)},
                      {"before_rev", entry.has_before ? entry.before.rev.value : 0},
                      {"commit", format_datetime(entry.meta.commit_ts)},
                      {"version", version_text(entry.meta.version)}};
    json::array changed;
    for (const auto section : entry.old.sections)
      for (const auto& member : section)
        changed.emplace_back(entry.old.names ? entry.old.names->text(member.name) : "?");
    item["changed"] = std::move(changed);
    entries.push_back(std::move(item));
  }
  const auto read_to = batch.entries().empty() ? after : batch.entries().back().meta.rev.value;
  return json::serialize(json::object{{"entries", std::move(entries)},
                                      {"read_to", read_to},
                                      {"done", batch.entries().empty()},
                                      {"first", ledger.journal().first.value}});
}

std::string events(const std::string& rest, ledger::Ledger& ledger) {
  std::uint64_t after = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), after);
  EntryBatch batch;
  if (auto read = read_held(ledger, Rev{after}, batch); !read) return refused(read.error().message);
  json::array out;
  for (const auto& entry : batch.entries()) {
    if (entry.kind != EntryKind::Event) continue;
    out.push_back(json::object{{"rev", entry.meta.rev.value},
                               {"org", entry.org},
                               {"topic", entry.topic},
                               {"replay_id", to_hex(entry.origin.replay_id)},
                               {"uuid", entry.origin.event_uuid}});
  }
  const auto read_to = batch.entries().empty() ? after : batch.entries().back().meta.rev.value;
  return json::serialize(json::object{{"events", std::move(out)},
                                      {"read_to", read_to},
                                      {"done", batch.entries().empty()},
                                      {"first", ledger.journal().first.value},
                                      {"birth", ledger.birth().value}});
}

}  // namespace

std::optional<std::string> inspect(const std::string& verb,
                                   const std::string& rest,
                                   ledger::Ledger& ledger) {
  if (verb == "records") return records(rest, ledger);
  if (verb == "heads") return heads(rest, ledger);
  if (verb == "facts") return facts(rest, ledger);
  if (verb == "journal") return journal(rest, ledger);
  if (verb == "events") return events(rest, ledger);
  if (verb == "objects") return objects(rest, ledger);
  return std::nullopt;
}

}  // namespace headwater
