#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/audit/desk.hpp"
#include "daemon/audit/object_pass.hpp"
#include "daemon/audit/receipt.hpp"
#include "daemon/pipeline/org_objects.hpp"

namespace headwater::audit {

/// The audit of one org: each object that it has for us (org_objects.hpp) every `audit.every`, and
/// when a person asks. Of one that nothing was ever heard of only what was saved since we listen
/// for it is claimed: the rest nobody asked for. One object at a time, one page at a time, behind
/// all other work of the org; its API calls are the first that the quota governor withholds.
class AuditTask final : public OrgTask {
 public:
  struct Parts {
    Bench bench;
    Desk& desk;
    ObjectsAsked asked;
    /// True: the ledger read all records of the object in once, so it claims every one.
    std::function<bool(const std::string& object)> whole;
    bool reads_in = false;  ///< a stream starts with a snapshot of the objects asked for
  };
  explicit AuditTask(Parts parts);

  std::string_view name() const override { return "audit"; }
  Result<Step> step() override;

 private:
  struct Objects {
    std::map<std::string, EpochMs> since;  ///< since when what is saved of each is claimed
    std::set<std::string> hidden;          ///< selected, but the org does not show it to our user
  };
  struct Ordered {
    Desk::Order order;
    std::vector<std::string> objects;  ///< still to do, the last one first
  };
  Result<void> bring_up();
  Result<void> listen();
  Result<bool> choose();
  Result<bool> choose_due();
  Result<void> start(const std::string& object, EpochMs since, const Desk::Order& order);
  Result<void> end();
  Result<Objects> objects() const;
  EpochMs due_at(const std::string& object, bool hidden) const;
  bool being_read(const std::string& object) const;

  Parts parts_;
  Receipts receipts_;
  bool up_ = false;
  EpochMs since_ = 0;                      // when this ledger began to listen to the org
  std::map<std::string, LastAudit> last_;  // by object: the last one of any result
  std::optional<Ordered> ordered_;
  bool by_order_ = false;  // the pass that runs is of ordered_
  std::unique_ptr<ObjectPass> pass_;
};

}  // namespace headwater::audit
