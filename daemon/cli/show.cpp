#include "daemon/cli/show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

namespace headwater::cli {
namespace {

namespace json = boost::json;

std::string text(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_null()) return "-";
  if (value.is_double()) return fmt::format("{:.1f}", value.as_double());
  return json::serialize(value);
}

std::string at(const json::value& item, const char* key) {
  const auto* found = item.as_object().if_contains(key);
  return found == nullptr ? std::string() : text(*found);
}

std::string show_parts(const json::array& parts) {
  std::string out;
  for (const auto& part : parts) {
    out += fmt::format(
        "  {:<34} {:<9} since {}\n", at(part, "part"), at(part, "state"), at(part, "since"));
    if (!part.at("why").is_null()) out += fmt::format("      {}\n", at(part, "why"));
  }
  return out;
}

std::string show_jobs(const json::array& jobs) {
  std::string out;
  for (const auto& job : jobs) {
    const auto& it = job.as_object();
    out += fmt::format("  {:<4} {:<9} {:<8} {:<24} {:>9} of {} rows",
                       at(job, "number"),
                       at(job, "state"),
                       at(job, "why"),
                       at(job, "org") + " " + at(job, "object"),
                       at(job, "rows"),
                       at(job, "expected"));
    if (it.contains("percent")) out += fmt::format(", {} %", at(job, "percent"));
    if (it.contains("seconds_left"))
      out += fmt::format(
          ", {} rows/s, {} s left", at(job, "rows_per_second"), at(job, "seconds_left"));
    if (at(job, "deleted") != "0") out += fmt::format(", {} deleted", at(job, "deleted"));
    if (it.contains("where")) out += fmt::format(", where {}", at(job, "where"));
    if (it.contains("fields_left_out"))
      out += fmt::format(", without {}", at(job, "fields_left_out"));
    if (it.contains("left_to_hole"))
      out += fmt::format(", {} not seen: see hole {}", at(job, "unseen"), at(job, "left_to_hole"));
    out += "\n";
    if (it.contains("error"))
      out += fmt::format("       {}{}\n",
                         at(job, "error"),
                         it.contains("next_try") ? "; next try " + at(job, "next_try") : "");
  }
  return out;
}

double number(const json::value& item, const char* key) {
  const auto* found = item.as_object().if_contains(key);
  boost::system::error_code fault;
  return found == nullptr ? 0 : found->to_number<double>(fault);
}

/// The last audits of one org, or of the sinks.
struct Audits {
  std::string oldest, newest;  // ends
  std::size_t objects = 0, failed = 0;
  double proven = 0, healed = 0, drift_ppm = 0;  // the worst object's
  std::string notes;
};

Audits sum_of(const json::array& receipts, const std::string& org) {
  Audits out;
  for (const auto& receipt : receipts) {
    if (at(receipt, "org") != org) continue;
    const auto ended = at(receipt, "ended_at");
    if (out.objects == 0 || ended < out.oldest) out.oldest = ended;
    out.newest = std::max(out.newest, ended);
    ++out.objects;
    out.failed += at(receipt, "result") == "failed" ? 1 : 0;
    out.proven += number(receipt, "proven");
    out.healed += number(receipt, "healed");
    out.drift_ppm = std::max(out.drift_ppm, number(receipt, "drift_ppm"));
    if (!receipt.at("note").is_null())
      out.notes += fmt::format("      {}: {}\n", at(receipt, "object"), at(receipt, "note"));
  }
  return out;
}

/// A line for each org, and one for the sinks: when, how much was wrong, what is going on.
std::string show_audits(const json::value& audit) {
  std::map<std::string, std::string> doing;
  const auto& receipts = audit.at("last").as_array();
  for (const auto& receipt : receipts) doing.emplace(at(receipt, "org"), "");
  for (const auto& [org, sentence] : audit.at("doing").as_object())
    doing[std::string(org)] = text(sentence);
  std::string out;
  for (const auto& [org, sentence] : doing) {
    const Audits sum = sum_of(receipts, org);
    if (sum.objects > 0) {
      out += fmt::format("  {:<34} {} audited, {} to {}; {} findings, {} healed, drift {:.1f} ppm",
                         org,
                         sum.objects,
                         sum.oldest,
                         sum.newest,
                         sum.proven,
                         sum.healed,
                         sum.drift_ppm);
      if (sum.failed > 0) out += fmt::format(", {} COULD NOT LOOK", sum.failed);
      out += "\n" + sum.notes;
    }
    if (!sentence.empty()) out += fmt::format("  {:<34} now {}\n", org, sentence);
  }
  return out.empty() ? "  none yet\n" : out;
}

/// Ready says that no data is doubted. What waits for a server meanwhile is in step with nothing.
std::string headline(const json::value& s) {
  if (!s.at("ready").as_bool()) return "NOT READY";
  for (const auto& part : s.at("parts").as_array()) {
    if (at(part, "state") != "ok")
      return fmt::format("NOT IN STEP: {} is {}", at(part, "part"), at(part, "state"));
  }
  return "in step";
}

std::string show_status(const json::value& s) {
  std::string out = fmt::format(
      "headwaterd {} up since {}: {}\n", at(s, "version"), at(s, "started_at"), headline(s));
  for (const auto& reason : s.at("not_ready").as_array())
    out += fmt::format("  ! {}\n", text(reason));
  out += "parts\n" + show_parts(s.at("parts").as_array());
  out += "streams\n";
  for (const auto& stream : s.at("streams").as_array()) {
    out += fmt::format("  {:<34} newest commit {}  position {}\n",
                       at(stream, "org") + " " + at(stream, "topic"),
                       at(stream, "newest_commit"),
                       at(stream, "position"));
  }
  const auto& ledger = s.at("ledger");
  out += fmt::format("ledger {}\n  head {}  journal {} entries, {} of {} bytes\n",
                     at(ledger, "id"),
                     at(ledger, "head_rev"),
                     at(ledger, "journal_entries"),
                     at(ledger, "journal_bytes"),
                     at(ledger, "journal_bytes_max"));
  if (const auto* owed = ledger.as_object().if_contains("reprojecting"); owed && owed->as_bool())
    out += "  records are being told anew: another mapping, or a new birth\n";
  for (const auto& count : ledger.at("records").as_array()) {
    out += fmt::format("  {:<34} {:>9} alive {:>7} deleted {:>5} incomplete\n",
                       at(count, "org") + " " + at(count, "object"),
                       at(count, "alive"),
                       at(count, "deleted"),
                       at(count, "incomplete"));
  }
  if (!s.at("jobs").as_array().empty()) out += "reading\n" + show_jobs(s.at("jobs").as_array());
  out += "sinks\n";
  for (const auto& sink : s.at("sinks").as_array()) {
    out += fmt::format("  {:<34} behind {} entries, {} s{}\n",
                       at(sink, "sink"),
                       at(sink, "lag_entries"),
                       at(sink, "lag_seconds"),
                       sink.at("materializing").as_bool() ? ", sending record states" : "");
  }
  if (const auto* audit = s.as_object().if_contains("audit"))
    out += "audits\n" + show_audits(*audit);
  out += fmt::format(
      "holes open {}, quarantine open {}\n", at(s, "holes_open"), at(s, "quarantine_open"));
  return out;
}

/// Set off from what stands above it, if it is not open any more.
std::string show_closing(const json::value& item) {
  const std::string status = at(item, "status");
  if (status == "open") return {};
  return fmt::format("    {} {} by {}: {}\n",
                     status,
                     at(item, "closed_at"),
                     at(item, "closed_by"),
                     at(item, "evidence"));
}

std::string show_holes(const json::array& holes) {
  if (holes.empty()) return "no open holes\n";
  std::string out;
  for (const auto& hole : holes) {
    const bool numbered = hole.as_object().contains("number");
    const auto sink = at(hole, "sink");
    const auto next_try = at(hole, "next_try");
    out += fmt::format("{}{} {} {} {}{}{}{} since {}, {} attempts{}\n",
                       numbered ? at(hole, "number") + " " : "",
                       at(hole, "scope"),
                       at(hole, "cause"),
                       at(hole, "org"),
                       at(hole, "object"),
                       hole.as_object().contains("id") ? " " + at(hole, "id") : at(hole, "topic"),
                       sink.empty() ? "" : " in ",
                       sink,
                       at(hole, "opened_at"),
                       at(hole, "attempts"),
                       next_try.empty() ? "" : ", the next at " + next_try);
    for (const char* key : {"detail", "remedy"}) {
      if (const auto line = at(hole, key); !line.empty()) out += "    " + line + "\n";
    }
    if (const auto* repair = hole.as_object().if_contains("repair")) {
      for (const auto& job : repair->as_array())
        out += fmt::format("    job {} reads {}: {}{}\n",
                           at(job, "job"),
                           at(job, "object"),
                           at(job, "state"),
                           job.as_object().contains("fields_left_out")
                               ? "; could not query " + at(job, "fields_left_out")
                               : "");
    }
    out += show_closing(hole);
  }
  return out;
}

/// What a row is of: a record, or the stream of an event that names none.
std::string place(const json::value& row) {
  const std::string id = at(row, "id");
  return id.empty() ? at(row, "topic") : at(row, "object") + " " + id;
}

std::string show_row_head(const json::value& row) {
  return fmt::format("{} {} {} {} {} ({} bytes, {} attempts) first {}, last {}\n    {}\n{}",
                     at(row, "number"),
                     at(row, "stage"),
                     at(row, "reason_code"),
                     at(row, "org"),
                     place(row),
                     at(row, "payload_bytes"),
                     at(row, "attempts"),
                     at(row, "first_seen"),
                     at(row, "last_seen"),
                     at(row, "reason"),
                     show_closing(row));
}

std::string show_quarantine(const json::array& rows) {
  if (rows.empty()) return "quarantine is empty\n";
  std::string out;
  for (const auto& row : rows) out += show_row_head(row);
  return out;
}

/// One row whole.
std::string show_row(const json::value& row) {
  std::string out = show_row_head(row);
  const auto line = [&](const char* label, const char* key) {
    if (const std::string value = at(row, key); !value.empty() && value != "0")
      out += fmt::format("  {:<10} {}\n", label, value);
  };
  line("schema", "schema_id");
  line("replay id", "replay_id");
  line("entry rev", "entry_rev");
  line("unreadable", "unreadable");
  line("bytes", "payload_hex");
  line("record", "record");
  return out;
}

}  // namespace

std::string show(std::string_view view, const json::value& answer) {
  if (view == "status") return show_status(answer);
  if (view == "jobs") {
    const auto& jobs = answer.as_array();
    return jobs.empty() ? "no jobs\n" : show_jobs(jobs);
  }
  if (view == "holes") return show_holes(answer.as_array());
  if (view == "quarantine") return show_quarantine(answer.as_array());
  if (view == "row") return show_row(answer);
  return at(answer, "done") + "\n";
}

}  // namespace headwater::cli
