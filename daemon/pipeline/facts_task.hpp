#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "daemon/pipeline/org_task.hpp"

namespace headwater {

/// Learns of objects and record types that appeared after the start. A stream of all objects tells
/// of a new one by itself; but which object an id belongs to is known by its key prefix, so lookups
/// to the new object name none until the org was asked. In the same way a record of a new type has
/// no `record_type` until then. Facts that changed project the org's records again.
///
/// Asked once per object that has records and is not known, and per record type that a record has.
/// Again only after an hour: an object may be hidden from the user. All objects and record types
/// are asked for every hour: names of types may change and nothing tells, and who orders an object
/// to be read again is told whether there is one. One that somebody names (want_object) is looked
/// for at once. One thread.
class FactsTask final : public OrgTask {
 public:
  explicit FactsTask(OrgTools& tools) : tools_(tools) {}
  std::string_view name() const override { return "facts"; }
  Result<Step> step() override;

 private:
  bool is_unknown_object_there();
  Result<bool> is_object_wanted();
  bool is_unknown_type_there();
  Result<void> learn(bool objects, bool types);

  OrgTools& tools_;
  std::set<std::string, std::less<>> asked_, asked_types_;
  std::int64_t next_ = 0;       // monotonic ms
  std::int64_t ask_again_ = 0;  // monotonic ms; 0: not yet looked, all was asked for at the start
};

/// Has the org's list of objects asked for anew within seconds: somebody names one that is not on
/// it. Any thread.
Result<void> want_object(ledger::Ledger& ledger, std::string_view org, std::string_view object);

}  // namespace headwater
