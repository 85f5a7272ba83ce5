#include "schemas/model/render_event.hpp"

#include "schemas/core/json_text.hpp"

namespace headwater {
namespace {

void append_text(std::string& out, std::string_view key_colon, std::string_view text) {
  out.append(key_colon);
  append_json_string(out, text);
}

void append_text_or_null(std::string& out, std::string_view key_colon, std::string_view text) {
  if (!text.empty()) return append_text(out, key_colon, text);
  out.append(key_colon).append("null");
}

}  // namespace

void append_event_envelope(std::string& out, const EntryView& e, const EnvelopeContext& context) {
  out.append("{\"event\":").append(e.row);
  append_text(out, ",\"key\":", e.rkey);
  append_text(out, ",\"source\":{\"version\":", context.version);
  append_text(out, ",\"connector\":\"salesforce-pubsub\",\"name\":", e.org);
  append_text_or_null(out, ",\"org_id\":", context.org_id);
  append_text(out, ",\"topic\":", e.topic);
  append_text(out, ",\"event\":", e.object);
  append_text_or_null(out, ",\"schema_id\":", e.origin.schema_id);
  append_text_or_null(out, ",\"replay_id\":", to_hex(e.origin.replay_id));
  append_text_or_null(out, ",\"event_uuid\":", e.origin.event_uuid);
  out.append(",\"created_at\":");
  append_json_value(out,
                    e.meta.commit_ts == 0 ? ValueView::null()
                                          : ValueView::of_number(e.meta.commit_ts, Tag::DateTime));
  append_text_or_null(out, ",\"created_by\":", e.origin.commit_user);
  out.append("},\"ts_ms\":");
  append_json_number(out, e.ts_ms);
  out.append(",\"rev\":");
  append_json_number(out, static_cast<std::int64_t>(e.meta.rev.value));
  out.push_back('}');
}

void append_event_id(std::string& out, const EntryView& e) {
  out.append(e.org).append(1, '/').append(e.object).append(1, '/');
  if (e.origin.event_uuid.empty()) {
    out.append(to_hex(e.origin.replay_id));
  } else {
    out.append(e.origin.event_uuid);
  }
}

}  // namespace headwater
