#pragma once

#include <string>
#include <vector>

#include "config/node.hpp"
#include "connectors/salesforce/event_source.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// How the daemon logs in (salesforce.md section 10). Secrets are named by file and read again at
/// every login, so that a rotated one needs no restart.
struct AuthConfig {
  enum class Flow : std::uint8_t { JwtBearer, ClientCredentials, RefreshToken };
  Flow flow = Flow::JwtBearer;
  std::string client_id;           ///< consumer key of the app
  std::string client_secret_file;  ///< client_credentials; optional for refresh_token
  std::string username;            ///< jwt_bearer: the integration user's username, not its email
  std::string private_key_file;    ///< jwt_bearer: RSA key in PEM
  std::string refresh_token_file;
  std::string audience;  ///< jwt_bearer: the `aud` claim; by default derived from login_url
  /// Salesforce names no expiry, by default 2 h of inactivity: a token this old is replaced before
  /// use.
  Millis refresh_every = std::chrono::minutes{45};
};

struct PubSubConfig {
  std::string endpoint = "api.pubsub.salesforce.com:7443";
  bool tls = true;
  std::string ca_file;    ///< PEM; empty: the org's ca_file, else the system's roots
  bool insecure = false;  ///< allows tls: false to a host that is not loopback
  /// No response for this long means a dead stream: the server promises one within 270 s
  /// (Subscribe RPC reference).
  Millis silence_max = std::chrono::seconds{300};
  /// What is selected in Change Data Capture, or permitted to our user, takes effect on streams
  /// within this (Change Data Capture guide: 10 minutes; salesforce.md section 7.9).
  Millis channel_settle = std::chrono::minutes{10};
};

struct StreamConfig {
  std::string topic;
  Start start = Start::Earliest;  ///< where a stream without a stored position begins
  bool snapshot = false;          ///< at the latest event, and then the org's objects are read in
};

/// One Salesforce org.
struct OrgConfig {
  std::string name;
  std::string org_id;  ///< 18 characters; empty: learned at the first login
  std::string login_url = "https://login.salesforce.com";
  std::string ca_file;  ///< PEM that login and REST are verified against; empty: the system's roots
  bool insecure = false;  ///< allows http:// to a host that is not loopback
  std::string api_version = "66.0";
  Millis http_timeout = std::chrono::seconds{30};  ///< for one login or REST call
  double api_reserve_share = 0.2;  ///< of the org's daily API requests, left to others
  AuthConfig auth;
  PubSubConfig pubsub;
  std::vector<StreamConfig> streams;
  std::vector<std::string> snapshot_objects;
  std::string region;    ///< default region of phone numbers and addresses, ISO 3166 alpha-2
  std::string currency;  ///< of amounts without their own, ISO 4217

  static OrgConfig parse(config::Node& node);
};

/// True if a URL's or endpoint's host is this machine: plaintext is then harmless.
bool is_loopback(std::string_view url_or_endpoint);

/// The `aud` that Salesforce expects for a login URL: its login host, or its test host for a
/// sandbox. Not the URL itself: a My Domain URL was reported as refused (salesforce.md
/// section 10.2).
std::string default_audience(std::string_view login_url);

}  // namespace headwater::salesforce
