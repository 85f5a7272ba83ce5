#include "daemon/ledger/hole_rows.hpp"

#include <array>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/ledger/keys.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;
/// Of a stretch that says how often its stream's position was stored: builds before it cannot read
/// it.
constexpr std::uint8_t kStoresFormat = 2;
/// 1 had no topic, entry rev and closing, and a key without the occasion.
constexpr std::uint8_t kRowFormat = 2;

std::string object_key(const Hole& hole) {
  if (has_own_hole(hole.cause)) return make_key(hole.org, "o", hole.object, hole.cause);
  return make_key(hole.org, "o", hole.object);
}

std::string_view scope_text(Hole::Scope scope) {
  switch (scope) {
    case Hole::Scope::Record:
      return "record";
    case Hole::Scope::Object:
      return "object";
    case Hole::Scope::Stretch:
      return "stretch";
    case Hole::Scope::Deletion:
      return "deletion";
    case Hole::Scope::Sink:
      return "sink";
  }
  return {};
}

// Rows of entries: what the sinks mirror. One JSON object, times as text, absent ones null.
void append_text(std::string& out, std::string_view key, std::string_view text) {
  out.append(out.empty() ? "{\"" : ",\"").append(key).append("\":");
  if (text.empty()) {
    out.append("null");
  } else {
    append_json_string(out, text);
  }
}
void append_number(std::string& out, std::string_view key, std::uint64_t number) {
  out.append(out.empty() ? "{\"" : ",\"").append(key).append("\":");
  append_json_number(out, static_cast<std::int64_t>(number));
}
void append_time_member(std::string& out, std::string_view key, EpochMs ms) {
  append_text(out, key, ms == 0 ? std::string() : format_datetime(ms));
}
void append_closing(std::string& out, const Closing& closing) {
  append_text(out, "status", to_string(closing.how));
  if (closing.how == Closing::How::Open) return;
  append_time_member(out, "closed_at", closing.at);
  append_text(out, "closed_by", closing.by);
  append_text(out, "evidence", closing.evidence);
}

void put_closing(std::string& out, const Closing& closing) {
  put_byte(out, static_cast<std::uint8_t>(closing.how));
  put_text(out, closing.by);
  put_text(out, closing.evidence);
  put_signed(out, closing.at);
}
Closing read_closing(ByteReader& reader) {
  Closing closing;
  closing.how = static_cast<Closing::How>(reader.byte());
  closing.by = reader.text();
  closing.evidence = reader.text();
  closing.at = reader.signed_varint();
  return closing;
}

// The texts of a row in their order on disk.
template <typename Row>
auto texts_of(Row& row) {
  return std::array{&row.org,
                    &row.object,
                    &row.id,
                    &row.stage,
                    &row.reason_code,
                    &row.reason,
                    &row.schema_id,
                    &row.replay_id,
                    &row.payload};
}

}  // namespace

std::string_view to_string(Closing::How how) {
  switch (how) {
    case Closing::How::Open:
      return "open";
    case Closing::How::Repaired:
      return "repaired";
    case Closing::How::Accepted:
      return "accepted";
    case Closing::How::Released:
      return "released";
    case Closing::How::Retried:
      return "retried";
    case Closing::How::Discarded:
      return "discarded";
    case Closing::How::GivenUp:
      return "given_up";
  }
  return "?";
}

std::string_view doubts_object(ChangeType type, std::string_view record_id) {
  /// GAP_OVERFLOW's record id, `000000000000000AAA`, is a dummy.
  static constexpr std::string_view kDummy = "000000000000000";
  if (record_id.find('*') != std::string_view::npos) return "wildcard";
  if (!RecordId::parse(record_id)) return "undecodable";
  const bool overflow = type == ChangeType::GapOverflow || record_id.starts_with(kDummy);
  return overflow ? std::string_view("overflow") : std::string_view();
}

std::string hole_key(const Hole& hole) {
  switch (hole.scope) {
    case Hole::Scope::Record:
      return make_key(hole.org, "r", hole.object, hole.id);
    case Hole::Scope::Deletion:
      return make_key(hole.org, "d", hole.object, hole.id);
    case Hole::Scope::Sink:
      return make_key(hole.org, "k", hole.object, hole.id, hole.sink);
    case Hole::Scope::Object:
      return object_key(hole);
    case Hole::Scope::Stretch:
      return rev_key(make_key(hole.org, "s", hole.topic, ""), hole.rev);
  }
  return {};
}

void put_hole(std::string& out, const Hole& hole) {
  put_byte(out, hole.stores == 0 ? kFormat : kStoresFormat);
  put_text(out, hole.cause);
  put_text(out, hole.detail);
  put_signed(out, hole.from_ts);
  put_signed(out, hole.to_ts);
  put_signed(out, hole.opened_at);
  put_signed(out, hole.next_try);
  put_varint(out, hole.attempts);
  put_varint(out, hole.rev.value);
  put_version(out, hole.version);
  if (hole.stores != 0) put_varint(out, hole.stores);
}

std::optional<Hole> read_hole(std::string_view key, std::string_view bytes) {
  Hole hole;
  const auto first = key.find(':');
  if (first == std::string_view::npos || first + 3 > key.size()) return std::nullopt;
  hole.org = key.substr(0, first);
  const char kind = key[first + 1];
  const std::string_view rest = key.substr(first + 3);
  if (kind == 'r' || kind == 'd') {
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    hole.scope = kind == 'r' ? Hole::Scope::Record : Hole::Scope::Deletion;
    hole.object = rest.substr(0, colon);
    hole.id = rest.substr(colon + 1);
  } else if (kind == 'k') {
    const auto colon = rest.find(':');
    const auto second = rest.find(':', colon + 1);
    if (colon == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
    hole.scope = Hole::Scope::Sink;
    hole.object = rest.substr(0, colon);
    hole.id = rest.substr(colon + 1, second - colon - 1);
    hole.sink = rest.substr(second + 1);
  } else if (kind == 'o') {
    hole.scope = Hole::Scope::Object;
    hole.object = rest.substr(0, rest.find(':'));
  } else {
    if (rest.size() < 9) return std::nullopt;
    hole.scope = Hole::Scope::Stretch;
    hole.topic = rest.substr(0, rest.size() - 9);
  }
  ByteReader reader(bytes);
  const std::uint8_t format = reader.byte();
  if (format != kFormat && format != kStoresFormat) return std::nullopt;
  hole.cause = reader.text();
  hole.detail = reader.text();
  hole.from_ts = reader.signed_varint();
  hole.to_ts = reader.signed_varint();
  hole.opened_at = reader.signed_varint();
  hole.next_try = reader.signed_varint();
  hole.attempts = static_cast<std::uint32_t>(reader.varint());
  hole.rev = Rev{reader.varint()};
  hole.version = read_version(reader);
  if (format == kStoresFormat) hole.stores = reader.varint();
  if (!reader.ok()) return std::nullopt;
  return hole;
}

std::string shown_key(const Hole& hole) {
  if (hole.scope != Hole::Scope::Stretch) return hole_key(hole);
  return make_key(hole.org, "s", hole.topic, std::to_string(hole.rev.value));
}

void put_closed_hole(std::string& out, std::string_view key, const Hole& hole) {
  put_byte(out, kFormat);
  put_text(out, key);
  put_closing(out, hole.closing);
  put_hole(out, hole);
}

std::optional<Hole> read_closed_hole(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.byte() != kFormat) return std::nullopt;
  const std::string_view key = reader.text();
  Closing closing = read_closing(reader);
  if (!reader.ok()) return std::nullopt;
  auto hole = read_hole(key, reader.take(reader.left()));
  if (hole) hole->closing = std::move(closing);
  return hole;
}

void put_row(std::string& out, const QuarantineRow& row) {
  put_byte(out, kRowFormat);
  for (const auto* text : texts_of(row)) put_text(out, *text);
  put_varint(out, row.attempts);
  put_signed(out, row.first_seen);
  put_signed(out, row.last_seen);
  put_varint(out, row.rev.value);
  put_text(out, row.topic);
  put_varint(out, row.entry_rev.value);
  put_closing(out, row.closing);
}

std::optional<QuarantineRow> read_row(std::string_view key, std::string_view bytes) {
  QuarantineRow row;
  ByteReader reader(bytes);
  const auto format = reader.byte();
  if (format == 0 || format > kRowFormat) return std::nullopt;
  row.key = key;
  for (auto* text : texts_of(row)) *text = reader.text();
  row.attempts = static_cast<std::uint32_t>(reader.varint());
  row.first_seen = reader.signed_varint();
  row.last_seen = reader.signed_varint();
  row.rev = Rev{reader.varint()};
  if (format >= 2) {
    row.topic = reader.text();
    row.entry_rev = Rev{reader.varint()};
    row.closing = read_closing(reader);
  }
  if (!reader.ok()) return std::nullopt;
  return row;
}

std::optional<QuarantineRow> read_closed_row(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::string_view key = reader.text();
  if (!reader.ok()) return std::nullopt;
  return read_row(key, reader.take(reader.left()));
}

std::string quarantine_key(const QuarantineRow& row) {
  const std::string occasion =
      row.entry_rev.value != 0 ? std::to_string(row.entry_rev.value) : to_hex(row.replay_id);
  return make_key(row.org, row.object, row.id, row.stage, row.reason_code, occasion);
}

std::string subject(const QuarantineRow& row) {
  if (!row.id.empty()) return make_key(row.org, row.object, row.id);
  return row.topic.empty() ? row.org : make_key(row.org, row.topic);
}

std::string hole_json(const Hole& hole) {
  std::string row;
  append_number(row, "id", hole.rev.value);
  append_text(row, "org", hole.org);
  append_text(row, "scope", scope_text(hole.scope));
  append_text(row, "object", hole.object);
  append_text(row, "topic", hole.topic);
  append_text(row, "cause", hole.cause);
  append_time_member(row, "since", hole.from_ts);
  append_time_member(row, "opened_at", hole.opened_at);
  append_number(row, "attempts", hole.attempts);
  append_closing(row, hole.closing);
  row.push_back('}');
  return row;
}

std::string quarantine_json(const QuarantineRow& row, Payload payload) {
  std::string text;
  append_number(text, "id", row.rev.value);
  append_text(text, "subject", subject(row));
  append_text(text, "org", row.org);
  append_text(text, "object", row.object);
  append_text(text, "record_id", row.id);
  append_text(text, "stage", row.stage);
  append_text(text, "reason_code", row.reason_code);
  append_text(text, "reason", row.reason);
  append_text(text, "schema_id", row.schema_id);
  append_text(text, "replay_id", to_hex(row.replay_id));
  append_number(text, "entry_rev", row.entry_rev.value);
  append_number(text, "payload_bytes", row.payload.size());
  if (payload == Payload::Told && row.payload.size() <= kPayloadToldMax)
    append_text(text, "payload_hex", to_hex(row.payload));
  append_number(text, "attempts", row.attempts);
  append_time_member(text, "first_seen", row.first_seen);
  append_time_member(text, "last_seen", row.last_seen);
  append_closing(text, row.closing);
  text.push_back('}');
  return text;
}

}  // namespace headwater::ledger
