#include "daemon/pipeline/ingest_metrics.hpp"

#include "schemas/model/event.hpp"
#include "schemas/model/topic.hpp"

namespace headwater {

using observe::Labels;

IngestMetrics::IngestMetrics(observe::Metrics& metrics,
                             const std::string& org,
                             const std::string& topic)
    : bytes(metrics.counter("headwater_source_bytes_total",
                            "Avro bytes received",
                            {{"org", org}, {"stream", topic}})),
      quarantined(metrics.counter("headwater_decode_errors_total",
                                  "Events that went to quarantine undecoded",
                                  {{"org", org}, {"stream", topic}})),
      schema_waits(metrics.counter("headwater_schema_waits_total",
                                   "Times that ingest waited for GetSchema",
                                   {{"org", org}, {"stream", topic}})),
      schemas(
          metrics.counter("headwater_schemas_fetched_total",
                          "Schemas that the org was asked for: each once, then the ledger has it",
                          {{"org", org}, {"stream", topic}})),
      unchanged(metrics.counter("headwater_unchanged_total",
                                "Record changes that altered nothing",
                                {{"org", org}, {"stream", topic}})),
      rows(metrics.counter("headwater_holes_repaired_records_total",
                           "Rows applied from the second lane",
                           {{"org", org}, {"stream", topic}})),
      connected(metrics.gauge("headwater_source_connected",
                              "1 while the stream is open",
                              {{"org", org}, {"stream", topic}})),
      lag_seconds(metrics.gauge("headwater_source_lag_seconds",
                                "Now minus the newest commit time",
                                {{"org", org}, {"stream", topic}})),
      last_event(metrics.gauge("headwater_source_last_event_timestamp_seconds",
                               "Arrival of the last event",
                               {{"org", org}, {"stream", topic}})),
      last_response(metrics.gauge("headwater_source_last_keepalive_timestamp_seconds",
                                  "Arrival of the last response",
                                  {{"org", org}, {"stream", topic}})),
      credit(metrics.gauge("headwater_source_credit_outstanding",
                           "Events asked for and not yet received",
                           {{"org", org}, {"stream", topic}})),
      position_age(metrics.gauge("headwater_source_position_age_seconds",
                                 "Time since the position last moved",
                                 {{"org", org}, {"stream", topic}})),
      retention_remaining(
          metrics.gauge("headwater_source_retention_remaining_seconds",
                        "72 h less the position's age: below zero events may be gone",
                        {{"org", org}, {"stream", topic}})),
      batch_events(metrics.sizes("headwater_ledger_batch_events",
                                 "Events in one ledger write",
                                 {{"org", org}, {"stream", topic}})),
      write_seconds(metrics.seconds("headwater_ledger_write_seconds",
                                    "One apply and synced write of the ledger",
                                    {{"org", org}, {"stream", topic}})),
      metrics_(metrics),
      labels_{{"org", org}, {"stream", topic}} {
  const auto by_type = [&](std::string_view type) {
    Labels with_type = labels_;
    with_type["type"] = type;
    return std::make_unique<observe::Counter>(metrics.counter(
        "headwater_source_events_total", "Events received, by change type", with_type));
  };
  if (is_platform_topic(topic)) {
    platform = by_type("PLATFORM");
    repeats = std::make_unique<observe::Counter>(
        metrics.counter("headwater_source_repeats_total",
                        "Platform events that had come before and were dropped",
                        labels_));
    return;
  }
  for (std::size_t i = 0; i < events.size(); ++i)
    events[i] = by_type(to_string(static_cast<ChangeType>(i)));
}

void IngestMetrics::reconnect(const std::string& reason) {
  Labels labels = labels_;
  labels["reason"] = reason;
  metrics_.counter("headwater_source_reconnects_total", "Ends of the stream, by reason", labels)
      .add();
}

}  // namespace headwater
