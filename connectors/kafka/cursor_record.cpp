#include "connectors/kafka/cursor_record.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "schemas/core/json_members.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::kafka {
namespace {

void append_member(std::string& out, std::string_view head, std::int64_t number) {
  out += head;
  append_json_number(out, number);
}

void append_time(std::string& out, std::string_view head, EpochMs ms) {
  out += head;
  if (ms == 0) {
    out += "null";
    return;
  }
  out += '"';
  append_datetime(out, ms);
  out += '"';
}

/// A whole number that is not negative, or nothing.
std::optional<std::int64_t> number_of(const boost::json::value& value) {
  boost::system::error_code failed;
  const auto number = value.to_number<std::int64_t>(failed);
  if (failed || number < 0) return std::nullopt;
  return number;
}

std::optional<std::int64_t> number_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains({key.data(), key.size()});
  return value == nullptr ? std::nullopt : number_of(*value);
}

bool read_ends(const boost::json::object& object, TopicEnds& ends) {
  for (const auto& [topic, list] : object) {
    if (!list.is_array()) return false;
    auto& offsets = ends[std::string(topic)];
    for (const auto& offset : list.get_array()) {
      const auto number = number_of(offset);
      if (!number) return false;
      offsets.push_back(*number);
    }
  }
  return true;
}

}  // namespace

std::string cursor_key(std::string_view sink, std::string_view org) {
  return std::string(sink) + ':' + std::string(org);
}

void append_cursor_json(std::string& out, const CursorRecord& record) {
  out += R"({"ledger":)";
  append_json_string(out, record.ledger);
  out += R"(,"holder":)";
  append_json_string(out, record.holder);
  append_member(out, R"(,"epoch":)", static_cast<std::int64_t>(record.epoch));
  append_member(out, R"(,"claim":)", static_cast<std::int64_t>(record.claim));
  append_member(out, R"(,"rev":)", static_cast<std::int64_t>(record.rev.value));
  append_member(out, R"(,"highest":)", static_cast<std::int64_t>(record.highest.value));
  append_time(out, R"(,"commit_ts":)", record.commit_ts);
  append_time(out, R"(,"updated_at":)", record.updated_at);
  out += R"(,"ends":{)";
  bool first = true;
  for (const auto& [topic, offsets] : record.ends) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, topic);
    out += ":[";
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (i != 0) out += ',';
      append_json_number(out, offsets[i]);
    }
    out += ']';
  }
  out += "}}";
}

std::optional<CursorRecord> parse_cursor_json(std::string_view text) {
  boost::system::error_code failed;
  const auto json = boost::json::parse({text.data(), text.size()}, failed);
  if (failed || !json.is_object()) return std::nullopt;
  const auto& object = json.get_object();
  const auto epoch = number_of(object, "epoch");
  const auto rev = number_of(object, "rev");
  const auto* ends = object.if_contains("ends");
  if (!epoch || !rev || ends == nullptr || !ends->is_object()) return std::nullopt;

  CursorRecord record;
  record.ledger = text_of(object, "ledger");
  record.holder = text_of(object, "holder");
  record.epoch = static_cast<std::uint64_t>(*epoch);
  record.claim = static_cast<std::uint64_t>(number_of(object, "claim").value_or(0));
  record.rev = Rev{static_cast<std::uint64_t>(*rev)};
  const auto highest = static_cast<std::uint64_t>(number_of(object, "highest").value_or(0));
  record.highest = std::max(record.rev, Rev{highest});
  record.commit_ts = parse_datetime(text_of(object, "commit_ts")).value_or(0);
  record.updated_at = parse_datetime(text_of(object, "updated_at")).value_or(0);
  if (!read_ends(ends->get_object(), record.ends)) return std::nullopt;
  return record;
}

}  // namespace headwater::kafka
