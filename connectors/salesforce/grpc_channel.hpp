#pragma once

#include <memory>
#include <string>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/token.hpp"
#include "schemas/core/result.hpp"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace headwater::salesforce {

/// Longest silence of a connection before HTTP/2 pings it, in ms, and how long the answer may take.
/// A server that finds this too often answers too_many_pings; the interval then doubles up to the
/// maximum. Source: gRPC's keepalive guide; salesforce.md section 1.6.
inline constexpr int kKeepaliveMs = 60'000;
inline constexpr int kKeepaliveMsMax = 300'000;
inline constexpr int kKeepaliveTimeoutMs = 20'000;

/// A connection of its own to the org's Pub/Sub endpoint. Blocked: the CA file cannot be read.
Result<std::shared_ptr<grpc::Channel>> make_channel(const OrgConfig& config, int keepalive_ms);

/// Gives a call what every RPC must carry: token, instance, tenant, and a fresh trace id.
void add_metadata(grpc::ClientContext& context, const Token& token);

/// How a call ended, in our words.
struct CallEnd {
  int status = 0;     ///< gRPC's; 0: no call has failed
  Error error;        ///< code: the error-code trailer without its prefix
  bool auth = false;  ///< the token was refused
};

/// REQUIRES: the call is finished, so that its trailers have come, and did not end OK. `doing`
/// begins the sentence: `subscribe to /data/ChangeEvents of org emea`.
CallEnd call_end(const std::string& doing,
                 const grpc::ClientContext& context,
                 const grpc::Status& status);

}  // namespace headwater::salesforce
