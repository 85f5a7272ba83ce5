#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/rest_call.hpp"

namespace headwater::salesforce {

struct QueryPage;
struct Selection;

/// Most ids that one sObject collections call takes. Source: REST API guide, "Get Records by Using
/// sObject Collections".
inline constexpr std::size_t kFetchIdsMax = 2'000;
/// Ids of one question to the recycle bin: its text goes into the URL, which may have 16 KiB.
inline constexpr std::size_t kBinIdsMax = 250;

/// Few records, and what describes them. One thread at a time; its token is shared with the org's
/// other clients. Its calls are repair's (Priority).
class OrgClient final : public OrgApi {
 public:
  OrgClient(const OrgConfig& config,
            std::shared_ptr<TokenSource> tokens,
            std::shared_ptr<OrgMetrics> metrics,
            std::shared_ptr<QuotaGovernor> quota = nullptr);

  Result<std::string> org_id() override;
  Result<std::vector<ObjectInfo>> describe_global() override;
  Result<ObjectDescription> describe(std::string_view object) override;
  Result<std::vector<RecordTypeInfo>> record_types() override;
  Result<std::vector<std::string>> channel_members(std::string_view channel) override;
  /// Any number of ids, in calls of at most 2,000 and of an answer's greatest size. `fields` is
  /// completed by Id and SystemModstamp, which a RowDecoder needs. The recycle bin of an object
  /// that refuses the question (it has none, or may not be queried) shows nothing.
  Result<std::vector<FetchedRecord>> fetch(std::string_view object,
                                           std::span<const RecordId> ids,
                                           std::span<const std::string> fields) override;

 private:
  Result<std::string> call(const std::string& doing, HttpRequest request);
  /// One page; `resource`: `/query`, `/queryAll`, `/tooling/query`.
  Result<QueryPage> query(const std::string& doing,
                          std::string_view resource,
                          const Selection& selection);
  Result<void> fetch_slice(std::string_view object,
                           std::span<const RecordId> ids,
                           const std::string& fields,
                           std::vector<FetchedRecord>& out);
  Result<void> mark_binned(std::string_view object, std::span<FetchedRecord> records);
  Result<void> ask_bin(std::string_view object, std::span<FetchedRecord* const> absent);

  RestCall rest_;
};

}  // namespace headwater::salesforce
