#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "connectors/target_reader.hpp"
#include "daemon/audit/desk.hpp"
#include "daemon/audit/options.hpp"
#include "daemon/audit/receipt.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/step.hpp"
#include "daemon/verify/compare.hpp"

namespace headwater::audit {

/// One sink's target against the ledger, every `audit.every`.
///
///   walk   the ledger's states in key order, a page a step and no faster than kPageMs apiece. What
///          lies at or below the target's cursor must be there: its rev, alive or deleted, its
///          content. With kSuspectsMax suspects: again and heal, then on from there
///   again  suspects once more, a moment later, and what earlier passes left open: what still
///          differs is a finding, and a hole of cause `sink_drift`
///   heal   findings are told again (AuditBook::restate), which reaches every sink; once the cursor
///          is past that, they are looked at a third time. What is right then closes its hole, with
///          the rev and the cursor as evidence; what is not is looked at again within kRetryMs
///
/// What the sink refused for good stands in quarantine, where the record's next change or a person
/// finds it: it is counted as known, and neither a finding nor told again.
///
///   sweep  once per birth of the ledger, behind its snapshots and once the target is filled:
///          records that the target holds and the ledger has never seen went while no ledger knew
///          (or somebody else wrote them). Each is a hole `sink_stray`, asked of the org by id:
///          told as deleted, or read in
///
/// A log is not walked, as every question reads all of it: it is swept, and looked at again where
/// holes are open. In memory: a page of both, and kSuspectsMax keys. A pass that meets an
/// error, or a restart, begins again later; holes outlive it. One thread of its own.
class SinkAudit {
 public:
  /// How far the objects are read in, each `org:Object`.
  struct Snapshots {
    std::set<std::string> read_in;
    bool all = false;      ///< that the configuration asks for
    bool filling = false;  ///< the target has still much to be told: a sweep would take its time
  };
  struct Parts {
    std::string sink;
    std::vector<std::string> orgs;
    std::function<std::unique_ptr<TargetReader>()> make;
    ledger::Ledger& ledger;
    AuditOptions options;
    Desk& desk;
    const Clock& clock;
    observe::Part& health;
    observe::Metrics& metrics;
    std::function<Snapshots()> snapshots;  ///< nothing: never swept
  };
  explicit SinkAudit(Parts parts);
  Step step();

  /// Receipts of sinks are kept under this word in the org's place.
  static constexpr const char* kOrg = "sinks";

 private:
  enum class Phase : std::uint8_t { Idle, Sweep, Walk, Again, Heal };
  enum class Look : std::uint8_t {
    NotOwed,  ///< the cursor is before it, or it moved on since its state was read
    Right,
    Wrong,
    Refused  ///< wrong, but the sink refused it: it waits in quarantine, and is told by that
  };
  struct Looked {
    std::string rkey;
    Rev rev;  ///< of the ledger's record
    Look look = Look::NotOwed;
    std::string what;  ///< is wrong: names, never values
    Rev above = {};    ///< a rev there that we never gave: it would refuse what we tell
  };

  Result<Step> work();
  Result<Step> idle();
  Result<bool> is_due();
  Result<void> begin(EpochMs now);
  Result<Step> walk();
  Result<Step> again();
  Result<Step> heal();
  Step end(Receipt::Result result, std::string note);
  Result<void> read_cursors();
  bool owed(const verify::LedgerRecord& record) const;
  /// How the target holds these records. REQUIRES: the cursors were read after the records, and
  /// before this.
  Result<std::vector<Looked>> look(const std::vector<verify::LedgerRecord>& records);
  /// Reads them from the ledger, then the cursors, and looks.
  Result<std::vector<Looked>> look_at(std::span<const std::string> rkeys);
  Result<void> open_holes(std::span<const Looked> wrong);
  Result<void> close_proven(std::span<const Looked> looked);
  Result<void> set_refused_apart(std::vector<Looked>& looked) const;
  void read_holes();
  void name(const Looked& finding, bool healed);
  Result<Step> go_on();
  // sink_sweep.cpp
  Result<bool> sweep_owed();
  Result<Step> sweep();
  Result<void> find_strays(std::span<const std::string> rkeys, std::set<std::string>& strays);
  Result<void> open_strays(std::span<const Looked> found);
  Result<Step> after_sweep();
  std::size_t look_max() const;

  static constexpr std::size_t kSuspectsMax = 2'000;
  /// How long the org may take to say what became of them.
  static constexpr std::int64_t kStrayPatienceMs = 5 * 60'000;

  Parts parts_;
  const bool log_;
  ledger::AuditBook book_;
  Receipts receipts_;
  std::unique_ptr<TargetReader> reader_;
  Phase phase_ = Phase::Idle;
  std::int64_t wait_until_ = 0;  // monotonic ms
  EpochMs due_ = 0;              // 0: not yet known
  Receipt receipt_;
  std::string after_;
  std::vector<std::pair<std::string, std::optional<Cursor>>> cursors_;  // by org
  std::vector<std::string> suspects_;
  std::vector<Looked> findings_;               // of this piece of the walk
  std::map<std::string, ledger::Hole> holes_;  // open ones of this sink, by rkey
  std::int64_t heal_until_ = 0;
  // The sweep.
  std::string swept_of_;  // the ledger's id then
  std::set<std::string> swept_, sweeping_;
  std::int64_t sweep_at_ = 0;
  std::size_t strays_left_ = 0;
  bool more_strays_ = false, sweep_failed_ = false;
};

}  // namespace headwater::audit
