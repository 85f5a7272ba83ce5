#pragma once

#include <memory>
#include <string>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/event_source.hpp"
#include "connectors/salesforce/metrics.hpp"
#include "connectors/salesforce/token.hpp"

namespace headwater::salesforce {

/// What GetTopic says of a topic.
struct TopicState {
  bool can_subscribe = false;
  std::string schema_id;  ///< empty for a channel of several objects
};

/// One topic of the Pub/Sub API, over gRPC. Owns its completion queue: all that happens on the
/// stream happens inside next(), on the ingest thread, so nothing here needs a lock but the
/// wake-up.
///
///   subscribe: token -> new channel -> GetTopic -> start the call
///   next:      wait on the queue for: started -> first request, first read
///                                     read    -> start the next read, hand out the response
///                                     written -> send the credit that has gathered meanwhile
///                                     alarm   -> Woken
///              a read that fails, or silence beyond silence_max: finish, collect all that is
///              pending, Ended
///
/// Two response messages take turns, so that a read is always under way while ingest works on what
/// came before; what it can bring is bounded by the credit given. One write at most is under way:
/// credit asked for meanwhile is added up and goes out when it returns, so no answer can be missed
/// by asking only upon reads. A channel of its own for every subscribe(): after a half-open
/// connection the next stream must not go the same way.
class Subscription final : public EventSource {
 public:
  Subscription(const OrgConfig& config,
               std::string topic,
               std::shared_ptr<TokenSource> tokens,
               std::shared_ptr<OrgMetrics> metrics,
               const Clock& clock);
  ~Subscription() override;  ///< cancels; no wake() may be running or come later

  /// Blocks for the login and GetTopic, at most about 30 s. Errors: Transient; Blocked (topic
  /// missing or forbidden, login refused, certificate not trusted); Fatal (wrong org).
  Result<void> subscribe(Start start, const ReplayId& position, std::size_t credit) override;
  void request(std::size_t events) override;
  void next(std::int64_t until_ms, Fetched& out) override;
  void wake() override;
  void cancel() override;
  /// Blocks at most 20 s, or the time of a login more.
  Result<std::string> fetch_schema(std::string_view schema_id) override;

  /// Asks the bus about the topic. Errors as subscribe().
  Result<TopicState> topic();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::salesforce
