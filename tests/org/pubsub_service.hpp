#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "tests/org/bus.hpp"
#include "tests/org/faults.hpp"
#include "tests/org/oauth.hpp"
#include "tests/org/platform.hpp"
#include "tests/org/schema.hpp"

namespace headwater::org {

struct PubsubSettings {
  int port = 0;                                  ///< 0: a free one
  Millis keepalive_interval{60'000};             ///< silence after which an empty response goes out
  Millis credit_timeout{60'000};                 ///< a stream without credit ends after this
  Millis publish_timeout{70'000};                ///< a PublishStream without events ends after this
  std::string tls_certificate_pem, tls_key_pem;  ///< both empty: plaintext
  Millis connection_age{
      0};  ///< a connection gets GOAWAY after this, and its end as much later; 0: never
};

/// What streams did so far.
struct StreamStats {
  std::uint64_t id = 0;
  std::string topic;
  std::uint64_t delivered = 0;
  std::int64_t outstanding = 0;
  bool open = true;
};
struct PubsubStats {
  std::vector<StreamStats> streams;
  std::uint64_t delivered = 0;
  std::int64_t credit_max = 0;  ///< most credit that any stream ever had outstanding, as asked for
  std::uint64_t subscribe_calls = 0, get_schema_calls = 0, get_topic_calls = 0;
};

/// How open streams are to be ended.
struct StreamEnd {
  bool clean = false;  ///< status OK
  std::string error_code = "service.unavailable";
  int status = 13;  ///< gRPC status code
};

/// The Pub/Sub API: all but ManagedSubscribe (UNIMPLEMENTED) as salesforce.md sections 1 to 4
/// describe it. Streams run on gRPC's own threads; one ticker thread of
/// ours sends keepalives.
class PubsubServer {
 public:
  PubsubServer(PubsubSettings settings,
               const Catalog& catalog,
               Bus& bus,
               PlatformEvents& platform,
               Oauth& oauth,
               Faults& faults);
  ~PubsubServer();
  PubsubServer(const PubsubServer&) = delete;
  PubsubServer& operator=(const PubsubServer&) = delete;

  /// Gives the port. Transient: it is taken. Blocked: the certificate cannot be used.
  Result<int> start();
  void stop();
  /// Ends all open streams; gives how many.
  std::size_t end_streams(const StreamEnd& end);
  PubsubStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::org
