#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/http.hpp"
#include "connectors/salesforce/metrics.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/token.hpp"

namespace headwater::salesforce {

/// Most ids that one sObject collections call takes. Source: REST API guide, "Get Records by Using
/// sObject Collections".
inline constexpr std::size_t kFetchIdsMax = 2'000;

/// The org's REST API. One thread at a time; its token is shared with the org's other clients.
///
/// An answer 401 costs one new login and one repeat. If fresh tokens are refused three times in a
/// row, logging in does not help (a session locked to an address, a blocked app): Blocked.
class OrgClient final : public OrgApi {
 public:
  OrgClient(const OrgConfig& config,
            std::shared_ptr<TokenSource> tokens,
            std::shared_ptr<OrgMetrics> metrics);

  Result<std::string> org_id() override;
  Result<std::vector<ObjectInfo>> describe_global() override;
  Result<ObjectDescription> describe(std::string_view object) override;
  /// Any number of ids, in calls of at most 2,000 and of an answer's greatest size. `fields` is
  /// completed by Id and SystemModstamp, which a RowDecoder needs.
  Result<std::vector<FetchedRecord>> fetch(std::string_view object,
                                           std::span<const RecordId> ids,
                                           std::span<const std::string> fields) override;

 private:
  Result<std::string> call(const std::string& doing, HttpRequest request);
  Result<HttpReply> send(HttpRequest& request, const Token& token);
  Result<void> fetch_slice(std::string_view object,
                           std::span<const RecordId> ids,
                           const std::string& fields,
                           std::vector<FetchedRecord>& out);
  void note_limits(const HttpReply& reply);

  const OrgConfig config_;
  const std::shared_ptr<TokenSource> tokens_;
  const std::shared_ptr<OrgMetrics> metrics_;
  std::unique_ptr<HttpClient> http_;
  int fresh_refused_ = 0;  // fresh tokens refused in a row
};

/// Reads `api-usage=25/15000` of the header Sforce-Limit-Info. False: it says something else.
bool read_limit_info(std::string_view header, std::int64_t& used, std::int64_t& max);

}  // namespace headwater::salesforce
