#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/ledger/ledger.hpp"
#include "tests/sim/source.hpp"
#include "tests/sim/targets.hpp"

namespace headwater::sim {

/// An entry as the journal showed it.
struct Told {
  std::uint64_t rev = 0;
  std::string key, text;
  bool record = true;
  std::uint32_t poison = 0;  ///< a bit per target that refuses it
};

/// Looks at one ledger, and at what the targets have of it, after every step, and throws a
/// Violation when a promise is broken (engineering.md section 3.2):
///
///   visible      what head() showed once is there after every crash, rev by rev
///   position     never ahead of the data: all events up to it are in the record states
///   image        a record that is complete and not in doubt is, field by field, what the org had
///                at one of its changes; and never an earlier one than before
///   deletion     a record told as deleted comes back only by a later change
///   cursor       never ahead of the target's data; on the changes topic of no entry
///   owed         a changes topic that follows the journal and lost nothing is never given states
///                instead: what it is owed is kept for it
///
/// The promise of the end is rest(): everything equal.
class Watch {
 public:
  Watch(World& world, const SimOrg& org, Subscriptions& subscriptions)
      : world_(world), org_(org), subscriptions_(subscriptions) {}

  /// The ledger was opened again; `older_copy`: over a state directory from before.
  void reopened(ledger::Ledger& ledger, bool older_copy);
  /// Takes what the ledger, a copy of another, has told before; its doubts of then are not known.
  void adopt(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets);
  void look(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets);
  /// Cursors that `holder` keeps in the targets.
  void look_at_cursors(ledger::Ledger& ledger,
                       const std::string& holder,
                       const std::vector<SimTarget*>& targets);
  /// A target lost what it had: its cursor and data are looked at from the start.
  void forget(const SimTarget& target);

  /// All is at rest: ledger and targets are what the org is. `history`: so is every changes topic.
  void rest(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets, bool history);
  std::size_t entries() const { return journal_.size(); }

 private:
  /// As of when a record stands in the ledger.
  struct Level {
    bool known = false, deleted = false;
    std::uint64_t seq = 0;
  };
  void read_journal(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets, bool check);
  /// It tells of its record what was told last.
  bool says_nothing_new(const EntryView& entry) const;
  void note(const EntryView& entry, const std::vector<SimTarget*>& targets, bool check);
  void note_values(const std::string& key, const ImageView& image);
  void check_image(const EntryView& entry);
  std::function<bool(std::size_t)> hidden_of(const SimRecord& record, const ImageView& image) const;
  void check_position(ledger::Ledger& ledger);
  void check_event(ledger::Ledger& ledger, std::size_t index);
  void check_truth(ledger::Ledger& ledger, const SimRecord& record);
  void check_lost(const ledger::Ledger& ledger,
                  const std::string& key,
                  EpochMs first,
                  EpochMs last);
  void check_silences(const ledger::Ledger& ledger);
  void check_findings(ledger::Ledger& ledger);
  bool of_hidden(const SimObject& object, const boost::json::value& fields) const;
  bool was_owed(const SimRecord& record, std::optional<std::uint64_t> seq) const;
  void check_row(ledger::Ledger& ledger,
                 const SimTarget& target,
                 std::size_t number,
                 const std::string& key);
  static void check_quarantined(const ledger::Ledger& ledger,
                                const SimTarget& target,
                                const RecordKey& key);
  bool is_refused(const std::string& key, std::size_t number) const;
  void check_skipped(const ledger::Ledger& ledger, const SimTarget& target, std::size_t number);
  void check_history(const SimTarget& target, std::size_t number);
  void check_last_told(ledger::Ledger& ledger, const SimTarget& target, std::size_t number);
  static void check_repeats(const std::vector<Message>& partition);
  void check_topic(const SimTarget& target, std::size_t number, std::uint64_t upto);
  void check_owed(const SimTarget& target);
  Level level(ledger::Ledger& ledger, const std::string& rkey);
  void read_holes(const ledger::Ledger& ledger);
  /// The highest rev that the ledger is known to have shown.
  std::uint64_t seen() const { return journal_.empty() ? dropped_ : journal_.back().rev; }
  bool in_doubt(const std::string& rkey) const {
    return holes_.contains(rkey) || subscriptions_.lost.contains(rkey) ||
           org_.untold().contains(rkey);
  }

  World& world_;
  const SimOrg& org_;
  Subscriptions& subscriptions_;
  std::vector<Told> journal_;
  std::uint64_t dropped_ = 0;  // the head of a copied ledger that kept nothing of its journal
  std::map<std::string, std::size_t> latest_;  // by record key: place in journal_
  std::set<std::string> gone_in_doubt_;        // deleted while a refetch was or may have been owed
  std::map<std::string, std::uint64_t> reached_;  // by record key: the change last told of
  std::set<std::string> holes_;
  std::set<std::pair<std::string, std::string>> valued_;  // record keys with fields
  std::size_t verified_events_ = 0;
  struct Topic {
    std::vector<std::size_t> read;  // by partition
    std::set<std::pair<std::string, std::uint64_t>> messages;
    std::uint64_t verified = 0;
    std::uint64_t cursor = 0;
    std::uint64_t follows = 0;  // its cursor, once that moved by the journal; 0: not yet
  };
  std::map<std::string, Topic> topics_;  // by target
  EntryBatch batch_;
};

}  // namespace headwater::sim
