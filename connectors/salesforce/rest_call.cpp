#include "connectors/salesforce/rest_call.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>

#include "connectors/salesforce/errors.hpp"

namespace headwater::salesforce {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kFreshRefusedMax = 3;

HttpOptions http_options(const OrgConfig& config) {
  HttpOptions options;
  options.ca_file = config.ca_file;
  options.timeout = config.http_timeout;
  return options;
}

/// What is left until the caller's deadline; nothing: it has passed. 0: there is none.
std::optional<Millis> time_left(const CallTerms& terms) {
  if (terms.until == SteadyClock::time_point::max()) return Millis{0};
  const auto left = std::chrono::ceil<Millis>(terms.until - SteadyClock::now());
  if (left <= Millis{0}) return std::nullopt;
  return left;
}

}  // namespace

bool read_limit_info(std::string_view header, std::int64_t& used, std::int64_t& max) {
  constexpr std::string_view kKey = "api-usage=";
  auto at = header.find(kKey);
  while (at != header.npos && at > 0 && header[at - 1] == '-') at = header.find(kKey, at + 1);
  if (at == header.npos) return false;  // only `per-app-api-usage=`
  const char* const end = header.data() + header.size();
  std::int64_t read_used = 0, read_max = 0;
  const auto first = std::from_chars(header.data() + at + kKey.size(), end, read_used);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '/') return false;
  if (std::from_chars(first.ptr + 1, end, read_max).ec != std::errc{}) return false;
  used = read_used;
  max = read_max;
  return true;
}

RestCall::RestCall(const OrgConfig& config,
                   std::shared_ptr<TokenSource> tokens,
                   std::shared_ptr<OrgMetrics> metrics,
                   std::shared_ptr<QuotaGovernor> quota)
    : config_(config),
      tokens_(std::move(tokens)),
      metrics_(std::move(metrics)),
      quota_(std::move(quota)) {}

std::string RestCall::path(std::string_view rest) const {
  return fmt::format("/services/data/v{}{}", config_.api_version, rest);
}

Result<HttpReply> RestCall::send(const std::string& doing,
                                 HttpRequest request,
                                 const CallTerms& terms) {
  const auto said = [&](Error error) {
    error.message = fmt::format("{}: {}", doing, error.message);
    return error;
  };
  request.stop = terms.stop;
  const auto own_headers = request.headers;
  for (bool again = false;; again = true) {
    const auto left = time_left(terms);
    if (terms.stop.stop_requested())
      return transient(fmt::format("{}: stopped", doing), std::string(kStopped));
    if (!left) return transient(fmt::format("{}: not done in the time allowed", doing), "DEADLINE");
    request.timeout = *left;
    if (quota_)
      if (auto admitted = quota_->admit(terms.priority); !admitted)
        return said(std::move(admitted).error());
    const auto token = tokens_->get();
    if (!token) return token.error();
    request.headers = own_headers;
    auto reply = send_once(request, *token);
    if (!reply) return said(std::move(reply).error());
    if (reply->status < 300) {
      fresh_refused_ = 0;
      return reply;
    }
    auto error = rest_error(doing, reply->status, reply->body);
    if (error.code == "REQUEST_LIMIT_EXCEEDED" && error.kind == ErrorKind::Blocked && quota_)
      quota_->note_exhausted(error.message);
    if (reply->status != 401) return error;
    tokens_->invalidate(token->generation);
    if (!again) continue;
    if (++fresh_refused_ < kFreshRefusedMax) return error;
    return blocked(
        fmt::format(
            "{}: fresh tokens are refused (HTTP 401 {}); check that the app's sessions are not "
            "locked to an address and that the user may use the API",
            doing,
            error.code),
        error.code);
  }
}

Result<HttpReply> RestCall::send_once(HttpRequest& request, const Token& token) {
  if (!http_ || http_->base_url() != token.instance_url)
    http_ = std::make_unique<HttpClient>(token.instance_url, http_options(config_));
  const bool accepts = std::any_of(request.headers.begin(),
                                   request.headers.end(),
                                   [](const auto& header) { return header.first == "Accept"; });
  if (!accepts) request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("Authorization", "Bearer " + token.access_token.reveal());
  ++metrics_->api_calls;
  auto reply = http_->send(request);
  auto& secret = request.headers.back().second;
  OPENSSL_cleanse(secret.data(), secret.size());
  if (!reply || reply->status >= 300) ++metrics_->api_errors;
  if (reply) note(*reply);
  return reply;
}

void RestCall::note(const HttpReply& reply) {
  const auto header = reply.headers.find("sforce-limit-info");
  std::int64_t used = 0, max = 0;
  if (header == reply.headers.end() || !read_limit_info(header->second, used, max)) return;
  metrics_->api_used = used;
  metrics_->api_max = max;
  if (quota_) quota_->note(used, max);
}

}  // namespace headwater::salesforce
