#pragma once

#include <string>

#include "connectors/sink.hpp"
#include "daemon/observe/metrics.hpp"

namespace headwater {

/// What a sink tells of itself.
struct SinkMetrics {
  SinkMetrics(observe::Metrics& metrics, const std::string& sink);
  void wrote(Entries entries);  ///< durably, in one write

  observe::Gauge up, cursor_rev, lag_entries, lag_seconds, materializing;
  observe::Histogram write_seconds, write_entries;
  observe::Gauge late_repeats, mended;
  observe::Counter created, updated, read, deleted, fenced, quarantined;
  observe::Counter closed_by_entries, closed_by_bytes, closed_by_head;
  observe::Counter retries_transient, retries_blocked, retries_rejected;
};

}  // namespace headwater
