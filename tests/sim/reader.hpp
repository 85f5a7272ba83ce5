#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "tests/sim/org.hpp"

namespace headwater::sim {

/// Queries over the org as it is at one moment of the call: of key sets, as read jobs send them,
/// and of ids, which ask what became of deleted records (nobody merges here). Too little for Bulk
/// jobs.
class SimReader final : public salesforce::OrgReader {
 public:
  SimReader(World& world, SimOrg& org) : world_(world), org_(org) {}

  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t,
                                      const salesforce::CallTerms&) override {
    if (auto failed = call("api.query")) return *failed;
    salesforce::QueryPage page;
    for (const SimRecord* record : selected(selection)) {
      if (selection.limit != 0 && page.records.size() == selection.limit) break;
      page.records.push_back(org_.row(*record));
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
  Result<std::uint64_t> count(const salesforce::Selection& selection,
                              const salesforce::CallTerms&) override {
    if (auto failed = call("api.count")) return *failed;
    return selected(selection).size();
  }
  Result<salesforce::DeletionLog> deletions(const std::string& object,
                                            EpochMs from,
                                            EpochMs to,
                                            const salesforce::CallTerms&) override {
    if (auto failed = call("api.deleted")) return *failed;
    salesforce::DeletionLog log;
    log.reaches_from = from;
    log.reaches_to = world_.now_ms() / 1000 * 1000;
    if (world_.roll(world_.faults.log_cut)) {
      // The log was trimmed, or lags.
      (world_.random.chance(0.5) ? log.reaches_from : log.reaches_to) +=
          world_.random.between(-60'000, 60'000);
    }
    for (const auto& [key, record] : org_.records()) {
      if (record.object->name != object || !record.now().deleted) continue;
      const EpochMs at = record.now().commit_ms;
      if (at >= std::max(from, log.reaches_from) && at <= std::min(to, log.reaches_to))
        log.ids.push_back(*RecordId::parse(record.id));
    }
    world_.meanwhile();
    return log;
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
  std::optional<Error> call(std::string_view what) {
    world_.point(what);
    world_.meanwhile();
    if (world_.roll(world_.faults.api)) return transient("rest: HTTP 503");
    return std::nullopt;
  }

  /// Ascending by id. The conditions are those that our tasks send.
  std::vector<const SimRecord*> selected(const salesforce::Selection& selection) const {
    const std::string& where = selection.where;
    const auto behind_at = where.find(kBehind), since_at = where.find(kSince);
    const std::string behind =
        behind_at == std::string::npos ? "" : where.substr(behind_at + kBehind.size(), 18);
    const EpochMs since = since_at == std::string::npos
                              ? INT64_MIN
                              : *parse_datetime(where.substr(since_at + kSince.size(), 24));
    const bool by_id = where.find("Id IN") != std::string::npos;
    std::vector<const SimRecord*> out;
    for (const auto& [key, record] : org_.records()) {
      const bool named = !by_id || where.find(record.id) != std::string::npos;
      if (record.object->name == selection.object && named && record.id > behind &&
          record.now().commit_ms >= since &&
          ((selection.with_deleted && !world_.faults.no_bin) || !record.now().deleted))
        out.push_back(&record);
    }
    std::ranges::sort(out, {}, &SimRecord::id);
    return out;
  }

  static constexpr std::string_view kBehind = "Id > '", kSince = "SystemModstamp >= ";
  static Error refused() { return rejected("rest: not simulated"); }
  World& world_;
  SimOrg& org_;
};

}  // namespace headwater::sim
