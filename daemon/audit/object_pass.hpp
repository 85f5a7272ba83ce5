#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "connectors/salesforce/row.hpp"
#include "daemon/audit/options.hpp"
#include "daemon/audit/receipt.hpp"
#include "daemon/audit/row_walk.hpp"
#include "daemon/audit/rules.hpp"
#include "daemon/audit/tally.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/pipeline/org_task.hpp"
#include "daemon/verify/spool.hpp"

namespace headwater::audit {

/// What the passes of one org work with.
struct Bench {
  OrgTools& tools;
  salesforce::OrgReader& reader;
  AuditOptions options;
  /// How far each stream of the org is.
  std::function<std::vector<StreamProgress>()> streams;
  /// Most of an object's living records that may be found gone (design.md ruling 14).
  double sweep_share_max = 0.05;
};

/// One audit of one object.
///
///   keys    (Id, SystemModstamp, IsDeleted) of all records of the org, recycle bin included, page
///   by
///           page into a sorted spool on disk
///   merge   with the ledger's own keys: counts and checksums of both sides; who differs is a
///   suspect window  records saved since the last complete audit, all fields: those that differ
///   from the raw
///           image are suspects too (an update that was lost before one that was not leaves equal
///           stamps)
///   prove   suspects, some at a time, once every stream is past what was seen: read anew. Only
///   what
///           still differs, while org and ledger stood still, is a finding
///   refresh where values of formulas alone differ, which no event tells, the row that shows them
///   is
///           applied: it is no finding, and costs no call
///   unread  a row of which a value does not fit the field's type is compared with nothing: it is
///   counted,
///           and has a record hole of its own
///   heal    each finding is a record hole, refetched like any other; waits until they are closed,
///           and those that were open for a suspect before. What stays open is wrong still
///
/// In memory: one page, kSuspectsMax suspects, and ids gone up to the brake's share. A pass that a
/// restart interrupts begins again. Too many gone, or none to be seen at all: a withdrawn
/// permission looks like that; nothing is asked for, a `mass_delete` hole opens. The org worker's
/// thread.
class ObjectPass {
 public:
  struct Order {
    std::uint64_t run = 0;
    std::string object, by;
    bool repair = false;
    EpochMs window_from = 0;  ///< 0: all records are compared field by field
    /// The ledger claims every record of the object, as it read it in once. Else only those that
    /// were saved since `since`: older ones that it has never seen are none of its business.
    bool whole = false;
    EpochMs since = 0;
  };
  ObjectPass(Bench& bench, Order order);

  /// One page, or one bounded look. Error: Fatal, the ledger's.
  Result<Step> step();
  bool done() const { return phase_ == Phase::Done; }
  const Receipt& receipt() const { return receipt_; }
  /// For /status.
  std::string doing() const;

 private:
  enum class Phase : std::uint8_t { Begin, Keys, Merge, Window, Prove, Heal, Done };
  struct Suspect {
    Sight sight;
    int looks = 0;
  };
  struct Healing {
    std::string id;
    /// Its place in the receipt, or behind the last one. Nothing: no finding, as a hole was open.
    std::optional<std::size_t> finding;
    What what = What::Nothing;
  };

  Result<Step> work();
  Result<Step> begin();
  Result<Step> keys();
  Result<Step> merge();
  Result<Step> merge_rest();
  Result<Step> after_merge();
  Result<Step> window();
  Result<Step> prove();
  Result<Step> heal();
  Result<Step> finish();
  Result<RowWalk::Next> walk(const RowWalk::Visit& visit);
  Step after(RowWalk::Next next);
  Result<Step> met(const Error& error);
  Result<Step> begin_anew();
  Result<Step> fail(std::string note);

  bool next_row();
  void meet(const std::string& id,
            const std::optional<OrgRow>& row,
            const ledger::Standing* standing);
  Result<void> compare(const salesforce::RecordRow& row);
  Result<void> pass_over(const salesforce::RecordRow& row, const Error& unread);
  Result<void> look_again(const std::vector<RecordId>& ids);
  Result<void> judge_one(const RecordId& id,
                         const std::optional<ledger::Standing>& before,
                         const salesforce::RecordRow* row);
  void prove_one(const RecordId& id, What what, std::vector<std::string> fields, EpochMs stamp);
  void take_binned(const salesforce::RecordRow& row);
  void take_derived(const salesforce::RecordRow& row);
  void send_derived(const Version& noted);
  Result<void> open_holes(const Version& noted);
  Result<void> open_object_hole(std::string cause, std::string detail);
  Result<void> close_object_holes();
  void suspect_one(const std::string& id, const Sight& sight);
  bool claimed(EpochMs stamp) const { return order_.whole || stamp >= order_.since; }
  void leave(const Healing& healing);
  bool crowded() const { return suspects_.size() >= kSuspectsMax; }
  Step go(Phase phase);
  Step drain_then(Phase phase);
  std::uint64_t living() const;
  salesforce::CallTerms terms() const;
  const std::string& org() const { return bench_.tools.org; }
  EpochMs now() const { return bench_.tools.clock.now_ms(); }
  std::int64_t ticks() const { return bench_.tools.clock.monotonic_ms(); }

  static constexpr std::size_t kSuspectsMax = 5'000;

  Bench& bench_;
  const Order order_;
  ledger::AuditBook book_;
  Phase phase_ = Phase::Begin;
  Phase resume_ = Phase::Done;  // behind Prove and Heal
  Receipt receipt_;
  Tally tally_;

  salesforce::ObjectDescription description_;
  std::vector<std::string> fields_;
  bool shows_deleted_ = false;  // it has IsDeleted
  std::optional<salesforce::RowDecoder> decoder_;
  std::optional<RowWalk> walk_;
  salesforce::RecordRow decoded_;

  std::unique_ptr<verify::Spool> spool_;
  std::optional<verify::Spool::Pair> row_;  // the spool's next
  EpochMs keys_seen_at_ = 0;
  Rev keys_head_, look_head_;  // of the ledger, before the walk and before the look
  std::string ledger_at_;
  bool ledger_read_ = false;
  std::map<std::string, Suspect> suspects_;
  std::map<std::string, Sight> gone_;
  std::set<std::string> unread_;  // ids; at most kSuspectsMax
  std::string why_unread_;        // of the first one
  std::size_t gone_max_ = 0;
  bool mass_gone_ = false, began_anew_ = false;
  bool missed_ = false;  // a living record of ours is not in the org, and stays with us
  std::vector<ledger::Hole> holes_;
  std::optional<OwnedRows> binned_;   // proven gone, as the recycle bin shows them
  std::optional<OwnedRows> derived_;  // only formulas differ
  Version window_noted_;              // before the window was asked for
  std::vector<Healing> healing_;
  std::uint64_t left_open_ = 0;  // holes of wrong records that did not close

  std::string waits_for_;
  std::int64_t retry_at_ = 0, waiting_since_ = 0;
  int failures_ = 0;
};

}  // namespace headwater::audit
