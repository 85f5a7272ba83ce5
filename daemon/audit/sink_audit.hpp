#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
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
///          content
///   again  suspects once more, a moment later: what still differs is a finding
///   heal   findings are told again (AuditBook::restate), which reaches every sink; once the cursor
///          is past that, they are looked at a third time
///
/// A record of the target that the ledger has never seen is not looked for: `headwater audit
/// --sinks` does that. In memory: a page of both, and kSuspectsMax keys. A pass that meets an
/// error, or a restart, begins again later. One thread of its own.
class SinkAudit {
 public:
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
  };
  explicit SinkAudit(Parts parts);
  Step step();

  /// Receipts of sinks are kept under this word in the org's place.
  static constexpr const char* kOrg = "sinks";

 private:
  enum class Phase : std::uint8_t { Idle, Walk, Again, Heal };
  Result<Step> work();
  Result<Step> idle();
  Result<Step> walk();
  Result<Step> again();
  Result<Step> heal();
  Step end(Receipt::Result result, std::string note);
  Result<void> read_cursors();
  bool owed(const verify::LedgerRecord& record) const;
  /// Of these records those that the target holds wrongly. REQUIRES: the cursors were read after
  /// the records, and before this.
  Result<std::vector<std::string>> wrong(const std::vector<verify::LedgerRecord>& records);
  Result<std::vector<verify::LedgerRecord>> records(std::span<const std::string> rkeys) const;

  static constexpr std::size_t kSuspectsMax = 2'000;

  Parts parts_;
  ledger::AuditBook book_;
  Receipts receipts_;
  std::unique_ptr<TargetReader> reader_;
  Phase phase_ = Phase::Idle;
  std::int64_t wait_until_ = 0;  // monotonic ms
  EpochMs due_ = 0;              // 0: not yet known
  Receipt receipt_;
  std::string after_;
  std::vector<std::pair<std::string, std::optional<Cursor>>> cursors_;  // by org
  std::vector<std::string> suspects_, findings_;
  std::int64_t heal_until_ = 0;
};

}  // namespace headwater::audit
