#include "daemon/verify/log_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <functional>

#include "connectors/kafka/shorten.hpp"
#include "daemon/verify/compare.hpp"

namespace headwater::verify {
namespace {

namespace json = boost::json;

/// meta.rev of a JSON member that holds a record, 0 if it is null.
std::uint64_t rev_of(const json::object& envelope, std::string_view member) {
  const auto* record = envelope.if_contains(member);
  if (record == nullptr || !record->is_object()) return 0;
  const auto* meta = record->get_object().if_contains("meta");
  if (meta == nullptr || !meta->is_object()) return 0;
  const auto* rev = meta->get_object().if_contains("rev");
  boost::system::error_code broken;
  return rev == nullptr ? 0 : rev->to_number<std::uint64_t>(broken);
}

/// The after-image's sections. Envelopes are written in a fixed order,
/// `before` first.
std::string after_sections(std::string_view envelope) {
  static constexpr std::string_view kAfter = ",\"after\":{";
  const auto at = envelope.rfind(kAfter);
  if (at == std::string_view::npos) return {};
  return sections_of(envelope.substr(at + kAfter.size() - 1));
}

}  // namespace

std::uint64_t digest_of(std::string_view sections) {
  const auto digest = std::hash<std::string_view>{}(sections);
  return digest == kShortened ? kShortened + 1 : digest;
}

bool same_digest(std::uint64_t held, std::uint64_t wanted) {
  return held == kShortened || held == wanted;
}

const LogStory::Latest* LogStory::newest() const {
  const auto at = std::ranges::max_element(records, {}, &Latest::rev);
  return at == records.end() ? nullptr : &*at;
}

std::string LogStory::lives_on_in() const {
  const auto* last = newest();
  for (const auto& one : records)
    if (&one != last && !one.tombstone) return one.topic;
  return {};
}

/// One message, as small as it can be kept.
struct LogView::Fact {
  std::uint64_t rev = 0, before = 0, digest = 0, epoch = 0;
  std::uint64_t behind = 0;  ///< of a dropped change: the rev that it stands behind
  std::uint32_t topic = 0;   ///< records: its number
  std::uint32_t partition = 0;
  bool change = false, begins = false, deletes = false, cut = false, broken = false;
  bool before_left_out = false;  ///< the message was too long with it
  bool state = false;            ///< not what changed, but what the record is
  bool dropped = false;          ///< readers do not take it
  bool late = false;             ///< dropped, and may be there
};

LogView::Fact LogView::fact_of_change(const kafka::ReadMessage& message, bool cut) {
  const auto says = rule_.take(message);
  Fact fact;
  fact.change = true;
  fact.cut = cut;
  fact.rev = message.rev;
  fact.epoch = message.epoch;
  if (says == ConsumerRule::Says::Taken) {
    ++accepted_;
  } else {
    fact.dropped = true;
    fact.behind = rule_.behind();
    fact.late = says == ConsumerRule::Says::Late;
    if (fact.late) ++late_repeats_;
  }
  boost::system::error_code broken;
  const auto value = message.value.value_or("");
  const auto envelope = json::parse({value.data(), value.size()}, broken);
  if (broken || !envelope.is_object() || !envelope.get_object().contains("op")) {
    fact.broken = true;
    return fact;
  }
  const auto& object = envelope.get_object();
  const std::string_view op = object.at("op").is_string()
                                  ? std::string_view(object.at("op").get_string())
                                  : std::string_view("?");
  fact.deletes = op == "d";
  fact.before = rev_of(object, "before");
  // A whole state follows nothing. That of a deleted record, sent after a ledger was born anew or a
  // topic was lost, is a delete with no image before it.
  fact.state = op == "r" || (fact.deletes && fact.before == 0);
  fact.begins = fact.state || op == "c";
  fact.digest = kafka::is_shortened(value) ? kShortened : digest_of(after_sections(value));
  fact.before_left_out = fact.before == 0 && object.contains("truncated");
  return fact;
}

LogView::Fact LogView::fact_of_record(const kafka::ReadMessage& message) {
  Fact fact;
  const auto [at, fresh] = topic_numbers_.try_emplace(std::string(message.topic),
                                                      static_cast<std::uint32_t>(topics_.size()));
  if (fresh) topics_.emplace_back(message.topic);
  fact.topic = at->second;
  fact.partition = static_cast<std::uint32_t>(message.partition);
  fact.rev = message.rev;
  fact.deletes = !message.value;
  if (message.value)
    fact.digest =
        kafka::is_shortened(*message.value) ? kShortened : digest_of(sections_of(*message.value));
  return fact;
}

void LogView::tell(LogStory& story, const Fact& fact) const {
  if (!fact.change) {
    const auto& topic = topics_[fact.topic];
    auto at = std::ranges::find(story.records, topic, &LogStory::Latest::topic);
    if (at == story.records.end()) at = story.records.insert(at, LogStory::Latest{topic});
    // Where partitions were added to a topic, a key's old images stay in its old partition: of two
    // partitions the greater rev counts, as for every reader, within one what was written last.
    if (fact.partition != at->partition && fact.rev < at->rev) return;
    at->partition = fact.partition;
    at->rev = fact.rev;
    at->rev_max = std::max(at->rev_max, fact.rev);
    at->tombstone = fact.deletes;
    at->digest = fact.digest;
    return;
  }
  if (fact.dropped) return tell_dropped(story, fact);
  ++story.changes;
  if (fact.state) story.passed_by.clear();
  const auto complain = [&](std::string what) {
    if (story.fault.empty()) story.fault = std::move(what);
  };
  const bool first_kept = story.changes == 1 && fact.cut;
  if (fact.broken)
    complain(fmt::format("the change with rev {} is no envelope", fact.rev));
  else if (!fact.begins && !first_kept && !fact.before_left_out && fact.before != story.last_rev)
    complain(
        story.changes == 1
            ? fmt::format("its first change, rev {}, builds on rev {}, which never came",
                          fact.rev,
                          fact.before)
            : fmt::format("the change with rev {} builds on rev {}, but the one before it here "
                          "has rev {}",
                          fact.rev,
                          fact.before,
                          story.last_rev));
  story.last_rev = fact.rev;
  story.last_deletes = fact.deletes;
  story.last_digest = fact.digest;
  story.last_epoch = fact.epoch;
}

/// A change that readers drop. A copy that they took was told just before.
void LogView::tell_dropped(LogStory& story, const Fact& fact) {
  const bool twice = fact.rev == story.last_rev;
  // A writer repeats nothing of its own.
  if (fact.late && !(twice && fact.epoch == story.last_epoch)) return;
  if (twice && story.fault.empty())
    story.fault = fmt::format("the change with rev {} came twice, in epoch {} and in epoch {}",
                              fact.rev,
                              story.last_epoch,
                              fact.epoch);
  else if (!twice && story.passed_by.empty() && !(fact.state && fact.cut))
    story.passed_by = fmt::format(
        "the change with rev {} came behind rev {} of its partition, where readers drop it",
        fact.rev,
        fact.behind);
}

/// Changes of one record come out in the order of their revs, whichever topics they stand in;
/// behind them what the records topics hold, each in its own order.
Result<void> LogView::keep(std::string_view key, const Fact& fact) {
  std::string place(key);
  place.push_back('\0');
  if (fact.change)
    for (int shift = 56; shift >= 0; shift -= 8)
      place.push_back(static_cast<char>(fact.rev >> shift));
  else
    place.push_back('\xff');  // no rev begins so: they stay below 2^53
  return spool_.add(place, {reinterpret_cast<const char*>(&fact), sizeof fact});
}

Result<void> LogView::read_kind(const char* kind, kafka::LogReader::Extent extent, bool spooling) {
  const bool changes = std::string_view(kind) == "changes.";
  if (changes)
    for (const auto& [topic, partitions] : extent.first)
      for (const auto first : partitions) lost_beginning_ |= first > 0;
  auto& end = changes ? changes_end_ : records_end_;
  Result<void> kept;
  std::map<std::string, std::vector<Fact>, std::less<>> told;  // of watched ones
  auto done = reader_.read(
      spooling ? extent.first : end, extent.ends, [&](const kafka::ReadMessage& message) {
        const auto first = extent.first.find(message.topic);
        const bool cut = first != extent.first.end() &&
                         first->second.at(static_cast<std::size_t>(message.partition)) > 0;
        const auto fact = changes ? fact_of_change(message, cut) : fact_of_record(message);
        if (spooling) {
          if (kept) kept = keep(message.key, fact);
        } else if (watched_.contains(message.key)) {
          told[std::string(message.key)].push_back(fact);
        }
      });
  if (!done) return done;
  for (auto& [key, facts] : told) {
    if (changes) std::ranges::stable_sort(facts, {}, &Fact::rev);
    for (const auto& fact : facts) tell(watched_.find(key)->second, fact);
  }
  end = std::move(extent.ends);
  return kept;
}

Result<void> LogView::read() {
  for (const char* kind : {"changes.", "records."}) {
    if (!history_ && std::string_view(kind) == "changes.") continue;
    auto extent = reader_.extent(kind);
    if (!extent) return std::move(extent).error();
    if (auto done = read_kind(kind, std::move(extent).value(), true); !done) return done;
  }
  if (auto done = spool_.finish(); !done) return done;
  Spool::Pair pair;
  if (spool_.next(pair)) ahead_ = std::move(pair);
  return {};
}

Result<void> LogView::catch_up() {
  for (const char* kind : {"changes.", "records."}) {
    if (!history_ && std::string_view(kind) == "changes.") continue;
    auto extent = reader_.extent(kind);
    if (!extent) return std::move(extent).error();
    if (auto done = read_kind(kind, std::move(extent).value(), false); !done) return done;
  }
  return {};
}

bool LogView::next(LogStory& out) {
  if (!ahead_) return false;
  const auto key_of = [](const Spool::Pair& pair) {
    return std::string_view(pair.key).substr(0, pair.key.find('\0'));
  };
  out = {};
  out.rkey = key_of(*ahead_);
  while (ahead_ && key_of(*ahead_) == out.rkey) {
    Fact fact;
    std::memcpy(&fact, ahead_->value.data(), sizeof fact);
    tell(out, fact);
    Spool::Pair pair;
    if (spool_.next(pair))
      ahead_ = std::move(pair);
    else
      ahead_.reset();
  }
  return true;
}

}  // namespace headwater::verify
