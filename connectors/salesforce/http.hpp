#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

struct HttpRequest {
  std::string method = "GET";  ///< GET, POST, PATCH or DELETE
  std::string path;            ///< after the base URL, with the query: `/services/oauth2/token`
  std::string body;
  std::string content_type;  ///< of the body
  std::vector<std::pair<std::string, std::string>> headers;
  Millis timeout{0};     ///< if above 0 and shorter than the client's: for this request
  std::stop_token stop;  ///< ends the request early: Transient, code kStopped
  /// Takes the body of an answer 200 piece by piece instead of HttpReply::body; false ends the
  /// request.
  std::function<bool(std::string_view)> on_body;
};

struct HttpReply {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  ///< names in lower case
};

/// Code of the Error for a body above HttpOptions::body_bytes_max.
inline constexpr std::string_view kBodyTooLarge = "BODY_TOO_LARGE";
/// Code of the Error for a request that its stop_token ended.
inline constexpr std::string_view kStopped = "STOPPED";

struct HttpOptions {
  std::string ca_file;  ///< PEM; empty: the system's roots
  Millis timeout = std::chrono::seconds{30};
  std::size_t body_bytes_max = 16u << 20;
};

/// One server, over kept connections, http or https; certificates and host names are verified.
/// Redirects are not followed: a credential goes only where the configuration says. One thread at a
/// time.
class HttpClient {
 public:
  /// `base_url`: scheme, host, perhaps port and a path prefix.
  HttpClient(std::string base_url, HttpOptions options);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  /// Any answer is a reply, whatever its status. Errors: Transient (no or half an answer;
  /// kBodyTooLarge, kStopped), Blocked (the server's certificate is not trusted, the CA file not
  /// readable).
  Result<HttpReply> send(const HttpRequest& request);
  const std::string& base_url() const { return base_url_; }

 private:
  struct Impl;
  std::string base_url_;
  std::unique_ptr<Impl> impl_;
};

/// `a b&c` -> `a%20b%26c`.
std::string percent_encoded(std::string_view text);

}  // namespace headwater::salesforce
