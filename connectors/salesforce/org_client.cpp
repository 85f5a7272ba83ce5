#include "connectors/salesforce/org_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::salesforce {
namespace {

constexpr int kFreshRefusedMax = 3;

HttpOptions http_options(const OrgConfig& config) {
  HttpOptions options;
  options.ca_file = config.ca_file;
  options.timeout = config.http_timeout;
  return options;
}

/// The JSON array of field names, with the two that every row needs.
std::string field_list(std::span<const std::string> fields) {
  std::string out = R"(["Id","SystemModstamp")";
  for (const auto& field : fields) {
    if (field == "Id" || field == "SystemModstamp") continue;
    out += ',';
    append_json_string(out, field);
  }
  return out += ']';
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

OrgClient::OrgClient(const OrgConfig& config,
                     std::shared_ptr<TokenSource> tokens,
                     std::shared_ptr<OrgMetrics> metrics)
    : config_(config), tokens_(std::move(tokens)), metrics_(std::move(metrics)) {}

Result<std::string> OrgClient::org_id() {
  auto token = tokens_->get();
  if (!token) return std::move(token).error();
  return token->org_id;
}

Result<std::vector<ObjectInfo>> OrgClient::describe_global() {
  HttpRequest request;
  request.path = fmt::format("/services/data/v{}/sobjects", config_.api_version);
  auto body = call(fmt::format("list the objects of org {}", config_.name), std::move(request));
  if (!body) return std::move(body).error();
  return read_describe_global(*body);
}

Result<ObjectDescription> OrgClient::describe(std::string_view object) {
  HttpRequest request;
  request.path = fmt::format(
      "/services/data/v{}/sobjects/{}/describe", config_.api_version, percent_encoded(object));
  auto body = call(fmt::format("describe {} of org {}", object, config_.name), std::move(request));
  if (!body) return std::move(body).error();
  return read_describe(*body);
}

Result<std::vector<FetchedRecord>> OrgClient::fetch(std::string_view object,
                                                    std::span<const RecordId> ids,
                                                    std::span<const std::string> fields) {
  const auto names = field_list(fields);
  std::vector<FetchedRecord> records;
  records.reserve(ids.size());
  while (!ids.empty()) {
    const auto slice = ids.first(std::min(ids.size(), kFetchIdsMax));
    if (auto done = fetch_slice(object, slice, names, records); !done)
      return std::move(done).error();
    ids = ids.subspan(slice.size());
  }
  return records;
}

Result<void> OrgClient::fetch_slice(std::string_view object,
                                    std::span<const RecordId> ids,
                                    const std::string& fields,
                                    std::vector<FetchedRecord>& out) {
  const auto doing = fmt::format("read {} {} records of org {}", ids.size(), object, config_.name);
  HttpRequest request;
  request.method = "POST";
  request.path = fmt::format(
      "/services/data/v{}/composite/sobjects/{}", config_.api_version, percent_encoded(object));
  request.content_type = "application/json";
  request.body = R"({"ids":[)";
  for (const auto& id : ids) {
    if (request.body.back() != '[') request.body += ',';
    append_json_string(request.body, id.view());
  }
  request.body += R"(],"fields":)" + fields + '}';

  auto body = call(doing, std::move(request));
  if (!body && body.error().code == kBodyTooLarge && ids.size() > 1) {
    const auto half = ids.size() / 2;
    if (auto done = fetch_slice(object, ids.first(half), fields, out); !done) return done;
    return fetch_slice(object, ids.subspan(half), fields, out);
  }
  if (!body) return std::move(body).error();
  const auto rows = array_elements(*body);
  if (!rows) return rows.error();
  if (rows->size() != ids.size())
    return transient(fmt::format("{}: {} rows came back; trying again", doing, rows->size()));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    FetchedRecord record{ids[i], std::nullopt};
    if ((*rows)[i] != "null") record.json = std::string((*rows)[i]);
    out.push_back(std::move(record));
  }
  return {};
}

Result<std::string> OrgClient::call(const std::string& doing, HttpRequest request) {
  for (bool again = false;; again = true) {
    const auto token = tokens_->get();
    if (!token) return token.error();
    auto reply = send(request, *token);
    if (!reply) {
      auto error = std::move(reply).error();
      error.message = fmt::format("{}: {}", doing, error.message);
      return error;
    }
    if (reply->status < 300) {
      fresh_refused_ = 0;
      return std::move(reply->body);
    }
    auto error = rest_error(doing, reply->status, reply->body);
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

Result<HttpReply> OrgClient::send(HttpRequest& request, const Token& token) {
  if (!http_ || http_->base_url() != token.instance_url)
    http_ = std::make_unique<HttpClient>(token.instance_url, http_options(config_));
  request.headers = {{"Authorization", "Bearer " + token.access_token.reveal()},
                     {"Accept", "application/json"}};
  ++metrics_->api_calls;
  auto reply = http_->send(request);
  for (auto& [name, value] : request.headers) OPENSSL_cleanse(value.data(), value.size());
  if (!reply || reply->status >= 300) ++metrics_->api_errors;
  if (reply) note_limits(*reply);
  return reply;
}

void OrgClient::note_limits(const HttpReply& reply) {
  const auto header = reply.headers.find("sforce-limit-info");
  std::int64_t used = 0, max = 0;
  if (header == reply.headers.end() || !read_limit_info(header->second, used, max)) return;
  metrics_->api_used = used;
  metrics_->api_max = max;
}

std::unique_ptr<OrgApi> make_org_client(const OrgConfig& config,
                                        std::shared_ptr<TokenSource> tokens,
                                        std::shared_ptr<OrgMetrics> metrics) {
  return std::make_unique<OrgClient>(config, std::move(tokens), std::move(metrics));
}

}  // namespace headwater::salesforce
