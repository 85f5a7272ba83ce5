#include "connectors/salesforce/org_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/org_answers.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::salesforce {
namespace {

/// The JSON array of field names, with the two that every row needs.
std::string field_list(std::span<const std::string> fields) {
  std::string out = R"(["Id","SystemModstamp")";
  for (const auto& field : fields) {
    if (field == "Id" || field == "SystemModstamp") continue;
    out += ',';
    append_json_string(out, field);
  }
  return out += ']';
}

}  // namespace

OrgClient::OrgClient(const OrgConfig& config,
                     std::shared_ptr<TokenSource> tokens,
                     std::shared_ptr<OrgMetrics> metrics,
                     std::shared_ptr<QuotaGovernor> quota)
    : rest_(config, std::move(tokens), std::move(metrics), std::move(quota)) {}

Result<std::string> OrgClient::org_id() {
  auto token = rest_.tokens().get();
  if (!token) return std::move(token).error();
  return token->org_id;
}

Result<std::vector<ObjectInfo>> OrgClient::describe_global() {
  HttpRequest request;
  request.path = rest_.path("/sobjects");
  auto body =
      call(fmt::format("list the objects of org {}", rest_.config().name), std::move(request));
  if (!body) return std::move(body).error();
  return read_describe_global(*body);
}

Result<ObjectDescription> OrgClient::describe(std::string_view object) {
  HttpRequest request;
  request.path = rest_.path(fmt::format("/sobjects/{}/describe", percent_encoded(object)));
  auto body =
      call(fmt::format("describe {} of org {}", object, rest_.config().name), std::move(request));
  if (!body) return std::move(body).error();
  return read_describe(*body);
}

Result<QueryPage> OrgClient::query(const std::string& doing,
                                   std::string_view resource,
                                   const Selection& selection) {
  HttpRequest request;
  request.path = rest_.path(fmt::format("{}?q={}", resource, percent_encoded(soql(selection))));
  const auto body = call(doing, std::move(request));
  if (!body) return body.error();
  return read_query_page(doing, *body);
}

Result<std::vector<RecordTypeInfo>> OrgClient::record_types() {
  const auto doing = fmt::format("query RecordType of org {}", rest_.config().name);
  Selection selection;
  selection.object = "RecordType";
  selection.fields = {"Id", "DeveloperName"};
  selection.order_by = "Id";
  selection.limit = kQueryRecordsMax;
  std::vector<RecordTypeInfo> out;
  while (true) {
    // By key, not by locator: a type that is added or removed meanwhile hides no other.
    if (!out.empty()) selection.where = "Id > " + soql_quoted(out.back().id.view());
    const auto page = query(doing, "/query", selection);
    if (!page) return page.error();
    for (const auto& record : page->records) {
      auto type = read_record_type(doing, record);
      if (!type) return type.error();
      if (!out.empty() && type->id.view() <= out.back().id.view())
        return transient(fmt::format("{}: the rows are out of order; trying again", doing));
      out.push_back(std::move(*type));
    }
    if (page->records.empty() || (page->next.empty() && page->records.size() < kQueryRecordsMax))
      return out;
  }
}

Result<std::vector<std::string>> OrgClient::channel_members(std::string_view channel) {
  const auto doing =
      fmt::format("ask what channel {} of org {} carries", channel, rest_.config().name);
  Selection selection;
  selection.object = "PlatformEventChannelMember";
  selection.fields = {"SelectedEntity"};
  selection.where = "EventChannel = " + soql_quoted(channel);
  const auto page = query(doing, "/tooling/query", selection);
  if (!page) return page.error();
  // An org selects tens of entities; a page holds 2,000.
  if (!page->next.empty() || page->records.size() != page->total)
    return transient(fmt::format(
        "{}: {} of {} members came back; trying again", doing, page->records.size(), page->total));
  std::vector<std::string> out;
  for (const auto& record : page->records) {
    auto entity = read_channel_member(doing, record);
    if (!entity) return entity.error();
    out.push_back(std::move(*entity));
  }
  return out;
}

Result<std::vector<FetchedRecord>> OrgClient::fetch(std::string_view object,
                                                    std::span<const RecordId> ids,
                                                    std::span<const std::string> fields) {
  const auto names = field_list(fields);
  std::vector<FetchedRecord> records;
  records.reserve(ids.size());
  while (!ids.empty()) {
    const auto slice = ids.first(std::min(ids.size(), kFetchIdsMax));
    if (auto done = fetch_slice(object, slice, names, records); !done)
      return std::move(done).error();
    ids = ids.subspan(slice.size());
  }
  if (auto marked = mark_binned(object, records); !marked) return marked.error();
  return records;
}

Result<void> OrgClient::mark_binned(std::string_view object, std::span<FetchedRecord> records) {
  std::vector<FetchedRecord*> absent;
  for (auto& record : records) {
    if (!record.json) absent.push_back(&record);
  }
  for (std::size_t at = 0; at < absent.size(); at += kBinIdsMax) {
    const std::span all(absent);
    const auto asked = ask_bin(object, all.subspan(at, std::min(kBinIdsMax, all.size() - at)));
    if (asked) continue;
    // An object without IsDeleted, or one that may not be queried: then absence is all we know.
    if (asked.error().kind == ErrorKind::Rejected) return {};
    return asked;
  }
  return {};
}

Result<void> OrgClient::ask_bin(std::string_view object, std::span<FetchedRecord* const> absent) {
  const auto doing =
      fmt::format("look for {} records in the recycle bin of org {}", object, rest_.config().name);
  Selection selection;
  selection.object = object;
  selection.fields = {"Id", "IsDeleted"};
  std::map<RecordId, FetchedRecord*> asked;
  for (FetchedRecord* record : absent) {
    selection.where += selection.where.empty() ? "Id IN (" : ",";
    selection.where += soql_quoted(record->id.view());
    asked.emplace(record->id, record);
  }
  selection.where += ")";
  const auto page = query(doing, "/queryAll", selection);
  if (!page) return page.error();
  for (const auto& row : page->records) {
    const auto told = read_deletion(doing, row);
    if (!told) return told.error();
    const auto at = asked.find(told->id);
    // One that lives by now is left to its event.
    if (at != asked.end()) at->second->binned = told->deleted;
  }
  return {};
}

Result<void> OrgClient::fetch_slice(std::string_view object,
                                    std::span<const RecordId> ids,
                                    const std::string& fields,
                                    std::vector<FetchedRecord>& out) {
  const auto doing =
      fmt::format("read {} {} records of org {}", ids.size(), object, rest_.config().name);
  HttpRequest request;
  request.method = "POST";
  request.path = rest_.path(fmt::format("/composite/sobjects/{}", percent_encoded(object)));
  request.content_type = "application/json";
  request.body = R"({"ids":[)";
  for (const auto& id : ids) {
    if (request.body.back() != '[') request.body += ',';
    append_json_string(request.body, id.view());
  }
  request.body += R"(],"fields":)" + fields + '}';

  auto body = call(doing, std::move(request));
  if (!body && body.error().code == kBodyTooLarge && ids.size() > 1) {
    const auto half = ids.size() / 2;
    if (auto done = fetch_slice(object, ids.first(half), fields, out); !done) return done;
    return fetch_slice(object, ids.subspan(half), fields, out);
  }
  if (!body) return std::move(body).error();
  const auto rows = array_elements(*body);
  if (!rows) return rows.error();
  if (rows->size() != ids.size())
    return transient(fmt::format("{}: {} rows came back; trying again", doing, rows->size()));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    FetchedRecord record{ids[i]};
    if ((*rows)[i] != "null") record.json = std::string((*rows)[i]);
    out.push_back(std::move(record));
  }
  return {};
}

Result<std::string> OrgClient::call(const std::string& doing, HttpRequest request) {
  auto reply = rest_.send(doing, std::move(request), {.priority = Priority::Repair});
  if (!reply) return std::move(reply).error();
  return std::move(reply->body);
}

std::unique_ptr<OrgApi> make_org_client(const OrgConfig& config,
                                        std::shared_ptr<TokenSource> tokens,
                                        std::shared_ptr<OrgMetrics> metrics,
                                        std::shared_ptr<QuotaGovernor> quota) {
  return std::make_unique<OrgClient>(
      config, std::move(tokens), std::move(metrics), std::move(quota));
}

}  // namespace headwater::salesforce
