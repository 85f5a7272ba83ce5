#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/http.hpp"
#include "connectors/salesforce/metrics.hpp"
#include "connectors/salesforce/org_reader.hpp"
#include "connectors/salesforce/quota.hpp"
#include "connectors/salesforce/token.hpp"

namespace headwater::salesforce {

/// One REST call after the other: token, allowance, deadline, what its answer means. One thread at
/// a time; token and allowance are shared with the org's other clients.
///
/// An answer 401 costs one new login and one repeat. If fresh tokens are refused three times in a
/// row, logging in does not help (a session locked to an address, a blocked app): Blocked.
class RestCall {
 public:
  /// `quota` may be null: then nothing is held back.
  RestCall(const OrgConfig& config,
           std::shared_ptr<TokenSource> tokens,
           std::shared_ptr<OrgMetrics> metrics,
           std::shared_ptr<QuotaGovernor> quota);

  /// `doing` begins the sentence of an error: `describe Account of org emea`. An answer above 299
  /// is an Error of rest_error().
  Result<HttpReply> send(const std::string& doing, HttpRequest request, const CallTerms& terms);

  const OrgConfig& config() const { return config_; }
  TokenSource& tokens() { return *tokens_; }
  /// `/services/data/v66.0` + `rest`.
  std::string path(std::string_view rest) const;

 private:
  Result<HttpReply> send_once(HttpRequest& request, const Token& token);
  void note(const HttpReply& reply);

  const OrgConfig config_;
  const std::shared_ptr<TokenSource> tokens_;
  const std::shared_ptr<OrgMetrics> metrics_;
  const std::shared_ptr<QuotaGovernor> quota_;
  std::unique_ptr<HttpClient> http_;
  int fresh_refused_ = 0;  // fresh tokens refused in a row
};

/// Reads `api-usage=25/15000` of the header Sforce-Limit-Info. False: it says something else.
bool read_limit_info(std::string_view header, std::int64_t& used, std::int64_t& max);

}  // namespace headwater::salesforce
