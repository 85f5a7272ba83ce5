#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "tests/org/bus.hpp"
#include "tests/org/faults.hpp"
#include "tests/org/http.hpp"
#include "tests/org/oauth.hpp"
#include "tests/org/platform.hpp"
#include "tests/org/pubsub_service.hpp"
#include "tests/org/record_types.hpp"
#include "tests/org/rest.hpp"
#include "tests/org/schema.hpp"
#include "tests/org/store.hpp"
#include "tests/org/workload.hpp"

namespace headwater::org {

struct OrgOptions {
  int port = 0, http_port = 0, control_port = 0;  ///< 0: a free one
  std::uint64_t seed = 1;
  std::string org_id = "00D5f000000HeadEAC";  ///< 15 or 18 characters
  Millis keepalive_interval{60'000};
  Millis credit_timeout{60'000};
  Millis token_lifetime{7'200'000};
  Millis retention{72LL * 3'600'000};
  Millis standard_retention{24LL * 3'600'000};  ///< of standard-volume platform events
  Millis publish_timeout{70'000};
  Millis clock_lag{0};         ///< how far the org's clock starts behind; /load may use it up
  std::string public_key_pem;  ///< public key or certificate of the JWT bearer flow
  std::string client_id = "headwater", client_secret = "headwater-secret";
  std::string username = "integration@headwater.example";
  std::string refresh_token = "headwater-refresh";
  std::vector<std::string> audiences{"https://login.salesforce.com", "https://test.salesforce.com"};
  std::string tls_certificate_pem, tls_key_pem;  ///< of the Pub/Sub port; empty: plaintext
  bool multi_currency = false;
  Millis connection_age{0};  ///< of Pub/Sub connections, until their GOAWAY; 0: no end
};

/// Where to reach a running org.
struct OrgAddresses {
  std::string pubsub;     ///< `127.0.0.1:NNN`
  std::string login_url;  ///< `http://127.0.0.1:NNN`: token endpoint and REST
  std::string control;    ///< `http://127.0.0.1:NNN`
  std::string org_id;     ///< 18 characters
  std::string json() const;
};

/// A whole org: its servers run from start() until stop(). Tests may use its parts directly.
class Org {
 public:
  explicit Org(OrgOptions options);
  ~Org();
  Org(const Org&) = delete;
  Org& operator=(const Org&) = delete;

  /// Rejected: an option cannot be used. Transient: a port is taken.
  Result<OrgAddresses> start();
  void stop();
  /// Waits until /stop was called on the control port, or request_stop().
  void wait();
  void request_stop();

  Catalog& catalog() { return catalog_; }
  Bus& bus() { return bus_; }
  PlatformEvents& platform() { return platform_; }
  Store& store() { return store_; }
  RecordTypes& record_types() { return record_types_; }
  Oauth& oauth() { return *oauth_; }
  Rest& rest() { return *rest_; }
  Faults& faults() { return faults_; }
  PubsubServer& pubsub() { return *pubsub_; }

  /// Runs `transactions` steps of life, `rate` per second (0: as fast as it goes). One caller at a
  /// time.
  void load(std::size_t transactions, double rate);
  Result<void> replay(const ReplayPlan& plan);
  Result<void> fill(const FillPlan& plan);

 private:
  const OrgOptions options_;
  Catalog catalog_;
  Bus bus_;
  PlatformEvents platform_;
  Faults faults_;
  RecordTypes record_types_;
  Store store_;
  Workload workload_;
  std::mutex workload_mutex_;
  std::unique_ptr<Oauth> oauth_;
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<PubsubServer> pubsub_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<HttpServer> control_;

  std::mutex stop_mutex_;
  std::condition_variable stop_wake_;
  std::atomic<bool> stopping_{false};
};

}  // namespace headwater::org
