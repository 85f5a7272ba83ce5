#include "connectors/kafka/headers.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "schemas/core/time.hpp"
#include "schemas/model/render.hpp"
#include "schemas/model/render_event.hpp"

namespace headwater::kafka {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void add_number(HeaderList& out, std::string_view name, std::uint64_t number) {
  append_number(out.text(), number);
  out.end(name);
}

}  // namespace

std::string_view HeaderList::find(std::string_view name) const {
  for (std::size_t i = 0; i < size(); ++i) {
    if (marks_[i].name == name) return (*this)[i].value;
  }
  return {};
}

void render_fixed_record_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch) {
  out.add(kOrgHeader, entry.org);
  const char op = static_cast<char>(entry.op);
  out.add(kOpHeader, {&op, 1});
  add_number(out, kEpochHeader, epoch);
}

void render_varying_record_headers(HeaderList& out, const EntryView& entry) {
  add_number(out, kRevHeader, entry.meta.rev.value);
}

void render_fixed_change_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch) {
  render_fixed_record_headers(out, entry, epoch);
  out.add("bu", entry.bu);
  out.add("entity", entry.entity);
  out.add("content-type", "application/json");
  out.add("ce_specversion", "1.0");
  std::string& text = out.text();
  text += "com.headwater.";
  const std::size_t colon = entry.entity.find(':');
  text += entry.entity.substr(0, colon);
  if (colon != std::string_view::npos) {
    text += '.';
    text += entry.entity.substr(colon + 1);
  }
  text += '.';
  text += event_verb(entry);
  text += ".v1";
  out.end("ce_type");
  text += "/salesforce/";
  text += entry.org;
  out.end("ce_source");
}

void render_varying_change_headers(HeaderList& out, const EntryView& entry) {
  render_varying_record_headers(out, entry);
  append_change_id(out.text(), entry);
  out.end("ce_id");
  out.add("ce_subject", entry.rkey);
  append_datetime(out.text(), entry.meta.commit_ts);
  out.end("ce_time");
  append_version(out.text(), entry.meta.version);
  out.end("ce_sequence");
  out.add("ce_partitionkey", entry.rkey);
}

void render_fixed_event_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch) {
  out.add(kOrgHeader, entry.org);
  add_number(out, kEpochHeader, epoch);
  out.add("content-type", "application/json");
  out.add("ce_specversion", "1.0");
  out.text().append("com.headwater.event.").append(entry.object).append(".published.v1");
  out.end("ce_type");
  out.text().append("/salesforce/").append(entry.org);
  out.end("ce_source");
  out.add("ce_subject", entry.rkey);
  out.add("ce_partitionkey", entry.rkey);
}

void render_varying_event_headers(HeaderList& out, const EntryView& entry) {
  render_varying_record_headers(out, entry);
  append_event_id(out.text(), entry);
  out.end("ce_id");
  append_datetime(out.text(), entry.meta.commit_ts);
  out.end("ce_time");
}

void render_quarantine_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch) {
  out.add(kOrgHeader, entry.org);
  add_number(out, kRevHeader, entry.meta.rev.value);
  add_number(out, kEpochHeader, epoch);
  out.add("status", entry.closed ? "closed" : "open");
  boost::system::error_code failed;
  const auto row = boost::json::parse({entry.row.data(), entry.row.size()}, failed);
  if (failed || !row.is_object()) return;  // the row itself is the message's value, whatever it is
  for (const std::string_view name :
       {"subject", "reason_code", "stage", "attempts", "first_seen"}) {
    const auto* value = row.get_object().if_contains({name.data(), name.size()});
    if (value == nullptr || value->is_null()) continue;
    if (value->is_string()) {
      out.add(name, {value->get_string().data(), value->get_string().size()});
    } else {
      out.add(name, boost::json::serialize(*value));
    }
  }
}

}  // namespace headwater::kafka
