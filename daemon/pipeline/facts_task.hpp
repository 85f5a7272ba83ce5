#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "daemon/pipeline/org_task.hpp"

namespace headwater {

/// Learns of objects that appeared after the start. A stream of all objects tells of a new one by
/// itself; but which object an id belongs to is known by its key prefix, so lookups to the new
/// object name none until the org was asked. Facts that changed project the org's records again.
///
/// Asked once per object that has records and is not known, and again only after an hour, for an
/// object may be hidden from the user. One thread.
class FactsTask final : public OrgTask {
 public:
  explicit FactsTask(OrgTools& tools) : tools_(tools) {}
  std::string_view name() const override { return "facts"; }
  Result<Step> step() override;

 private:
  bool is_unknown_object_there();

  OrgTools& tools_;
  std::set<std::string, std::less<>> asked_;
  std::int64_t next_ = 0;       // monotonic ms
  std::int64_t ask_again_ = 0;  // monotonic ms
};

}  // namespace headwater
