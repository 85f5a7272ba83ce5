#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/salesforce/credit.hpp"
#include "connectors/salesforce/event_source.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/pipeline/backoff.hpp"
#include "daemon/pipeline/event_retry.hpp"
#include "daemon/pipeline/ingest_metrics.hpp"
#include "daemon/pipeline/retry_lane.hpp"
#include "daemon/pipeline/row_lane.hpp"
#include "daemon/pipeline/schema_book.hpp"
#include "daemon/pipeline/step.hpp"
#include "daemon/pipeline/stream_doubts.hpp"

namespace headwater {

/// One stream: takes what the org sends, decodes it and writes it to the ledger, whole responses at
/// a time.
///
///   no stream:  subscribe after the stored position, with credit for what there is room for
///   response:   decode all events -> ledger.apply(events, position of the last) ; top up credit
///   keepalive:  store its position
///   end:        whatever the reason, subscribe again from the stored position, after a pause
///   rows:       the second lane: what repair read is applied after events, one batch a step
///
/// A stream of platform events differs in how an event is decoded, and in that one that came before
/// is dropped.
///
/// The position moves in the same write as the data, so it is never ahead of it. A schema that
/// cannot be fetched now makes the whole response wait; one that is refused for good sends its
/// events to quarantine. One thread.
class Ingest {
 public:
  struct Parts {
    ledger::StreamKey stream;
    salesforce::Start start;  ///< for a stream without a position
    salesforce::EventSource& source;
    ledger::Ledger& ledger;
    RowLane& rows;
    const std::atomic<bool>& org_ready;  ///< the org is bound and its facts are known
    const Clock& clock;
    observe::Part& health;
    observe::Metrics& metrics;
    const HiddenFields* hidden = nullptr;  ///< nothing: an event's null is always a value
  };
  explicit Ingest(Parts parts);

  /// Waits for the next response for `wait_max` at most, and asks to be called again within it: the
  /// second lane goes on while the stream is held, blocked or down.
  Step step(Millis wait_max);
  /// No more credit is asked for; ends the stream. For an orderly stop.
  void stop();
  /// An event of this stream in quarantine is tried again, by the ingest's own thread. False, and
  /// nothing taken: too many wait. Any thread.
  bool try_again(RetryRequest& request);
  const std::string& topic() const { return parts_.stream.topic; }
  /// When the stream last said that it has no more; our clock. Any thread.
  EpochMs at_tip() const { return at_tip_.load(); }

 private:
  Step connect();
  Step wait_for_org();
  Step on_end();
  Step keep_alive();
  Step apply_response();
  Step wait_for_schema(const Error& error);
  Result<bool> apply_rows();
  void works();
  void tell_health();
  void publish_age();
  void top_up();
  std::size_t room() const;
  void decode(const salesforce::FetchedEvent& event, SchemaBook::Page& page);
  void doubt_image(const EventView& event, std::string_view cause, std::string_view why);
  void decode_platform(const salesforce::FetchedEvent& event, SchemaBook::Page& page);
  void refuse(const salesforce::FetchedEvent& event,
              const Error& error,
              const EventView* header,
              std::string_view object = {});
  Result<void> close_overlapped(std::size_t resent);
  Result<void> lost_position(const Error& error);
  Result<void> end_stretch();
  Step pause(const Error& error);
  void count(const ledger::Applied& applied);

  Parts parts_;
  IngestMetrics metrics_;
  SchemaBook schemas_;
  EventRetry event_retry_;
  RetryLane retries_;
  avro::Scratch scratch_;  // what decoded events borrow, per response
  salesforce::Credit credit_;
  StreamDoubts doubts_;
  Backoff backoff_;
  salesforce::Fetched fetched_;
  std::vector<SchemaBook::Page*> pages_;  // of fetched_.events, one each; nullptr: refused
  std::vector<EventView> events_;
  std::vector<PlatformEventView> platform_;
  std::vector<ledger::QuarantineRow> refused_;
  std::vector<ledger::Hole> holes_;
  bool subscribed_ = false;
  std::int64_t subscribed_at_ = 0;  // monotonic ms
  bool held_ = false;               // fetched_ waits for a schema
  bool from_earliest_ = false;      // the stored position is lost
  bool overlap_proves_ = false;     // that the only stretch lost since then is whole
  std::int64_t retry_at_ = 0;
  std::atomic<EpochMs> at_tip_{0};
  EpochMs position_from_ = 0;  // when what the position stands for happened; 0: as it was stored
  std::size_t event_bytes_ = 1024;  // recent average, for room()
};

}  // namespace headwater
