#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "tests/org/faults.hpp"
#include "tests/org/http.hpp"

namespace headwater::org {

/// The one app and user that may log in.
struct OauthSettings {
  std::string org_id;   ///< 18 characters
  std::string user_id;  ///< of the integration user
  std::string client_id, client_secret, username, refresh_token;
  std::string public_key_pem;  ///< PEM public key or X.509 certificate; empty: no JWT bearer flow
  std::vector<std::string> audiences;  ///< accepted `aud`
  Millis token_lifetime{7'200'000};
};

/// Login service: token endpoint, userinfo, introspection, and the list of living sessions.
/// Thread-safe.
class Oauth {
 public:
  Oauth(OauthSettings settings, Faults& faults);
  ~Oauth();

  /// Known only after the HTTP server has its port. Called once, before the first request.
  void set_instance_url(std::string url);
  const std::string& instance_url() const { return instance_url_; }
  const std::string& org_id() const { return settings_.org_id; }

  /// Answers under /services/oauth2/.
  HttpResponse handle(const HttpRequest& request);

  /// True while the session lives. Any use makes its idle time start anew, as at Salesforce.
  bool valid(std::string_view token);
  void expire_all();  ///< every session of now is over
  void revoke_all();  ///< and the refresh token too
  std::uint64_t issued() const { return issued_; }

 private:
  struct Verifier;  ///< holds the public key

  HttpResponse token(const HttpRequest& request);
  HttpResponse jwt_bearer(const HttpRequest& request);
  HttpResponse grant(bool refreshed);
  HttpResponse userinfo(const HttpRequest& request);
  HttpResponse introspect(const HttpRequest& request);
  HttpResponse revoke(const HttpRequest& request);
  /// The client's credentials, from the body or HTTP Basic.
  bool client_ok(const HttpRequest& request, bool secret_needed) const;
  bool refresh_token_ok(const std::string& token);

  const OauthSettings settings_;
  Faults& faults_;
  const SystemClock clock_;
  std::string instance_url_;
  std::unique_ptr<Verifier> verifier_;
  std::mutex mutex_;
  std::map<std::string, std::int64_t, std::less<>> sessions_;  ///< token -> monotonic ms of its end
  bool refresh_revoked_ = false;
  std::atomic<std::uint64_t> issued_{0};
};

}  // namespace headwater::org
