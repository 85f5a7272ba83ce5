// What ingest makes of the bytes of one event: the event, or a row in quarantine and a hole.

#include "daemon/observe/log.hpp"
#include "daemon/pipeline/ingest.hpp"

namespace headwater {

void Ingest::decode(const salesforce::FetchedEvent& event, SchemaBook::Page& page) {
  if (page.platform) return decode_platform(event, page);
  EventView view;
  if (auto decoded = read_event(event, page, scratch_, view); !decoded) {
    refuse(event, decoded.error(), view.record_ids.empty() ? nullptr : &view);
    return;
  }
  events_.push_back(view);
  const bool short_of = schemas_.falls_short(page, view.commit_ts);
  if (view.type == ChangeType::Undelete) {
    doubt_image(view, "undeleted", "what is empty now is no part of the event");
  } else if (is_full(view.type) && short_of) {
    doubt_image(
        view, "older_schema", "created by a schema that lacks a field of another one in use");
  }
}

/// Told whole, yet not all of it: nothing would ever tell the rest.
void Ingest::doubt_image(const EventView& event, std::string_view cause, std::string_view why) {
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Record;
  hole.org = parts_.stream.org;
  hole.object = event.entity;
  hole.cause = cause;
  hole.detail = why;
  hole.version = event.version;
  hole.version.at_ms = hole.from_ts = hole.to_ts = event.commit_ts;
  for (const std::string_view text : event.record_ids) {
    const auto id = RecordId::parse(text);
    if (!id) continue;
    hole.id = id->str();
    holes_.push_back(hole);
  }
}

void Ingest::decode_platform(const salesforce::FetchedEvent& event, SchemaBook::Page& page) {
  PlatformEventView view;
  if (auto decoded = read_event(event, page, scratch_, view); !decoded) {
    refuse(event, decoded.error(), nullptr, page.object);
    return;
  }
  platform_.push_back(view);
}

/// To quarantine with its bytes. What it would have changed is a hole: its records, or their
/// object, if the header could be read, else a stretch of the stream.
void Ingest::refuse(const salesforce::FetchedEvent& event,
                    const Error& error,
                    const EventView* header,
                    std::string_view object) {
  ledger::QuarantineRow row;
  row.org = parts_.stream.org;
  row.object = object;
  row.topic = parts_.stream.topic;
  row.stage = "decode";
  row.reason_code = error.code.empty() ? "undecodable" : error.code;
  row.reason = error.message;
  row.schema_id = event.schema_id;
  row.replay_id = event.replay_id;
  row.payload = event.payload;
  row.first_seen = row.last_seen = parts_.clock.now_ms();
  ledger::Hole hole;
  hole.org = parts_.stream.org;
  hole.topic = parts_.stream.topic;
  hole.cause = "undecodable";
  hole.detail = error.message;
  hole.opened_at = row.first_seen;
  if (header != nullptr) {
    row.object = header->entity;
    // Only a row that was asked for after this event settles the doubt.
    hole.version = header->version;
    hole.version.at_ms = hole.from_ts = hole.to_ts = header->commit_ts;
    for (const std::string_view text : header->record_ids) {
      hole.object = header->entity;
      if (const auto cause = ledger::doubts_object(header->type, text); !cause.empty()) {
        hole.scope = ledger::Hole::Scope::Object;
        hole.cause = cause;
      } else {
        hole.scope = ledger::Hole::Scope::Record;
        hole.cause = "undecodable";
        hole.id = RecordId::parse(text)->str();
        if (row.id.empty()) row.id = hole.id;
      }
      holes_.push_back(hole);
    }
  } else {
    hole.scope = ledger::Hole::Scope::Stretch;
    const auto position = parts_.ledger.position(parts_.stream);
    hole.from_ts = position ? complete_until(*position) : 0;
    hole.to_ts = row.first_seen;
    holes_.push_back(hole);
  }
  log::error("event cannot be decoded: kept in quarantine",
             {{"org", row.org},
              {"replay_id", to_hex(event.replay_id)},
              {"schema_id", row.schema_id},
              {"reason", row.reason}});
  refused_.push_back(std::move(row));
}

}  // namespace headwater
