#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"

namespace headwater::audit {

/// How many records, and an order-free checksum of (id, SystemModstamp second): the sum of 64-bit
/// hashes, modulo 2^64. Equal sums of equal counts: the same set, but for an accident of 2^-64.
struct Sum {
  std::uint64_t rows = 0;
  std::uint64_t checksum = 0;
  void add(const RecordId& id, EpochMs stamp);
  friend bool operator==(const Sum&, const Sum&) = default;
};

/// The org's living records beside those that the ledger accounts for, by month of SystemModstamp.
///
/// The ledger does not know a record's SystemModstamp, only the commit second of what told it. So a
/// record that both have, and of which the ledger knows something at least as new as the org's
/// stamp, counts on both sides under the org's stamp; any other counts on its own side alone, and
/// the month differs. Pure.
class Tally {
 public:
  void both(const RecordId& id, EpochMs stamp);
  void org_alone(const RecordId& id, EpochMs stamp);
  /// `known_to`: the newest second that the ledger knows of it.
  void ledger_alone(const RecordId& id, EpochMs known_to);

  struct Month {
    std::string name;  ///< `2026-03`
    Sum org, ledger;
  };
  const Sum& org() const { return org_; }
  const Sum& ledger() const { return ledger_; }
  /// Months whose sides differ, oldest first, at most `most`.
  std::vector<Month> differing(std::size_t most) const;

 private:
  std::map<std::string, Month> months_;
  Month& month(EpochMs stamp);
  Sum org_, ledger_;
};

}  // namespace headwater::audit
