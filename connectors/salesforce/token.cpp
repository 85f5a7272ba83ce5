#include "connectors/salesforce/token.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/http.hpp"
#include "connectors/salesforce/jwt.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/json_members.hpp"

namespace headwater::salesforce {
namespace {

namespace json = boost::json;

constexpr std::string_view kTokenPath = "/services/oauth2/token";
/// Sources name 3 to 5 minutes as the most (salesforce.md section 10.2).
constexpr std::int64_t kAssertionSeconds = 180;

Result<Secret> read_secret(const std::string& path, std::string_view key) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  Secret secret(std::move(text));
  if (!file || secret.empty())
    return blocked(
        fmt::format("log in: auth.{} {} cannot be read or is empty; restore it", key, path));
  const auto end = secret.reveal().find_last_not_of("\r\n");
  return Secret(secret.reveal().substr(0, end == std::string::npos ? 0 : end + 1));
}

/// `https://login.salesforce.com/id/<org>/<user>` -> `<org>`.
std::string org_of_identity(std::string_view url) {
  const auto user = url.rfind('/');
  if (user == url.npos || user == 0) return {};
  const auto org = url.rfind('/', user - 1);
  return org == url.npos ? std::string{} : std::string(url.substr(org + 1, user - org - 1));
}

void add(std::string& form, std::string_view name, std::string_view value) {
  if (!form.empty()) form += '&';
  form += fmt::format("{}={}", name, percent_encoded(value));
}

HttpOptions http_options(const OrgConfig& config) {
  HttpOptions options;
  options.ca_file = config.ca_file;
  options.timeout = config.http_timeout;
  options.body_bytes_max = 1u << 20;
  return options;
}

}  // namespace

TokenSource::TokenSource(const OrgConfig& config,
                         std::shared_ptr<OrgMetrics> metrics,
                         const Clock& clock)
    : config_(config), metrics_(std::move(metrics)), clock_(clock) {}

Result<Token> TokenSource::get() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto now = clock_.monotonic_ms();
    const bool usable = token_ && !dead_;
    if (usable && (now < due_ms_ || logging_in_ || now < not_before_ms_)) return *token_;
    if (!logging_in_) {
      if (error_ && now < not_before_ms_) return *error_;
      break;
    }
    changed_.wait(lock);
    if (!logging_in_ && error_ && (!token_ || dead_)) return *error_;
  }
  logging_in_ = true;
  lock.unlock();
  auto fresh = log_in();
  lock.lock();
  finish(std::move(fresh));
  if (token_ && !dead_) return *token_;
  return *error_;
}

void TokenSource::finish(Result<Token> fresh) {
  logging_in_ = false;
  const auto now = clock_.monotonic_ms();
  if (fresh) {
    ++metrics_->token_refreshes_ok;
    token_ = std::move(fresh).value();
    token_->generation = ++generation_;
    dead_ = false;
    error_.reset();
    not_before_ms_ = 0;
    due_ms_ = now + config_.auth.refresh_every.count();
  } else {
    ++metrics_->token_refreshes_failed;
    error_ = std::move(fresh).error();
    const auto pause = error_->kind == ErrorKind::Transient ? kFailedPause : kRefusedPause;
    not_before_ms_ = now + pause.count();
  }
  changed_.notify_all();
}

void TokenSource::invalidate(std::uint64_t generation) {
  const std::lock_guard lock(mutex_);
  if (generation == generation_) dead_ = true;
}

Result<std::string> TokenSource::request_body() const {
  const auto& auth = config_.auth;
  std::string form;
  switch (auth.flow) {
    case AuthConfig::Flow::JwtBearer: {
      auto key = read_secret(auth.private_key_file, "private_key_file");
      if (!key) return std::move(key).error();
      const auto expires = clock_.now_us() / 1'000'000 + kAssertionSeconds;
      auto jwt = signed_jwt({auth.client_id, auth.username, auth.audience, expires}, *key);
      if (!jwt) return std::move(jwt).error();
      add(form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
      add(form, "assertion", jwt->reveal());
      return form;
    }
    case AuthConfig::Flow::ClientCredentials:
      add(form, "grant_type", "client_credentials");
      break;
    case AuthConfig::Flow::RefreshToken: {
      auto refresh = read_secret(auth.refresh_token_file, "refresh_token_file");
      if (!refresh) return std::move(refresh).error();
      add(form, "grant_type", "refresh_token");
      add(form, "refresh_token", refresh->reveal());
      break;
    }
  }
  add(form, "client_id", auth.client_id);
  if (!auth.client_secret_file.empty()) {
    auto secret = read_secret(auth.client_secret_file, "client_secret_file");
    if (!secret) return std::move(secret).error();
    add(form, "client_secret", secret->reveal());
  }
  return form;
}

Result<Token> TokenSource::log_in() const {
  auto body = request_body();
  if (!body) return std::move(body).error();
  HttpClient http(config_.login_url, http_options(config_));
  HttpRequest request;
  request.method = "POST";
  request.path = kTokenPath;
  request.content_type = "application/x-www-form-urlencoded";
  request.body = std::move(body).value();
  request.headers = {{"Accept", "application/json"}};
  auto reply = http.send(request);
  OPENSSL_cleanse(request.body.data(), request.body.size());
  if (!reply) return std::move(reply).error();
  if (reply->status != 200)
    return login_error(fmt::format("log in to {}", config_.login_url), reply->status, reply->body);
  auto token = read_token(reply->body);
  if (!token) return token;
  if (token->org_id.empty()) {
    auto org_id = org_id_by_userinfo(*token);
    if (!org_id) return std::move(org_id).error();
    token->org_id = std::move(org_id).value();
  }
  return check(std::move(token).value());
}

Result<Token> TokenSource::read_token(std::string& body) const {
  boost::system::error_code failed;
  auto value = json::parse(body, failed);
  OPENSSL_cleanse(body.data(), body.size());
  if (failed || !value.is_object())
    return transient(fmt::format("log in to {}: the answer is not a JSON object; trying again",
                                 config_.login_url));
  auto& object = value.get_object();
  Token token;
  token.access_token = Secret(text_of(object, "access_token"));
  token.instance_url = text_of(object, "instance_url");
  token.org_id = org_of_identity(text_of(object, "id"));
  while (token.instance_url.ends_with('/')) token.instance_url.pop_back();
  if (auto* kept = object.if_contains("access_token"); kept && kept->is_string())
    OPENSSL_cleanse(kept->get_string().data(), kept->get_string().size());
  if (token.access_token.empty() || token.instance_url.empty())
    return blocked(
        fmt::format("log in to {}: the answer names no access_token or no instance_url; check "
                    "login_url and that "
                    "the app has the scope api",
                    config_.login_url));
  return token;
}

Result<std::string> TokenSource::org_id_by_userinfo(const Token& token) const {
  HttpClient http(token.instance_url, http_options(config_));
  HttpRequest request;
  request.path = "/services/oauth2/userinfo";
  request.headers = {{"Authorization", "Bearer " + token.access_token.reveal()}};
  auto reply = http.send(request);
  if (!reply) return std::move(reply).error();
  const auto doing = fmt::format("ask {} for the org's id", token.instance_url);
  if (reply->status != 200) return login_error(doing, reply->status, reply->body);
  boost::system::error_code failed;
  const auto value = json::parse(reply->body, failed);
  if (failed || !value.is_object())
    return transient(fmt::format("{}: the answer is not a JSON object; trying again", doing));
  return text_of(value.get_object(), "organization_id");
}

Result<Token> TokenSource::check(Token token) const {
  const auto id = RecordId::parse(token.org_id);
  if (!id || id->prefix() != "00D")
    return blocked(fmt::format("log in to {}: the answer names no organization id; check login_url",
                               config_.login_url));
  token.org_id = id->str();
  if (!config_.org_id.empty() && config_.org_id != token.org_id)
    return fatal(fmt::format(
        "log in to {}: this is org {}, but {} is org {}, by org_id or by its first login; "
        "correct login_url or org_id, or give the other org another name",
        config_.login_url,
        token.org_id,
        config_.name,
        config_.org_id));
  const auto& url = token.instance_url;
  if (!url.starts_with("https://") && !config_.insecure && !is_loopback(url))
    return blocked(
        fmt::format("log in to {}: the org's instance_url {} would send the token in the clear; "
                    "use https, or say "
                    "insecure: true",
                    config_.login_url,
                    quoted(url)));
  return token;
}

}  // namespace headwater::salesforce
