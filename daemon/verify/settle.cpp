#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>
#include <mutex>

#include "daemon/verify/verifier.hpp"

// The second look at what differed: is it certain, or only in motion?

namespace headwater::verify {
namespace {

namespace json = boost::json;

/// Between two looks.
constexpr Millis kLookAgain{200};
/// Entries of a record that a story tells.
constexpr std::size_t kStoryEntries = 20;

std::string org_of(const std::string& rkey) { return rkey.substr(0, rkey.find(':')); }

}  // namespace

Result<void> Verifier::settle() {
  const auto until = clock_.monotonic_ms() + patience_.wait.count();
  std::mutex mutex;
  std::condition_variable never;
  while (true) {
    auto moving = settle_round();
    if (!moving) return std::move(moving).error();
    auto strays = strays_round();
    if (!strays) return std::move(strays).error();
    auto owed = owed_round();
    if (!owed) return std::move(owed).error();
    if ((!*moving && !*strays && !*owed) || clock_.monotonic_ms() >= until) break;
    std::unique_lock lock(mutex);
    never.wait_for(lock, kLookAgain);
  }
  for (auto& [name, mine] : works_) {
    for (auto& [rkey, what] : mine.suspects) {
      if (mine.moving.contains(rkey)) continue;
      differ(check_of(mine, what),
             rkey,
             fmt::format("{} (still so after {} ms)", what, patience_.wait.count()));
    }
    mine.check.moving += mine.moving.size();
    mine.suspects.clear();
  }
  return {};
}

/// A log's two kinds of topics are suspected together and reported apart.
Verifier::Work& Verifier::check_of(Work& suspected, const std::string& what) {
  static constexpr std::string_view kRecords = " records = ledger";
  const auto& name = suspected.check.name;
  if (!name.ends_with(kRecords) || !what.starts_with("changes: ")) return suspected;
  return work(name.substr(0, name.size() - kRecords.size()) + " changes");
}

/// Looks once at everything suspected. True if some of it is still in motion.
Result<bool> Verifier::settle_round() {
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    auto& mine = work(places_.logs[i].name + " records = ledger");
    if (!logs_[i] || mine.suspects.empty()) continue;
    // The cursor first: what it names must then be in the topics.
    for (auto& [org, rev] : mine.cursors)
      if (auto record = places_.logs[i].reader->cursor(places_.logs[i].name, org);
          record && *record)
        rev = (*record)->rev.value;
    if (auto done = logs_[i]->catch_up(); !done) failed(mine, done.error());
  }
  bool moving = false;
  for (auto& [name, mine] : works_) {
    for (auto suspect = mine.suspects.begin(); suspect != mine.suspects.end();) {
      if (!mine.check.failed.empty()) break;
      std::string what = suspect->second;
      auto judged = judge_again(name, suspect->first, what);
      if (!judged) {
        if (judged.error().kind != ErrorKind::Transient) return judged.error();
        failed(mine, judged.error());
        break;
      }
      suspect->second = what;
      mine.moving.erase(suspect->first);
      if (*judged == Judgement::Moving) mine.moving.insert(suspect->first);
      if (*judged == Judgement::Moving || *judged == Judgement::Unsettled) {
        moving = true;
        ++suspect;
        continue;
      }
      if (*judged == Judgement::Different) differ(check_of(mine, what), suspect->first, what);
      if (*judged == Judgement::Unread) unread(mine, suspect->first, what);
      suspect = mine.suspects.erase(suspect);
    }
  }
  return moving;
}

/// Looks once for relations that no record states. One that is there at two looks, while its record
/// stood still, is certain. True if another look is needed.
Result<bool> Verifier::strays_round() {
  bool again = false;
  for (auto& target : places_.targets) {
    auto& mine = work(target.name + " = ledger");
    std::map<std::string, std::uint64_t> seen;
    for (const auto& org : places_.orgs) {
      if (!mine.check.failed.empty()) break;
      auto found = target.reader->strays(org.name, kSuspectsMax);
      if (!found) {
        failed(mine, found.error());
        break;
      }
      const auto heads = ledger_.heads(*found);
      if (!heads) return heads.error();
      for (std::size_t i = 0; i < found->size(); ++i) {
        const auto& rkey = (*found)[i];
        const auto rev = (*heads)[i] ? (*heads)[i]->rev.value : 0;
        const auto before = mine.strays.find(rkey);
        seen[rkey] = rev;
        if (mine.strays_told.contains(rkey)) continue;
        if (before == mine.strays.end() || before->second != rev) {
          again = true;
        } else {
          mine.strays_told.insert(rkey);
          differ(mine, rkey, "a relation set holds it, though the record states no such relation");
        }
      }
    }
    mine.strays = std::move(seen);
  }
  return again;
}

Result<Verifier::Judgement> Verifier::judge_again(const std::string& name,
                                                  const std::string& rkey,
                                                  std::string& what) {
  for (std::size_t i = 0; i < places_.targets.size(); ++i)
    if (name == places_.targets[i].name + " = ledger") return judge_target(i, rkey, what);
  for (std::size_t i = 0; i < places_.orgs.size(); ++i)
    if (name == "ledger = org " + places_.orgs[i].name) return judge_org(i, rkey, what);
  for (std::size_t i = 0; i < places_.logs.size(); ++i)
    if (name == places_.logs[i].name + " records = ledger") return judge_log(i, rkey, what);
  return Judgement::Different;
}

Result<Verifier::Judgement> Verifier::judge_target(std::size_t target,
                                                   const std::string& rkey,
                                                   std::string& what) {
  auto& reader = *places_.targets[target].reader;
  const auto before = ledger_.get(rkey);
  if (!before) return before.error();
  const auto cursor = reader.cursor(org_of(rkey));
  if (!cursor) return cursor.error();
  const RecordName name{rkey, *before ? (*before)->entity : ""};
  const auto read = reader.read(std::span(&name, 1));
  if (!read) return read.error();
  const auto after = ledger_.get(rkey);
  if (!after) return after.error();
  const auto& held = read->front();
  if (!*before) {
    what = "it lives here, but the ledger has never seen it";
    return *after ? Judgement::Unsettled : Judgement::Different;
  }
  if ((*after)->rev != (*before)->rev) return what = "it moves", Judgement::Moving;
  const auto& record = **before;
  const std::uint64_t mine = held ? held->rev.value : 0;
  const std::uint64_t at = *cursor ? (*cursor)->rev.value : 0;
  if (record.deleted && (!held || held->deleted)) return Judgement::Equal;
  if (mine != record.rev.value) {
    if (mine > record.rev.value) ahead_[{places_.targets[target].name, rkey}] = mine;
    what = rev_difference(mine, record.rev.value, at);
    if (!held) what = "it is missing here: " + what;
    const bool behind = mine < record.rev.value && record.rev.value > at;
    return behind ? Judgement::Moving : Judgement::Different;
  }
  if (held->deleted != record.deleted) {
    what = record.deleted ? "it lives here, but the ledger says it is deleted"
                          : "it is deleted here, but the ledger says it lives";
    return Judgement::Different;
  }
  what = held_difference(record, *held, patience_.wording);
  return what.empty() ? Judgement::Equal : Judgement::Different;
}

EpochMs Verifier::newest_commit(const json::value& status, const std::string& org) const {
  // Of several streams any may bring the record: only what all have passed is certain.
  EpochMs least = 0;
  for (const auto& stream : status.at("streams").as_array()) {
    if (std::string_view(stream.at("org").as_string()) != org) continue;
    const auto& told = stream.at("newest_commit");
    const auto commit = told.is_string() ? parse_datetime(told.as_string()).value_or(0) : 0;
    least = least == 0 ? commit : std::min(least, commit);
    if (commit == 0) return 0;
  }
  return least;
}

/// A record may differ though the ledger was told of all its changes: by a formula, say. By whole
/// seconds, as events tell them.
Result<bool> Verifier::lacks_last_change(const std::optional<LedgerRecord>& record,
                                         const TrueRecord& truth) {
  if (!record) return true;
  const auto facts = ledger_.document("facts " + record->rkey);
  if (!facts) return facts.error();
  const auto known_to = parse_datetime(facts->at("known_to").as_string()).value_or(0);
  return known_to / 1'000 < truth.stamp / 1'000;
}

Result<Verifier::Judgement> Verifier::judge_org(std::size_t org,
                                                const std::string& rkey,
                                                std::string& what) {
  const auto status = ledger_.document("status");
  if (!status) return status.error();
  const auto before = ledger_.get(rkey);
  if (!before) return before.error();
  const auto read = places_.orgs[org].truth->read(std::span(&rkey, 1));
  if (!read) return read.error();
  const auto after = ledger_.get(rkey);
  if (!after) return after.error();
  const auto& truth = read->front();
  const bool lives = *before && !(*before)->deleted;
  const auto rev_of = [](const std::optional<LedgerRecord>& record) {
    return record ? record->rev.value : 0;
  };
  if (rev_of(*before) != rev_of(*after)) return what = "it moves", Judgement::Moving;
  if (truth && !truth->unread.empty()) return what = truth->unread, Judgement::Unread;
  if (!truth && !lives) return Judgement::Equal;
  if (!truth) {
    what = "it lives in the ledger, but the org shows no such record";
    return Judgement::Unsettled;
  }
  if (lives) {
    what = document_difference(truth->sections,
                               sections_of((*before)->document),
                               true,
                               patience_.wording,
                               truth->retired.get());
    if (what.empty()) return Judgement::Equal;
  } else {
    what = *before ? "it lives in the org, but the ledger says it is deleted"
                   : "it lives in the org, but the ledger has never seen it";
  }
  const auto passed = newest_commit(*status, places_.orgs[org].name);
  // A second is the org's smallest unit: what was saved in the last one may still come.
  if (truth->stamp == 0 || truth->stamp + 1'000 >= passed) return Judgement::Unsettled;
  const auto lacks = lacks_last_change(*before, *truth);
  if (!lacks) return lacks.error();
  if (!*lacks) return Judgement::Unsettled;  // it may be read again just now
  what += fmt::format(
      "; its last change is of {}, and the stream's position has passed {}: the "
      "position is ahead of the data",
      format_datetime(truth->stamp),
      format_datetime(passed));
  return Judgement::Different;
}

Result<Verifier::Judgement> Verifier::judge_log(std::size_t log,
                                                const std::string& rkey,
                                                std::string& what) {
  const auto record = ledger_.get(rkey);
  if (!record) return record.error();
  const auto& place = places_.logs[log];
  const auto& story = logs_[log]->watched(rkey);
  const auto cursor = work(place.name + " records = ledger").cursors[org_of(rkey)];
  const std::uint64_t rev = *record ? (*record)->rev.value : 0;
  const bool lives = *record && !(*record)->deleted;
  if (!story.broken().empty()) {
    what = "changes: " + story.broken();
    return Judgement::Different;
  }
  for (const auto& held : story.records) {
    if (held.rev == held.rev_max) continue;
    what = fmt::format(
        "records: the last message has rev {}, but one before it rev {}: compaction "
        "keeps the older one",
        held.rev,
        held.rev_max);
    return Judgement::Different;
  }
  if (const auto elsewhere = story.lives_on_in(); !elsewhere.empty()) {
    what = fmt::format(
        "records: it lives on in {}, the topic of the entity that its object had before",
        elsewhere);
    return Judgement::Different;
  }
  const auto behind = [&](std::uint64_t held, std::string_view kind) {
    what = fmt::format("{}: {}", kind, rev_difference(held, rev, cursor));
    return held < rev && rev > cursor ? Judgement::Moving : Judgement::Different;
  };
  const bool tell_changes = place.history && !(story.changes == 0 && logs_[log]->lost_beginning());
  if (tell_changes && story.last_rev != rev && (lives || story.last_rev != 0))
    return behind(story.last_rev, "changes");
  const auto* held = story.newest();
  const bool gone = held == nullptr || held->tombstone;
  if (!lives && !gone) return behind(held->rev, "records");
  if (!lives) return Judgement::Equal;
  if (gone || held->rev != rev) return behind(gone ? 0 : held->rev, "records");
  const auto digest = digest_of(sections_of((*record)->document));
  if (!same_digest(held->digest, digest)) {
    what = "records: the message with the ledger's rev holds another image";
    return Judgement::Different;
  }
  if (tell_changes && !same_digest(story.last_digest, digest)) {
    what = "changes: the last change's image is not the ledger's";
    return Judgement::Different;
  }
  return Judgement::Equal;
}

Result<json::value> Verifier::story_of(const Difference& difference) {
  const auto& rkey = difference.rkey;
  json::object out{{"key", rkey}};
  const auto record = ledger_.get(rkey);
  if (!record) return record.error();
  if (*record) {
    auto facts = ledger_.document("facts " + rkey);
    if (!facts) return std::move(facts).error();
    out["ledger"] = std::move(facts).value();
  } else {
    out["ledger"] = nullptr;
  }
  auto entries = ledger_.entries_of(rkey, kStoryEntries);
  if (!entries) return std::move(entries).error();
  out["journal"] = std::move(entries).value();
  json::object held;
  for (auto& target : places_.targets) {
    const RecordName name{rkey, *record ? (*record)->entity : ""};
    const auto read = target.reader->read(std::span(&name, 1));
    if (!read) continue;
    const auto& there = read->front();
    if (there)
      held[target.name] = json::object{{"rev", there->rev.value}, {"deleted", there->deleted}};
    else
      held[target.name] = nullptr;
  }
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    if (!logs_[i] || difference.check.find(places_.logs[i].name) == std::string::npos) continue;
    const auto& story = logs_[i]->watched(rkey);
    const auto* last = story.newest();
    held[places_.logs[i].name] = json::object{{"changes", story.changes},
                                              {"last_change_rev", story.last_rev},
                                              {"record_rev", last == nullptr ? 0 : last->rev},
                                              {"tombstone", last != nullptr && last->tombstone}};
  }
  out["held"] = std::move(held);
  return json::value(std::move(out));
}

}  // namespace headwater::verify
