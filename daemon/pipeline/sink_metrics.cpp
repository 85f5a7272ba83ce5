#include "daemon/pipeline/sink_metrics.hpp"

namespace headwater {
namespace {

observe::Counter retries(observe::Metrics& metrics, const std::string& sink, const char* kind) {
  return metrics.counter("headwater_sink_retries_total",
                         "Writes and opens tried again, by kind of error",
                         {{"sink", sink}, {"class", kind}});
}
observe::Counter entries_by_op(observe::Metrics& metrics, const std::string& sink, const char* op) {
  return metrics.counter("headwater_sink_entries_total",
                         "Entries durably written, by operation",
                         {{"sink", sink}, {"op", op}});
}
observe::Counter closed_by(observe::Metrics& metrics, const std::string& sink, const char* bound) {
  return metrics.counter("headwater_sink_write_closed_total",
                         "Writes, by the bound that closed them",
                         {{"sink", sink}, {"by", bound}});
}

}  // namespace

SinkMetrics::SinkMetrics(observe::Metrics& m, const std::string& sink)
    : up(m.gauge("headwater_sink_up", "1 while the sink is open and writing", {{"sink", sink}})),
      cursor_rev(
          m.gauge("headwater_sink_cursor_rev", "Last rev durably applied", {{"sink", sink}})),
      lag_entries(m.gauge("headwater_sink_lag_entries",
                          "Entries in the journal after the cursor",
                          {{"sink", sink}})),
      lag_seconds(m.gauge("headwater_sink_lag_seconds",
                          "Age of the oldest entry not yet written",
                          {{"sink", sink}})),
      materializing(m.gauge("headwater_sink_materializing_ratio",
                            "Share of states sent; 1 when following",
                            {{"sink", sink}})),
      write_seconds(
          m.seconds("headwater_sink_write_seconds", "One write of the sink", {{"sink", sink}})),
      write_entries(
          m.sizes("headwater_sink_write_entries", "Entries in one write", {{"sink", sink}})),
      late_repeats(m.gauge(
          "headwater_kafka_late_repeats_total",
          "Messages that arrived late from a dead predecessor; the consumer rule drops them",
          {{"sink", sink}})),
      mended(m.gauge("headwater_kafka_mended_total",
                     "Records whose newest image was written again behind an older one that came "
                     "late",
                     {{"sink", sink}})),
      created(entries_by_op(m, sink, "c")),
      updated(entries_by_op(m, sink, "u")),
      read(entries_by_op(m, sink, "r")),
      deleted(entries_by_op(m, sink, "d")),
      fenced(m.counter("headwater_sink_fenced_total",
                       "Times that another holder took the target",
                       {{"sink", sink}})),
      quarantined(m.counter("headwater_quarantined_total",
                            "Entries that the target refuses for good",
                            {{"stage", "sink." + sink}})),
      closed_by_entries(closed_by(m, sink, "entries")),
      closed_by_bytes(closed_by(m, sink, "bytes")),
      closed_by_head(closed_by(m, sink, "head")),
      retries_transient(retries(m, sink, "transient")),
      retries_blocked(retries(m, sink, "blocked")),
      retries_rejected(retries(m, sink, "rejected")) {}

void SinkMetrics::wrote(Entries entries) {
  write_entries.observe(static_cast<double>(entries.size()));
  std::size_t by_op[4] = {};
  for (const EntryView& entry : entries) {
    ++by_op[entry.op == Op::Create ? 0 : entry.op == Op::Update ? 1 : entry.op == Op::Read ? 2 : 3];
  }
  observe::Counter* const counters[4] = {&created, &updated, &read, &deleted};
  for (std::size_t i = 0; i < 4; ++i) {
    if (by_op[i] > 0) counters[i]->add(static_cast<double>(by_op[i]));
  }
}

}  // namespace headwater
