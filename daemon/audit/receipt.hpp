#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/audit/rules.hpp"
#include "daemon/audit/tally.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "schemas/core/result.hpp"

namespace headwater::audit {

/// One record that the audit proved the ledger wrong about.
struct Finding {
  std::string id;
  What what = What::Nothing;
  std::vector<std::string> fields;  ///< that differed; names only
  bool healed = false;              ///< read again, and applied
};

/// What one audit of one object saw: kept in the ledger, the last 100 per object.
struct Receipt {
  enum class Result : std::uint8_t {
    Equal,      ///< nothing is wrong
    Repaired,   ///< all that was found is healed
    Different,  ///< found, and not (yet) healed: see the note
    Partial,    ///< of what could be read nothing is wrong any more; some rows could not
    Failed,     ///< could not look: see the note
  };
  std::uint64_t run = 0;
  std::string org, object;
  std::string by;       ///< `schedule`, or a person
  bool repair = false;  ///< findings were healed, not only listed
  EpochMs started_at = 0, ended_at = 0;
  EpochMs window_from = 0;           ///< records saved since were compared field by field; 0: all
  std::uint64_t compared = 0;        ///< so many
  std::uint64_t binned = 0;          ///< seen in the recycle bin
  std::uint64_t before_start = 0;    ///< unknown records from before we listened: not claimed
  Sum org_side, ledger_side;         ///< living records
  std::vector<Tally::Month> months;  ///< those that differ, the first ones
  std::uint64_t suspects = 0, proven = 0, healed = 0;
  std::uint64_t known = 0;      ///< wrong, but no finding: holes of them were, and are still, open
  std::uint64_t unsettled = 0;  ///< moved at every look: read again to be sure, no finding
  std::uint64_t derived = 0;    ///< old values of formulas alone: refreshed if repair, no finding
  std::uint64_t unread = 0;     ///< a value does not fit its field's type: compared with nothing
  std::uint64_t api_calls = 0;
  Result result = Result::Failed;
  std::string note;
  std::vector<Finding> findings;  ///< the first kFindingsMax
  static constexpr std::size_t kFindingsMax = 1'000;

  /// Differences per million records of the org; of a sink, per million that were compared.
  double drift_ppm() const;
  std::string json() const;
};
std::string_view to_string(Receipt::Result result);  ///< `equal repaired different partial failed`

/// What a later audit needs of an earlier one.
struct LastAudit {
  EpochMs started_at = 0, ended_at = 0;
  bool complete = false;  ///< it could look
  /// All that it found is healed. Else the next one must look at its window again: a field that
  /// differs need not show in the stamps.
  bool settled = false;
  EpochMs window_from = 0;  ///< as Receipt::window_from
};

/// The receipts of a ledger. Thread-safe.
class Receipts {
 public:
  explicit Receipts(ledger::Ledger& ledger) : book_(ledger) {}
  /// Keeps it, and lets go of the oldest beyond 100 of its object.
  ::headwater::Result<void> add(const Receipt& receipt);
  /// As JSON, oldest first. `object` empty: all of the org.
  ::headwater::Result<std::vector<std::string>> list(std::string_view org,
                                                     std::string_view object) const;
  /// Nothing: never audited.
  ::headwater::Result<std::optional<LastAudit>> last(std::string_view org,
                                                     std::string_view object,
                                                     bool complete) const;

 private:
  ledger::AuditBook book_;
};

}  // namespace headwater::audit
