#include "tests/org/oauth.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>

#include "schemas/core/ids.hpp"
#include "schemas/core/json_members.hpp"

namespace headwater::org {
namespace {

constexpr std::string_view kPrefix = "/services/oauth2/";
/// How far `exp` may lie ahead, and how far our clocks may differ (salesforce.md 10.2).
constexpr std::int64_t kExpiryMaxS = 300;
constexpr std::int64_t kSkewS = 180;

HttpResponse refuse(int status, std::string_view error, std::string_view description) {
  return {status,
          boost::json::serialize(
              boost::json::object{{"error", error}, {"error_description", description}})};
}

HttpResponse bad_grant(std::string_view description) {
  return refuse(400, "invalid_grant", description);
}

/// Base64, either alphabet, with or without padding.
std::optional<std::string> base64_decode(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  unsigned held = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    unsigned digit = 0;
    if (c >= 'A' && c <= 'Z') {
      digit = static_cast<unsigned>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      digit = static_cast<unsigned>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0') + 52;
    } else if (c == '-' || c == '+') {
      digit = 62;
    } else if (c == '_' || c == '/') {
      digit = 63;
    } else {
      return std::nullopt;
    }
    bits = bits << 6 | digit;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  return out;
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes));
  return to_hex(raw);
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

Key read_key(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  if (pem.find("CERTIFICATE") == std::string::npos) {
    return Key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  }
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  return Key(certificate ? X509_get_pubkey(certificate.get()) : nullptr);
}

std::optional<boost::json::object> parse_part(std::string_view part) {
  const auto text = base64_decode(part);
  if (!text) return std::nullopt;
  boost::system::error_code fault;
  auto value = boost::json::parse(*text, fault);
  if (fault || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string bearer(const HttpRequest& request) {
  const auto header = request.header("authorization");
  const std::string_view scheme = "Bearer ";
  return header.starts_with(scheme) ? header.substr(scheme.size()) : std::string{};
}

}  // namespace

struct Oauth::Verifier {
  Key key;

  bool verify(std::string_view text, const std::string& signature) const {
    if (!key) return false;
    const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const auto* sign = reinterpret_cast<const unsigned char*>(signature.data());
    return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
           EVP_DigestVerify(context.get(), sign, signature.size(), bytes, text.size()) == 1;
  }
};

Oauth::Oauth(OauthSettings settings, Faults& faults)
    : settings_(std::move(settings)), faults_(faults), verifier_(std::make_unique<Verifier>()) {
  if (!settings_.public_key_pem.empty()) verifier_->key = read_key(settings_.public_key_pem);
}

Oauth::~Oauth() = default;

void Oauth::set_instance_url(std::string url) { instance_url_ = std::move(url); }

HttpResponse Oauth::handle(const HttpRequest& request) {
  const auto what =
      std::string_view(request.path).substr(std::min(kPrefix.size(), request.path.size()));
  if (what == "token" && request.method == "POST") return token(request);
  if (what == "userinfo") return userinfo(request);
  if (what == "introspect" && request.method == "POST") return introspect(request);
  if (what == "revoke" && request.method == "POST") return revoke(request);
  return refuse(404, "not_found", "no such OAuth endpoint");
}

HttpResponse Oauth::token(const HttpRequest& request) {
  if (Faults::take(faults_.token_failures)) {
    return refuse(
        faults_.token_failure_status, faults_.token_error(), "the login service is out of order");
  }
  const auto grant_type = request.param("grant_type");
  if (grant_type == "urn:ietf:params:oauth:grant-type:jwt-bearer") return jwt_bearer(request);
  if (grant_type == "client_credentials") {
    if (!client_ok(request, true))
      return refuse(400, "invalid_client", "invalid client credentials");
    return grant(false);
  }
  if (grant_type == "refresh_token") {
    if (!client_ok(request, false))
      return refuse(400, "invalid_client_id", "client identifier invalid");
    if (!refresh_token_ok(request.param("refresh_token"))) {
      return bad_grant("expired access/refresh token");
    }
    return grant(true);
  }
  return refuse(400, "unsupported_grant_type", "grant type not supported");
}

bool Oauth::refresh_token_ok(const std::string& token) {
  const std::lock_guard lock(mutex_);
  return !refresh_revoked_ && !settings_.refresh_token.empty() && token == settings_.refresh_token;
}

bool Oauth::client_ok(const HttpRequest& request, bool secret_needed) const {
  auto id = request.param("client_id");
  auto secret = request.param("client_secret");
  const auto header = request.header("authorization");
  if (header.starts_with("Basic ")) {
    const auto pair = base64_decode(std::string_view(header).substr(6)).value_or("");
    const auto colon = pair.find(':');
    id = pair.substr(0, colon);
    secret = colon == std::string::npos ? "" : pair.substr(colon + 1);
  }
  if (id != settings_.client_id) return false;
  if (secret.empty() && !secret_needed) return true;
  return secret == settings_.client_secret;
}

HttpResponse Oauth::jwt_bearer(const HttpRequest& request) {
  const auto assertion = request.param("assertion");
  const auto first = assertion.find('.');
  const auto second = first == std::string::npos ? first : assertion.find('.', first + 1);
  if (second == std::string::npos) return bad_grant("invalid assertion");
  const std::string_view text(assertion);
  const auto header = parse_part(text.substr(0, first));
  const auto claims = parse_part(text.substr(first + 1, second - first - 1));
  const auto signature = base64_decode(text.substr(second + 1));
  if (!header || !claims || !signature) return bad_grant("invalid assertion");
  if (text_of(*header, "alg") != "RS256")
    return bad_grant("invalid assertion: only RS256 is supported");
  if (text_of(*claims, "iss") != settings_.client_id) {
    return refuse(400, "invalid_client_id", "client identifier invalid");
  }
  if (!verifier_->verify(text.substr(0, second), *signature)) {
    return bad_grant("invalid assertion");
  }
  const auto audience = text_of(*claims, "aud");
  if (audience != instance_url_ &&
      std::find(settings_.audiences.begin(), settings_.audiences.end(), audience) ==
          settings_.audiences.end()) {
    return bad_grant("Audience validation failed, audience is invalid");
  }
  boost::system::error_code fault;
  const auto* expiry = claims->if_contains("exp");
  const auto expires = expiry == nullptr ? 0 : expiry->to_number<std::int64_t>(fault);
  const auto now = clock_.now_ms() / 1000;
  if (expiry == nullptr || fault || expires + kSkewS < now ||
      expires > now + kExpiryMaxS + kSkewS) {
    return bad_grant("invalid assertion: JWT expired or its exp is too far away");
  }
  if (text_of(*claims, "sub") != settings_.username) {
    return bad_grant("user hasn't approved this consumer");
  }
  return grant(false);
}

HttpResponse Oauth::grant(bool refreshed) {
  const auto token = settings_.org_id.substr(0, 15) + "!" + random_hex(40);
  {
    const std::lock_guard lock(mutex_);
    sessions_[token] = clock_.monotonic_ms() + settings_.token_lifetime.count();
  }
  ++issued_;
  boost::json::object body{
      {"access_token", token},
      {"instance_url", instance_url_},
      {"id", fmt::format("{}/id/{}/{}", instance_url_, settings_.org_id, settings_.user_id)},
      {"token_type", "Bearer"},
      {"scope", "api"}};
  if (refreshed) {
    body["issued_at"] = std::to_string(clock_.now_ms());
    body["signature"] = random_hex(22);
  }
  return {200,
          boost::json::serialize(body),
          "application/json;charset=UTF-8",
          {{"Cache-Control", "no-store"}}};
}

HttpResponse Oauth::userinfo(const HttpRequest& request) {
  if (!valid(bearer(request))) return {403, "Bad_OAuth_Token", "text/html; charset=UTF-8"};
  return {
      200,
      boost::json::serialize(boost::json::object{
          {"sub", fmt::format("{}/id/{}/{}", instance_url_, settings_.org_id, settings_.user_id)},
          {"user_id", settings_.user_id},
          {"organization_id", settings_.org_id},
          {"preferred_username", settings_.username},
          {"active", true}})};
}

HttpResponse Oauth::introspect(const HttpRequest& request) {
  if (!client_ok(request, true)) return refuse(401, "invalid_client", "invalid client credentials");
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(request.param("token"));
  const auto left = session == sessions_.end() ? 0 : session->second - clock_.monotonic_ms();
  if (left <= 0) return {200, R"({"active":false})"};
  return {200,
          boost::json::serialize(boost::json::object{{"active", true},
                                                     {"scope", "api"},
                                                     {"client_id", settings_.client_id},
                                                     {"username", settings_.username},
                                                     {"token_type", "access_token"},
                                                     {"exp", (clock_.now_ms() + left) / 1000}})};
}

HttpResponse Oauth::revoke(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto token = request.param("token");
  if (token == settings_.refresh_token) refresh_revoked_ = true;
  if (sessions_.erase(token) == 0 && token != settings_.refresh_token) {
    return refuse(400, "unsupported_token_type", "this token cannot be revoked");
  }
  return {200, "", "text/html; charset=UTF-8"};
}

bool Oauth::valid(std::string_view token) {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(token);
  if (session == sessions_.end()) return false;
  const auto now = clock_.monotonic_ms();
  if (session->second <= now) {
    sessions_.erase(session);
    return false;
  }
  session->second = now + settings_.token_lifetime.count();
  return true;
}

void Oauth::expire_all() {
  const std::lock_guard lock(mutex_);
  sessions_.clear();
}

void Oauth::revoke_all() {
  const std::lock_guard lock(mutex_);
  sessions_.clear();
  refresh_revoked_ = true;
}

}  // namespace headwater::org
