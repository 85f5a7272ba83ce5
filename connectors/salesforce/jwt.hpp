#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/core/result.hpp"
#include "schemas/core/secret.hpp"

namespace headwater::salesforce {

/// What a JWT bearer assertion says (salesforce.md section 10.2).
struct JwtClaims {
  std::string issuer;   ///< consumer key
  std::string subject;  ///< username
  std::string audience;
  std::int64_t expires = 0;  ///< seconds since the epoch
};

/// The assertion, signed with RS256 by an RSA key in PEM. Blocked: not such a key, or one with a
/// passphrase.
Result<Secret> signed_jwt(const JwtClaims& claims, const Secret& key_pem);

/// Base64 for URLs, without padding (RFC 4648 section 5).
std::string base64url(std::string_view bytes);

}  // namespace headwater::salesforce
