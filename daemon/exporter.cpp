#include "daemon/exporter.hpp"

#include <algorithm>

#include "connectors/salesforce/quota.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/ledger/hole_counts.hpp"

namespace headwater {

std::string Exporter::text() {
  refresh();
  return parts_.metrics.text();
}

/// What the org's clients count.
void Exporter::refresh_org(const OrgCounts& org) {
  const auto gauge =
      [&](const char* name, const char* help, double value, const observe::Labels& labels) {
        parts_.metrics.gauge(name, help, labels).set(value);
      };
  const observe::Labels labels{{"org", org.org}};
  gauge("headwater_api_calls_used",
        "Requests of the last 24 h, as the org counts",
        static_cast<double>(org.counts->api_used.load()),
        labels);
  gauge("headwater_api_calls_limit",
        "Requests allowed in 24 h",
        static_cast<double>(org.counts->api_max.load()),
        labels);
  gauge("headwater_api_calls_sent",
        "REST requests sent since the start",
        static_cast<double>(org.counts->api_calls.load()),
        labels);
  for (const auto priority : {salesforce::Priority::Repair,
                              salesforce::Priority::Snapshot,
                              salesforce::Priority::Audit}) {
    const auto& refused = org.counts->api_refused[static_cast<std::size_t>(priority)];
    gauge("headwater_api_calls_withheld",
          "REST requests not sent since the start, to leave some to others",
          static_cast<double>(refused.load()),
          {{"org", org.org}, {"priority", to_string(priority)}});
  }
  gauge("headwater_token_refreshes_ok",
        "Logins that succeeded since the start",
        static_cast<double>(org.counts->token_refreshes_ok.load()),
        labels);
  gauge("headwater_token_refreshes_failed",
        "Logins that failed since the start",
        static_cast<double>(org.counts->token_refreshes_failed.load()),
        labels);
  gauge("headwater_api_rows_read",
        "Rows read by queries and Bulk jobs since the start",
        static_cast<double>(org.counts->rows_read.load()),
        labels);
  gauge("headwater_bulk_jobs_created",
        "Bulk query jobs created since the start; Salesforce allows 10,000 in 24 h",
        static_cast<double>(org.counts->bulk_jobs_created.load()),
        labels);
}

void Exporter::refresh() {
  const auto journal = parts_.ledger.journal();
  const auto gauge =
      [&](const char* name, const char* help, double value, const observe::Labels& labels = {}) {
        parts_.metrics.gauge(name, help, labels).set(value);
      };
  gauge("headwater_build_info", "1, with the version", 1, {{"version", parts_.version}});
  gauge("headwater_start_time_seconds",
        "When the daemon started",
        static_cast<double>(parts_.started_at) / 1000.0);
  gauge("headwater_journal_head_rev", "Last durable rev", static_cast<double>(journal.head.value));
  gauge(
      "headwater_journal_entries", "Entries in the journal", static_cast<double>(journal.entries));
  gauge("headwater_journal_bytes", "Bytes in the journal", static_cast<double>(journal.bytes));
  gauge("headwater_journal_bytes_max",
        "Bound of the journal",
        static_cast<double>(journal.bytes_max));
  gauge("headwater_journal_oldest_timestamp_seconds",
        "Time of the oldest entry",
        static_cast<double>(journal.oldest_ts) / 1000.0);
  for (const auto& count : ledger::AuditBook(parts_.ledger).hole_counts()) {
    const observe::Labels cause{{"cause", count.cause}};
    gauge("headwater_holes_open", "Open holes", static_cast<double>(count.open), cause);
    const std::lock_guard lock(holes_mutex_);  // of two who ask at once
    auto opened = parts_.metrics.counter(
        "headwater_holes_opened_total", "Holes opened since the start", cause);
    opened.add(std::max(0.0, static_cast<double>(count.opened) - opened.value()));
  }
  gauge("headwater_quarantine_open",
        "Open quarantine rows",
        static_cast<double>(parts_.ledger.quarantine_open()));
  for (const auto& count : parts_.ledger.counts()) {
    const auto records = [&](const char* state, std::uint64_t n) {
      gauge("headwater_records",
            "Records in the ledger",
            static_cast<double>(n),
            {{"org", count.org}, {"entity", count.entity}, {"state", state}});
    };
    records("alive", count.alive);
    records("deleted", count.deleted);
    records("incomplete", count.incomplete);
  }
  for (const auto& org : orgs_) refresh_org(org);
  for (const auto& part : parts_.health.parts()) {
    for (const auto state : {observe::PartState::Ok,
                             observe::PartState::Waiting,
                             observe::PartState::Blocked,
                             observe::PartState::Fatal}) {
      gauge("headwater_part_state",
            "1 for the state that a part is in",
            part.state == state ? 1 : 0,
            {{"part", part.name}, {"state", std::string(observe::to_string(state))}});
    }
  }
}

}  // namespace headwater
