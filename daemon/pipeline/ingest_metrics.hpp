#pragma once

#include <array>
#include <memory>
#include <string>

#include "daemon/observe/metrics.hpp"

namespace headwater {

/// What one stream tells of itself. Written by its ingest thread.
struct IngestMetrics {
  IngestMetrics(observe::Metrics& metrics, const std::string& org, const std::string& topic);
  std::array<std::unique_ptr<observe::Counter>, 10> events;  ///< by change type
  // Of a stream of platform events, which has none of the above.
  std::unique_ptr<observe::Counter> platform, repeats;
  observe::Counter bytes, quarantined, schema_waits, schemas, unchanged, rows;
  observe::Gauge connected, lag_seconds, last_event, last_response, credit, position_age,
      retention_remaining;
  observe::Histogram batch_events, write_seconds;
  /// Reconnects by reason: the error code, or what kind of end it was.
  void reconnect(const std::string& reason);

 private:
  observe::Metrics& metrics_;
  const observe::Labels labels_;
};

}  // namespace headwater
