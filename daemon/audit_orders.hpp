#pragma once

#include <string>
#include <vector>

#include "daemon/audit/desk.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/runtime/control.hpp"

namespace headwater {

/// What a person asks of the audit, over the control socket. Main's thread.
///
///   audit start by=WHO org=NAME|* object=NAME|* [repair] [full]   -> {"run": N}
///   audit show N                          -> {"run","done","doing","receipts"}; refused once an
///       org that still has to audit has stopped for good
///   audit receipts org=NAME|* object=NAME|*  -> [receipts, oldest first]
///   audit drift by=WHO sink=NAME KEY WHAT\tKEY WHAT…  -> {"restated": N}: the sink holds these
///   records
///       wrongly. Each is a hole from now on, and told again to every sink
///   audit proven by=WHO sink=NAME KEY\tKEY…  -> {"closed": N}: read anew, these are right
///
/// An audit spends the org's API requests, and telling records again writes to every sink: both
/// need the right to operate.
class AuditOrders {
 public:
  AuditOrders(audit::Desk& desk,
              ledger::Ledger& ledger,
              const observe::Health& health,
              std::vector<std::string> orgs)
      : desk_(desk), ledger_(ledger), health_(health), orgs_(std::move(orgs)) {}
  /// `arguments`: what follows `audit`. The answer is a JSON document.
  std::string answer(const std::string& arguments, const runtime::Peer& peer);

 private:
  std::string start(std::string_view line, const runtime::Peer& peer);
  std::string show(std::string_view line) const;
  std::string receipts(std::string_view line) const;
  std::string drift(std::string_view line, const runtime::Peer& peer);
  std::string proven(std::string_view line, const runtime::Peer& peer);
  /// Of `org=`: one, or all; none: no such org.
  std::vector<std::string> orgs_of(const std::string& name) const;

  audit::Desk& desk_;
  ledger::Ledger& ledger_;
  const observe::Health& health_;
  const std::vector<std::string> orgs_;
};

}  // namespace headwater
