#pragma once

#include <string>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "daemon/pipeline/org_task.hpp"

namespace headwater {

/// Finds out what became of deleted records (daemon/ledger/fates.hpp):
///
///   records that refer to them -> holes, page by page; the refetch task closes those
///   then: SELECT Id, IsDeleted, MasterRecordId, deleted rows too -> the ledger tells of merges
///
/// The first question is asked at once, further ones together, every kAskEvery: an org that
/// deletes all day pays few requests. A record that the org does not show any more left the recycle
/// bin: it was deleted, and no more can be learned. What cannot be asked is tried again later and
/// never given up; nothing is deleted by an answer. One thread.
class DeleteCheckTask final : public OrgTask {
 public:
  DeleteCheckTask(OrgTools& tools, salesforce::OrgReader& reader);
  std::string_view name() const override { return "delete_check"; }
  Result<Step> step() override;

 private:
  Result<void> ask(const std::string& object, const std::vector<ledger::Hole>& holes);
  Result<std::vector<ledger::Fate>> read_fates(const std::string& object,
                                               const std::vector<ledger::Hole>& holes);

  OrgTools& tools_;
  salesforce::OrgReader& reader_;
  observe::Counter asked_, merged_;
  std::int64_t next_ask_ = 0;  // monotonic ms
};

}  // namespace headwater
