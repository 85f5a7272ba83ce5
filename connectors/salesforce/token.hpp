#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/metrics.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/secret.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// What every call to the org needs.
struct Token {
  Secret access_token;
  std::string instance_url;      ///< scheme and host, no trailing slash
  std::string org_id;            ///< 18 characters
  std::uint64_t generation = 0;  ///< which login it came from; for invalidate()
};

/// The one place of an org that logs in. Streams, schema calls and REST share it, so that none of
/// them carries a token that another has found dead. Any thread.
///
///   get: no token, one too old, or one reported dead -> log in once, however many ask at the same
///   time
///
/// Refreshing ahead: while the new login is under way, or fails for a passing reason, others go on
/// with the old token. A login that was refused is not repeated for kRefusedPause, whoever asks:
/// Salesforce locks users out.
class TokenSource {
 public:
  static constexpr Millis kRefusedPause =
      std::chrono::seconds{55};  ///< below the 60 s of who retries
  static constexpr Millis kFailedPause = std::chrono::seconds{1};

  /// `clock` must outlive it.
  TokenSource(const OrgConfig& config, std::shared_ptr<OrgMetrics> metrics, const Clock& clock);

  /// A token to begin a call with. Errors: Transient (network, 5xx), Blocked (refused, a secret
  /// file that cannot be read), Fatal (another org than configured).
  Result<Token> get();
  /// That token was refused. A later one is not affected: of many callers that met the same dead
  /// token, only the first causes a login.
  void invalidate(std::uint64_t generation);

 private:
  Result<Token> log_in() const;
  Result<std::string> request_body() const;
  Result<Token> read_token(std::string& body) const;
  Result<std::string> org_id_by_userinfo(const Token& token) const;
  Result<Token> check(Token token) const;
  void finish(Result<Token> fresh);

  const OrgConfig config_;
  const std::shared_ptr<OrgMetrics> metrics_;
  const Clock& clock_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool logging_in_ = false;
  bool dead_ = true;  // token_ may not be used any more
  std::optional<Token> token_;
  std::optional<Error> error_;  // of the last login, until one succeeds
  std::int64_t not_before_ms_ = 0;
  std::int64_t due_ms_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace headwater::salesforce
