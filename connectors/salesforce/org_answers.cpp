#include "connectors/salesforce/org_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/core/json_members.hpp"

namespace headwater::salesforce {
namespace {

namespace json = boost::json;

/// Where a top-level member's value stands in a JSON object's text. Not a document tree: its
/// numbers are not correctly rounded in Boost 1.81, and records must stay as the org printed them.
std::string_view member_text(std::string_view object, std::string_view name) {
  int depth = 0;
  std::size_t key_from = 0, key_to = 0;
  bool key_next = true;
  for (std::size_t at = 0; at < object.size(); ++at) {
    const char c = object[at];
    if (c == '"') {
      const auto from = at + 1;
      for (++at; at < object.size() && object[at] != '"'; ++at)
        if (object[at] == '\\') ++at;
      if (depth == 1 && key_next) key_from = from, key_to = at, key_next = false;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 1) {
      key_next = true;
    } else if (c == ':' && depth == 1 && object.substr(key_from, key_to - key_from) == name) {
      return object.substr(at + 1);
    }
  }
  return {};
}

/// The array at the beginning of `text`, without what follows it.
std::string_view array_text(std::string_view text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if ((c == ']' || c == '}') && --depth == 0) {
      return text.substr(0, at + 1);
    }
  }
  return {};
}

std::int64_t number_of(const json::object& object, std::string_view key, std::int64_t otherwise) {
  const auto* value = object.if_contains(key);
  boost::system::error_code failed;
  const auto number = value ? value->to_number<std::int64_t>(failed) : otherwise;
  return value && !failed ? number : otherwise;
}

Error not_json(std::string_view doing) {
  return transient(fmt::format("{}: the answer is not what it should be; trying again", doing));
}

Result<json::object> read_object(std::string_view doing, std::string_view body) {
  boost::system::error_code failed;
  auto value = json::parse(body, failed);
  if (failed || !value.is_object()) return not_json(doing);
  return std::move(value.get_object());
}

Allowance allowance_of(const json::object& limits, std::string_view key) {
  const auto* value = limits.if_contains(key);
  if (!value || !value->is_object()) return {};
  return {number_of(value->get_object(), "Max", -1),
          number_of(value->get_object(), "Remaining", -1)};
}

}  // namespace

Result<QueryPage> read_query_page(std::string_view doing, std::string_view body) {
  const auto records = array_text(member_text(body, "records"));
  if (records.empty()) return not_json(doing);
  // The rest of the body is small: parsed without the records.
  std::string frame(body.substr(0, static_cast<std::size_t>(records.data() - body.data())));
  frame += "[]";
  frame += body.substr(static_cast<std::size_t>(records.data() - body.data()) + records.size());
  const auto whole = read_object(doing, frame);
  if (!whole) return whole.error();
  auto rows = array_elements(records);
  if (!rows) return rows.error();
  QueryPage page;
  for (const auto row : *rows) page.records.emplace_back(row);
  page.total =
      static_cast<std::uint64_t>(std::max<std::int64_t>(number_of(*whole, "totalSize", 0), 0));
  page.next = text_of(*whole, "nextRecordsUrl");
  const auto* done = whole->if_contains("done");
  if (!done || !done->is_bool() || done->get_bool() != page.next.empty()) return not_json(doing);
  return page;
}

Result<RecordTypeInfo> read_record_type(std::string_view doing, std::string_view record) {
  const auto row = read_object(doing, record);
  if (!row) return row.error();
  const auto id = RecordId::parse(text_of(*row, "Id"));
  if (!id) return not_json(doing);
  return RecordTypeInfo{*id, text_of(*row, "DeveloperName")};
}

Result<DeletionTold> read_deletion(std::string_view doing, std::string_view record) {
  const auto row = read_object(doing, record);
  if (!row) return row.error();
  const auto id = RecordId::parse(text_of(*row, "Id"));
  const auto* deleted = row->if_contains("IsDeleted");
  if (!id || deleted == nullptr || !deleted->is_bool()) return not_json(doing);
  return DeletionTold{*id, deleted->get_bool()};
}

Result<std::string> read_channel_member(std::string_view doing, std::string_view record) {
  const auto row = read_object(doing, record);
  if (!row) return row.error();
  auto entity = text_of(*row, "SelectedEntity");
  if (entity.empty()) return not_json(doing);
  return entity;
}

Result<BulkJob> read_job(std::string_view doing, std::string_view body) {
  const auto whole = read_object(doing, body);
  if (!whole) return whole.error();
  static constexpr std::array<std::pair<std::string_view, BulkJob::State>, 5> kStates{
      {{"UploadComplete", BulkJob::State::Queued},
       {"InProgress", BulkJob::State::Running},
       {"JobComplete", BulkJob::State::Complete},
       {"Failed", BulkJob::State::Failed},
       {"Aborted", BulkJob::State::Aborted}}};
  const auto state = text_of(*whole, "state");
  const auto known = std::find_if(
      kStates.begin(), kStates.end(), [&](const auto& row) { return row.first == state; });
  BulkJob job;
  job.id = text_of(*whole, "id");
  if (known == kStates.end() || job.id.empty()) return not_json(doing);
  job.state = known->second;
  job.object = text_of(*whole, "object");
  job.records = static_cast<std::uint64_t>(
      std::max<std::int64_t>(number_of(*whole, "numberRecordsProcessed", 0), 0));
  job.error = quoted(text_of(*whole, "errorMessage"));
  return job;
}

Result<DeletionLog> read_deletions(std::string_view doing, std::string_view body) {
  const auto whole = read_object(doing, body);
  if (!whole) return whole.error();
  const auto from = parse_datetime(text_of(*whole, "earliestDateAvailable"));
  const auto to = parse_datetime(text_of(*whole, "latestDateCovered"));
  const auto* records = whole->if_contains("deletedRecords");
  if (!from || !to || !records || !records->is_array()) return not_json(doing);
  DeletionLog log;
  log.reaches_from = *from;
  log.reaches_to = *to;
  for (const auto& record : records->get_array()) {
    const auto id =
        RecordId::parse(record.is_object() ? text_of(record.get_object(), "id") : std::string{});
    if (!id) return not_json(doing);
    log.ids.push_back(*id);
  }
  return log;
}

Result<OrgLimits> read_limits(std::string_view doing, std::string_view body) {
  const auto whole = read_object(doing, body);
  if (!whole) return whole.error();
  return OrgLimits{allowance_of(*whole, "DailyApiRequests"),
                   allowance_of(*whole, "DailyBulkV2QueryJobs"),
                   allowance_of(*whole, "DailyBulkV2QueryFileStorageMB"),
                   allowance_of(*whole, "DailyDeliveredPlatformEvents")};
}

std::optional<std::uint64_t> rows_told(const HttpReply& reply) {
  const auto header = reply.headers.find("sforce-numberofrecords");
  if (header == reply.headers.end()) return std::nullopt;
  std::uint64_t rows = 0;
  const auto* end = header->second.data() + header->second.size();
  const auto [stop, failed] = std::from_chars(header->second.data(), end, rows);
  if (failed != std::errc{} || stop != end) return std::nullopt;
  return rows;
}

}  // namespace headwater::salesforce
