#pragma once

#include <string>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "tests/sim/org.hpp"

namespace headwater::sim {

/// Queries over the org as it is at one moment of the call: of key sets, as read jobs send them,
/// and of ids, which ask what became of deleted records (nobody merges here). Bulk jobs, whose rows
/// come in small pages, and which take their time.
class SimReader final : public salesforce::OrgReader {
 public:
  SimReader(World& world, SimOrg& org) : world_(world), org_(org) {}

  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t records_max,
                                      const salesforce::CallTerms& terms) override;
  Result<salesforce::QueryPage> query_next(const std::string& next,
                                           const salesforce::CallTerms& terms) override;
  Result<salesforce::OrgLimits> limits(const salesforce::CallTerms& terms) override;
  Result<std::uint64_t> count(const salesforce::Selection& selection,
                              const salesforce::CallTerms& terms) override;
  Result<salesforce::DeletionLog> deletions(const std::string& object,
                                            EpochMs from,
                                            EpochMs to,
                                            const salesforce::CallTerms& terms) override;
  Result<salesforce::BulkJob> create_job(const salesforce::Selection& selection,
                                         const salesforce::CallTerms& terms) override;
  Result<salesforce::BulkJob> job(const std::string& id,
                                  const salesforce::CallTerms& terms) override;
  Result<salesforce::BulkJob> wait_for_job(const std::string& id,
                                           const salesforce::CallTerms& terms) override;
  Result<salesforce::BulkPage> job_page(const std::string& id,
                                        std::span<const std::string> fields,
                                        const std::string& locator,
                                        std::size_t records_max,
                                        const salesforce::CallTerms& terms) override;
  Result<void> abort_job(const std::string& id, const salesforce::CallTerms& terms) override;
  Result<void> delete_job(const std::string& id, const salesforce::CallTerms& terms) override;

 private:
  std::optional<Error> call(std::string_view what);
  std::vector<const SimRecord*> selected(const salesforce::Selection& selection) const;
  void finish(SimJob& job);

  World& world_;
  SimOrg& org_;
};

}  // namespace headwater::sim
