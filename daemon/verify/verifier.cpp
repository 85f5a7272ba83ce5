#include "daemon/verify/verifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

namespace headwater::verify {
namespace {

namespace json = boost::json;

std::string org_of(const std::string& rkey) { return rkey.substr(0, rkey.find(':')); }
std::string object_of(const std::string& rkey) {
  const auto first = rkey.find(':'), second = rkey.find(':', first + 1);
  return rkey.substr(first + 1, second - first - 1);
}

std::string target_check(const std::string& name) { return name + " = ledger"; }
constexpr std::string_view kOrgCheck = "ledger = org ";
std::string org_check(const std::string& name) { return std::string(kOrgCheck) + name; }
std::string records_check(const std::string& name) { return name + " records = ledger"; }
std::string changes_check(const std::string& name) { return name + " changes"; }

/// The sink whose records the check compares, or empty.
std::string sink_of(std::string_view check) {
  for (const std::string_view end : {" records = ledger", " = ledger", " changes"})
    if (check.ends_with(end)) return std::string(check.substr(0, check.size() - end.size()));
  return {};
}

}  // namespace

std::string rev_difference(std::uint64_t held, std::uint64_t ledger, std::uint64_t cursor) {
  if (held > ledger)
    return fmt::format(
        "it holds rev {}, but the ledger's record stands at rev {}: the ledger went "
        "back",
        held,
        ledger);
  if (held < ledger && ledger <= cursor)
    return fmt::format(
        "its cursor stands at rev {}, ahead of its data: the record's change with rev "
        "{} is not there, it holds rev {}",
        cursor,
        ledger,
        held);
  if (held < ledger)
    return fmt::format(
        "it is behind: rev {} of the record, its cursor at rev {}, the ledger's "
        "record at rev {}",
        held,
        cursor,
        ledger);
  return {};
}

bool Outcome::equal() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check& c) { return c.different == 0; });
}
bool Outcome::could_check() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check& c) {
    return c.failed.empty() && c.moving == 0 && c.unread == 0;
  });
}

std::vector<std::pair<std::string, std::string>> Outcome::proven() const {
  std::vector<std::pair<std::string, std::string>> out;
  if (!holes.is_array() || wrong.size() >= Verifier::kWrongMax) return out;
  std::set<std::string> failed;
  for (const auto& check : checks)
    if (!check.failed.empty() || check.moving > 0) failed.insert(sink_of(check.name));
  std::set<std::string> looked;
  for (const auto& check : checks)
    if (!failed.contains(sink_of(check.name))) looked.insert(sink_of(check.name));
  for (const auto& hole : holes.as_array()) {
    const auto& it = hole.as_object();
    if (!it.contains("sink")) continue;
    const std::string sink(it.at("sink").as_string());
    const auto rkey = fmt::format("{}:{}:{}",
                                  std::string_view(it.at("org").as_string()),
                                  std::string_view(it.at("object").as_string()),
                                  std::string_view(it.at("id").as_string()));
    const bool differs = std::ranges::any_of(
        wrong, [&](const Wrong& one) { return one.sink == sink && one.rkey == rkey; });
    if (looked.contains(sink) && !differs) out.emplace_back(sink, rkey);
  }
  return out;
}

Verifier::Verifier(LedgerView ledger, Places places, Patience patience, const Clock& clock)
    : ledger_(std::move(ledger)), places_(std::move(places)), patience_(patience), clock_(clock) {}

void Verifier::differ(Work& work, const std::string& rkey, std::string what) {
  ++work.check.different;
  const auto sink = sink_of(work.check.name);
  if (!sink.empty() && !rkey.empty() && wrong_.size() < kWrongMax)
    wrong_.emplace(std::pair(sink, rkey), what);
  if (differences_.size() < kDifferencesMax)
    differences_.push_back({work.check.name, rkey, std::move(what)});
}

void Verifier::suspect(Work& work, const std::string& rkey, std::string what) {
  if (work.suspects.size() < kSuspectsMax) {
    work.suspects.emplace(rkey, std::move(what));
    return;
  }
  if (work.suspects.contains(rkey)) return;
  // There is no room to come back to it.
  Result<Judgement> judged = Judgement::Different;
  if (work.check.different < kSuspectsMax) judged = judge_again(work.check.name, rkey, what);
  if (!judged) return failed(work, judged.error());
  if (*judged == Judgement::Moving || *judged == Judgement::Unsettled) ++work.check.moving;
  if (*judged == Judgement::Different) differ(check_of(work, what), rkey, std::move(what));
  if (*judged == Judgement::Unread) unread(work, rkey, std::move(what));
}

/// One record, be it met twice. With too many to be remembered one may count twice.
void Verifier::unread(Work& work, const std::string& rkey, std::string why) {
  if (work.unread.contains(rkey)) return;
  if (work.unread.size() < kSuspectsMax) work.unread.insert(rkey);
  ++work.check.unread;
  if (unread_.size() < kDifferencesMax) unread_.push_back({work.check.name, rkey, std::move(why)});
}

void Verifier::failed(Work& work, const Error& error) {
  if (work.check.failed.empty()) work.check.failed = error.message;
}

Result<Outcome> Verifier::run() {
  const auto status = ledger_.document("status");
  if (!status) return status.error();
  ledger_id_ = status->at("ledger").at("id").as_string();
  work(kCursors).check.name = kCursors;
  if (auto opened = open_places(); !opened) return std::move(opened).error();
  if (auto walked = walk(); !walked) return std::move(walked).error();
  if (auto done = compare_keys(); !done) return std::move(done).error();
  if (auto done = compare_events(); !done) return std::move(done).error();
  if (auto done = settle(); !done) return std::move(done).error();

  Outcome out;
  auto holes = ledger_.document("holes");
  if (!holes) return std::move(holes).error();
  auto rows = ledger_.document("quarantine list");
  if (!rows) return std::move(rows).error();
  out.holes = std::move(holes).value();
  out.quarantine = std::move(rows).value();
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    if (!logs_[i] || !places_.logs[i].history) continue;
    auto& changes = work(changes_check(places_.logs[i].name));
    changes.check.compared = logs_[i]->accepted();
    changes.check.note =
        fmt::format("{} late repeats dropped by the consumer rule", logs_[i]->late_repeats());
    if (places_.logs[i].transactions && logs_[i]->late_repeats() > 0)
      differ(
          changes,
          "",
          fmt::format("{} messages came twice, though in transactions", logs_[i]->late_repeats()));
  }
  for (const auto& [place, what] : owed_cursors_)
    differ(
        work(kCursors), "", fmt::format("{} (still so after {} ms)", what, patience_.wait.count()));
  for (auto& [name, done] : works_) {
    done.check.name = name;
    out.checks.push_back(done.check);
  }
  out.differences = differences_;
  out.unread = unread_;
  for (const auto& [place, what] : wrong_) {
    const auto ahead = ahead_.find(place);
    out.wrong.push_back(
        {place.first, place.second, what, ahead == ahead_.end() ? 0 : ahead->second});
  }
  for (auto& difference : out.differences) {
    if (difference.rkey.empty()) continue;
    auto story = story_of(difference);
    if (!story) return std::move(story).error();
    out.story = std::move(story).value();
    break;
  }
  return out;
}

Result<void> Verifier::open_places() {
  for (auto& target : places_.targets) {
    Work& mine = work(target_check(target.name));
    mine.check.name = target_check(target.name);
    if (auto opened = target.reader->open(); !opened) {
      failed(mine, opened.error());
      continue;
    }
    for (const auto& org : places_.orgs) {
      auto cursor = target.reader->cursor(org.name);
      if (!cursor) {
        failed(mine, cursor.error());
        break;
      }
      ++work(kCursors).check.compared;
      mine.cursors[org.name] = *cursor ? (*cursor)->rev.value : 0;
      if (auto checked = check_cursor(target.name, org.name, *cursor); !checked) return checked;
    }
  }
  logs_.resize(places_.logs.size());
  log_ahead_.resize(places_.logs.size());
  for (std::size_t i = 0; i < places_.logs.size(); ++i) {
    auto& log = places_.logs[i];
    Work& mine = work(records_check(log.name));
    mine.check.name = records_check(log.name);
    if (log.history) work(changes_check(log.name)).check.name = changes_check(log.name);
    for (const auto& org : places_.orgs) {
      const auto cursor = log_cursor(log, org.name);
      if (!cursor) {
        failed(mine, cursor.error());
        break;
      }
      ++work(kCursors).check.compared;
      mine.cursors[org.name] = *cursor ? (*cursor)->rev.value : 0;
      if (auto checked = check_cursor(log.name, org.name, *cursor); !checked) return checked;
    }
    if (!mine.check.failed.empty()) continue;
    auto view = std::make_unique<LogView>(*log.reader, log.history);
    if (auto done = view->read(); !done) {
      failed(mine, done.error());
      continue;
    }
    logs_[i] = std::move(view);
    LogStory story;
    if (logs_[i]->next(story)) log_ahead_[i] = std::move(story);
  }
  for (const auto& org : places_.orgs)
    if (org.truth) work(org_check(org.name)).check.name = org_check(org.name);
  return {};
}

Result<void> Verifier::walk() {
  LedgerView::Page page;
  std::string after;
  do {
    auto read = ledger_.page(after);
    if (!read) return std::move(read).error();
    page = std::move(read).value();
    after = page.last;
    if (auto done = compare_page(page); !done) return done;
  } while (!after.empty());
  for (std::size_t i = 0; i < logs_.size(); ++i)
    if (logs_[i]) compare_log(i, {}, true);
  return {};
}

Result<void> Verifier::compare_page(const LedgerView::Page& page) {
  std::map<std::string, std::vector<LedgerRecord>> by_object;  // of an org
  for (const auto& record : page.records) {
    objects_[org_of(record.rkey)].insert(object_of(record.rkey));
    by_object[org_of(record.rkey) + ":" + object_of(record.rkey)].push_back(record);
  }
  for (std::size_t i = 0; i < places_.targets.size(); ++i)
    if (auto done = compare_target(i, page.records); !done) return done;
  for (const auto& [name, records] : by_object)
    for (std::size_t i = 0; i < places_.orgs.size(); ++i)
      if (places_.orgs[i].truth && places_.orgs[i].name == name.substr(0, name.find(':')))
        if (auto done = compare_org(i, records); !done) return done;
  for (std::size_t i = 0; i < logs_.size(); ++i)
    if (logs_[i]) compare_log(i, page.records, false);
  return {};
}

Result<void> Verifier::compare_target(std::size_t target,
                                      const std::vector<LedgerRecord>& records) {
  Work& mine = work(target_check(places_.targets[target].name));
  if (!mine.check.failed.empty() || records.empty()) return {};
  std::vector<RecordName> names;
  for (const auto& record : records) names.push_back({record.rkey, record.entity});
  const auto held = places_.targets[target].reader->read(names);
  if (!held) return failed(mine, held.error()), Result<void>{};
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
    const auto& there = (*held)[i];
    ++mine.check.compared;
    // A deleted record may be forgotten, or never have come.
    if (record.deleted && (!there || there->deleted)) continue;
    if (!there || there->deleted != record.deleted || there->rev != record.rev)
      suspect(mine, record.rkey, "it does not stand where the ledger stands");
    else if (auto difference = held_difference(record, *there, patience_.wording);
             !difference.empty())
      suspect(mine, record.rkey, std::move(difference));
  }
  return {};
}

Result<void> Verifier::compare_org(std::size_t org, const std::vector<LedgerRecord>& records) {
  Work& mine = work(org_check(places_.orgs[org].name));
  if (!mine.check.failed.empty()) return {};
  std::vector<std::string> rkeys;
  for (const auto& record : records) rkeys.push_back(record.rkey);
  const auto true_records = places_.orgs[org].truth->read(rkeys);
  if (!true_records) return failed(mine, true_records.error()), Result<void>{};
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& truth = (*true_records)[i];
    if (truth && !truth->unread.empty()) {
      unread(mine, records[i].rkey, truth->unread);
      continue;
    }
    ++mine.check.compared;
    if (truth.has_value() == records[i].deleted) {
      suspect(mine, records[i].rkey, truth ? "it lives in the org" : "it is gone in the org");
    } else if (truth) {
      auto difference = document_difference(truth->sections,
                                            sections_of(records[i].document),
                                            true,
                                            patience_.wording,
                                            truth->retired.get());
      if (!difference.empty()) suspect(mine, records[i].rkey, std::move(difference));
    }
  }
  return {};
}

void Verifier::compare_log(std::size_t log, const std::vector<LedgerRecord>& records, bool last) {
  Work& mine = work(records_check(places_.logs[log].name));
  auto& ahead = log_ahead_[log];
  const bool history = places_.logs[log].history;
  const auto advance = [&] {
    LogStory story;
    ahead.reset();
    if (logs_[log]->next(story)) ahead = std::move(story);
  };
  const auto unknown = [&](const LogStory& story) {
    logs_[log]->watch(story);
    const auto* held = story.newest();
    if ((held != nullptr && !held->tombstone) || (story.changes > 0 && !story.last_deletes))
      suspect(mine, story.rkey, "the ledger does not know it");
  };
  for (const auto& record : records) {
    while (ahead && ahead->rkey < record.rkey) {
      unknown(*ahead);
      advance();
    }
    LogStory story;
    story.rkey = record.rkey;
    if (ahead && ahead->rkey == record.rkey) {
      story = *ahead;
      advance();
    }
    ++mine.check.compared;
    const auto* held = story.newest();
    const bool gone = record.deleted && (held == nullptr || held->tombstone);
    const auto digest = digest_of(sections_of(record.document));
    const bool records_same =
        story.lives_on_in().empty() &&
        (gone ||
         (held != nullptr && !held->tombstone && !record.deleted && held->rev == record.rev.value &&
          held->rev == held->rev_max && same_digest(held->digest, digest)));
    const bool changes_same = !history || (story.changes == 0 && logs_[log]->lost_beginning()) ||
                              (story.broken().empty() && story.last_rev == record.rev.value &&
                               (record.deleted || same_digest(story.last_digest, digest)));
    if (records_same && changes_same) continue;
    logs_[log]->watch(story);
    suspect(mine, record.rkey, "it does not stand where the ledger stands");
  }
  while (last && ahead) {
    unknown(*ahead);
    advance();
  }
}

Result<void> Verifier::unknown_keys(Work& work,
                                    std::span<const std::string> rkeys,
                                    const char* where) {
  const auto heads = ledger_.heads(rkeys);
  if (!heads) return heads.error();
  for (std::size_t i = 0; i < rkeys.size(); ++i) {
    const auto& head = (*heads)[i];
    if (!head || head->deleted)
      suspect(work,
              rkeys[i],
              fmt::format("it lives {}, but the ledger {}",
                          where,
                          head ? "says it is deleted" : "has never seen it"));
  }
  return {};
}

/// Where records may be that the ledger lacks: all of an object that it holds or was to read in; of
/// others what was saved since the daemon would have been told.
Result<std::map<std::string, EpochMs>> Verifier::objects_of(const Places::Org& org) {
  const auto told = ledger_.document("objects " + org.name);
  if (!told) return told.error();
  std::map<std::string, EpochMs> out;
  const auto time_of = [](const json::value& text) {
    return parse_datetime(std::string_view(text.as_string())).value_or(0);
  };
  if (const auto& since = told->at("listening_since"); since.is_string()) {
    for (const auto& object : org.own) out[object] = time_of(since);
  }
  for (const auto& [object, since] : told->at("since").as_object()) out[object] = time_of(since);
  for (const auto& object : org.objects) out[object] = 0;
  for (const auto& object : objects_[org.name]) out[object] = 0;
  return out;
}

Result<void> Verifier::compare_keys() {
  for (auto& target : places_.targets) {
    Work& mine = work(target_check(target.name));
    for (const auto& org : places_.orgs) {
      if (!mine.check.failed.empty()) break;
      Result<void> asked;
      auto done = target.reader->each_key(org.name, [&](std::span<const std::string> rkeys) {
        return asked = unknown_keys(mine, rkeys, "here");
      });
      if (!asked) return asked;
      if (!done) failed(mine, done.error());
    }
  }
  for (auto& org : places_.orgs) {
    if (!org.truth) continue;
    Work& mine = work(org_check(org.name));
    if (!mine.check.failed.empty()) continue;
    const auto objects = objects_of(org);
    if (!objects) return objects.error();
    Result<void> asked;
    auto done = org.truth->each_key(*objects, [&](std::span<const std::string> rkeys) {
      return asked = unknown_keys(mine, rkeys, "in the org");
    });
    if (!asked) return asked;
    if (!done) failed(mine, done.error());
  }
  return {};
}

}  // namespace headwater::verify
