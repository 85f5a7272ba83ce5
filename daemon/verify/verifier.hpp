#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connectors/target_reader.hpp"
#include "daemon/verify/compare.hpp"
#include "daemon/verify/event_view.hpp"
#include "daemon/verify/ledger_view.hpp"
#include "daemon/verify/log_view.hpp"
#include "daemon/verify/truth.hpp"

namespace headwater::verify {

/// Where records are held, and what of them may be looked at.
struct Places {
  struct Org {
    std::string name;
    std::unique_ptr<Truth> truth;   ///< null: the org is not asked
    std::set<std::string> objects;  ///< looked for in the org besides those that the ledger holds
    std::set<std::string> own;  ///< of streams of one object: since the daemon listens to the org
  };
  struct Target {
    std::string name;  ///< of the sink
    std::unique_ptr<TargetReader> reader;
  };
  struct Log {
    std::string name;
    std::unique_ptr<kafka::LogReader> reader;
    bool transactions = false;  ///< then there is no excuse for a late repeat
    bool history = true;        ///< look at the changes topics
  };
  std::vector<Org> orgs;
  std::vector<Target> targets;
  std::vector<Log> logs;
  bool platform_events = false;  ///< a stream brings them: compare them too
};

struct Difference {
  std::string check;  ///< `postgres = ledger`
  std::string rkey;   ///< or empty
  std::string what;
};

/// One comparison and how it came out.
struct Check {
  std::string name;
  std::uint64_t compared = 0;
  std::uint64_t different = 0;
  /// Records that moved on at every look, or that a sink has still to be told: neither equal nor
  /// wrong.
  std::uint64_t moving = 0;
  std::uint64_t unread = 0;  ///< records whose row in the org could not be read
  std::string note;          ///< for the line of a report
  std::string failed;        ///< why it could not be done; empty: it was
};

/// A record that a sink's target holds wrongly.
struct Wrong {
  std::string sink, rkey, what;
  std::uint64_t ahead = 0;  ///< the rev that it holds, if that is greater than the ledger's
};

struct Outcome {
  std::vector<Check> checks;
  std::vector<Difference> differences;   ///< the first ones
  std::vector<Difference> unread;        ///< the first records that could not be compared, and why
  boost::json::value holes, quarantine;  ///< the open ones, as the daemon lists them
  boost::json::value story;              ///< of the first difference's record; null: none
  std::vector<Wrong> wrong;              ///< the first kWrongMax
  std::vector<std::string> restated;     ///< those that were told again before this comparison
  bool equal() const;
  bool could_check() const;
  /// Sink and rkey of open holes whose records came out equal.
  std::vector<std::pair<std::string, std::string>> proven() const;
};

struct Patience {
  Millis wait{
      30'000};  ///< how long a record that differs may take to stand still, or a cursor to come
  Wording wording;
};

/// Compares the org's truth, the ledger and every target.
///
///   note every cursor; walk the ledger in key order, page by page: read the same records
///   everywhere; then every target's own keys: are they known to the ledger, and alive? what
///   differs is looked at again until it is equal, certain, or the wait is over:
///     ledger's rev r before and after; cursor c of the target read before it; the target's rev t
///     r moved: again.   t > r: the target is ahead.   t = r: its content counts, at once.
///     t < r <= c: the cursor is ahead of the data, at once.   t < r, c < r: behind: again
///     what moves or is behind to the end is counted apart: the check could not be made whole
///     no cursor, or another ledger's: it may still be owed: again
///
/// Bounded: a page of each place, the spool of a log's facts, and at most kSuspectsMax records that
/// differ per check. Never writes. One thread.
class Verifier {
 public:
  /// What differs beyond these is looked at a second time at once, and what moves then is left out;
  /// once so many are certain, the rest is too.
  static constexpr std::size_t kSuspectsMax = 1'000;
  static constexpr std::size_t kDifferencesMax = 20;
  /// Names of wrong records that are kept. A target with more has lost its data: it is filled anew.
  static constexpr std::size_t kWrongMax = 10'000;

  /// `clock` must outlive it.
  Verifier(LedgerView ledger, Places places, Patience patience, const Clock& clock);
  /// Errors: the daemon cannot be asked. What else cannot be reached is a failed check.
  Result<Outcome> run();

 private:
  /// Moving: the next look may find it equal, and if none does, it still is no fault. Unsettled: as
  /// long as there is time, then it is one. Unread: nothing to compare it with.
  enum class Judgement : std::uint8_t { Equal, Different, Unsettled, Moving, Unread };
  /// One check with the records that it is not sure of.
  struct Work {
    Check check;
    std::map<std::string, std::string> suspects;   ///< rkey -> what differs
    std::set<std::string> moving;                  ///< of the suspects, at the last look
    std::map<std::string, std::uint64_t> cursors;  ///< org -> rev, read before the data
    std::map<std::string, std::uint64_t> strays;   ///< rkey -> its rev at the last look
    std::set<std::string> strays_told;
    std::set<std::string> unread;  ///< rkeys
  };

  static constexpr const char* kCursors = "cursors and positions";  // the check's name

  Work& work(const std::string& name) { return works_[name]; }
  void differ(Work& work, const std::string& rkey, std::string what);
  void suspect(Work& work, const std::string& rkey, std::string what);
  void unread(Work& work, const std::string& rkey, std::string why);
  void failed(Work& work, const Error& error);
  Work& check_of(Work& suspected, const std::string& what);

  Result<void> open_places();
  Result<void> check_cursor(const std::string& name,
                            const std::string& org,
                            const std::optional<Cursor>& cursor);
  Result<bool> owed_round();
  Result<std::optional<Cursor>> log_cursor(Places::Log& log, const std::string& org);
  Result<void> walk();
  Result<void> compare_page(const LedgerView::Page& page);
  Result<void> compare_target(std::size_t target, const std::vector<LedgerRecord>& records);
  Result<void> compare_org(std::size_t org, const std::vector<LedgerRecord>& records);
  void compare_log(std::size_t log, const std::vector<LedgerRecord>& records, bool last);
  Result<void> compare_keys();
  Result<std::map<std::string, EpochMs>> objects_of(const Places::Org& org);
  Result<void> unknown_keys(Work& work, std::span<const std::string> rkeys, const char* where);
  Result<void> compare_events();
  Result<void> events_of_ledger(EventView& view, Check& check);
  Result<void> events_of_log(Places::Log& log, EventView& view, Check& check);
  Result<void> settle();
  Result<bool> settle_round();
  Result<bool> strays_round();
  Result<Judgement> judge_again(const std::string& name,
                                const std::string& rkey,
                                std::string& what);
  Result<Judgement> judge_target(std::size_t target, const std::string& rkey, std::string& what);
  Result<bool> lacks_last_change(const std::optional<LedgerRecord>& record,
                                 const TrueRecord& truth);
  Result<Judgement> judge_org(std::size_t org, const std::string& rkey, std::string& what);
  Result<Judgement> judge_log(std::size_t log, const std::string& rkey, std::string& what);
  Result<boost::json::value> story_of(const Difference& difference);
  EpochMs newest_commit(const boost::json::value& status, const std::string& org) const;

  LedgerView ledger_;
  Places places_;
  const Patience patience_;
  const Clock& clock_;
  std::map<std::string, Work> works_;
  /// What is wrong with the cursor of (place, org), though it may only be late: a sink writes it
  /// behind its data.
  std::map<std::pair<std::string, std::string>, std::string> owed_cursors_;
  std::vector<std::unique_ptr<LogView>> logs_;
  std::vector<std::optional<LogStory>> log_ahead_;
  std::vector<Difference> differences_;
  std::vector<Difference> unread_;
  std::map<std::pair<std::string, std::string>, std::string> wrong_;    // (sink, rkey) -> what
  std::map<std::pair<std::string, std::string>, std::uint64_t> ahead_;  // the same -> its rev
  std::map<std::string, std::set<std::string>> objects_;  // by org, that the ledger holds
  std::string ledger_id_;
};

/// What a target's or log's rev, against the ledger's rev and the cursor, says.
std::string rev_difference(std::uint64_t held, std::uint64_t ledger, std::uint64_t cursor);

}  // namespace headwater::verify
