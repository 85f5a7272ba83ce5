#pragma once

#include <fmt/format.h>

#include <string>

#include "connectors/salesforce/org_reader.hpp"
#include "tests/sim/org.hpp"

namespace headwater::sim {

/// What the org says of deleted records: nobody merges here. It is asked for nothing else.
class SimReader final : public salesforce::OrgReader {
 public:
  SimReader(World& world, SimOrg& org) : world_(world), org_(org) {}

  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t,
                                      const salesforce::CallTerms&) override {
    world_.point("api.query");
    world_.meanwhile();
    if (world_.roll(world_.faults.api)) return transient("rest: HTTP 503");
    salesforce::QueryPage page;
    for (const auto& [key, record] : org_.records()) {
      if (record.object->name != selection.object) continue;
      if (selection.where.find(record.id) == std::string::npos) continue;
      page.records.push_back(fmt::format(R"({{"Id":"{}","IsDeleted":{},"MasterRecordId":null}})",
                                         record.id,
                                         record.now().deleted));
    }
    page.total = page.records.size();
    world_.meanwhile();  // the answer is on its way, and already old
    return page;
  }
  Result<salesforce::QueryPage> query_next(const std::string&,
                                           const salesforce::CallTerms&) override {
    return refused();
  }
  Result<salesforce::OrgLimits> limits(const salesforce::CallTerms&) override { return refused(); }
  Result<std::uint64_t> count(const salesforce::Selection&, const salesforce::CallTerms&) override {
    return refused();
  }
  Result<salesforce::DeletionLog> deletions(const std::string&,
                                            EpochMs,
                                            EpochMs,
                                            const salesforce::CallTerms&) override {
    return refused();
  }
  Result<salesforce::BulkJob> create_job(const salesforce::Selection&,
                                         const salesforce::CallTerms&) override {
    return refused();
  }
  Result<salesforce::BulkJob> job(const std::string&, const salesforce::CallTerms&) override {
    return refused();
  }
  Result<salesforce::BulkJob> wait_for_job(const std::string&,
                                           const salesforce::CallTerms&) override {
    return refused();
  }
  Result<salesforce::BulkPage> job_page(const std::string&,
                                        std::span<const std::string>,
                                        const std::string&,
                                        std::size_t,
                                        const salesforce::CallTerms&) override {
    return refused();
  }
  Result<void> abort_job(const std::string&, const salesforce::CallTerms&) override { return {}; }
  Result<void> delete_job(const std::string&, const salesforce::CallTerms&) override { return {}; }

 private:
  static Error refused() { return rejected("rest: not simulated"); }
  World& world_;
  SimOrg& org_;
};

}  // namespace headwater::sim
