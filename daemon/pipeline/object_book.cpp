#include "daemon/pipeline/object_book.hpp"

#include <algorithm>

#include "connectors/salesforce/describe.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

/// How long a description is trusted; an unknown or hidden field (INVALID_FIELD) drops it at once.
constexpr std::int64_t kDescribeMs = 3'600'000;

std::vector<std::string> types_of(const DescribedObject& object) {
  std::unordered_map<std::string_view, std::string_view> types;
  for (const auto& field : object.description.fields) types.emplace(field.name, field.type);
  std::vector<std::string> out;
  for (const auto& field : object.fields) out.emplace_back(types[field]);
  return out;
}

}  // namespace

Result<const DescribedObject*> ObjectBook::describe(const std::string& object) {
  const std::int64_t now = clock_.monotonic_ms();
  NameTable& names = ledger_.names(org_, object);
  const std::size_t names_before = names.size();
  const std::uint64_t schemas = ledger_.schema_changes(org_, object);
  const auto known = objects_.find(object);
  if (known != objects_.end() && now - known->second.described_at < kDescribeMs &&
      names_before == known->second.names && schemas == known->second.schemas) {
    return &known->second;
  }
  auto description = api_.describe(object);
  if (!description) return description.error();
  if (hidden_ != nullptr) {
    if (auto told = hidden_->described(*description); !told) return told.error();
  }
  DescribedObject& entry = objects_[object];
  entry.description = std::move(description).value();
  entry.fields = salesforce::fetch_fields(entry.description);
  entry.types = types_of(entry);
  entry.described_at = now;
  entry.names = names_before;
  entry.schemas = schemas;
  for (const auto& field : entry.description.fields) {
    if (names.find(field.path)) continue;
    names.intern(field.path);
    ++entry.names;
  }
  return &entry;
}

void ObjectBook::add_row(const std::string& object,
                         const salesforce::RecordRow& decoded,
                         OwnedRows& out) {
  NameTable& names = ledger_.names(org_, object);
  ledger::Row row;
  row.id = decoded.id;
  row.stamp = decoded.stamp;
  auto& members = out.members.emplace_back();
  members.reserve(decoded.fields.size());
  for (const auto& field : decoded.fields) {
    ValueView value = field.value;
    if (value.holds_text()) value.text = out.texts.emplace_back(value.text);
    members.push_back({names.intern(field.path), value});
  }
  std::ranges::sort(members, {}, &Member::name);
  row.fields = members;
  out.rows.push_back(row);
}

OwnedRows ObjectBook::rows_of(const DescribedObject& object,
                              std::span<const salesforce::FetchedRecord> records,
                              std::map<std::string, std::string>& unread) {
  OwnedRows out;
  const std::string& name = object.description.name;
  const salesforce::RowDecoder decoder(object.description);
  salesforce::RecordRow decoded;
  for (const auto& record : records) {
    if (!record.json) {
      ledger::Row gone;
      gone.id = record.id;
      gone.present = false;
      gone.deleted = record.binned;
      out.rows.push_back(gone);
    } else if (auto read = decoder.decode(*record.json, decoded); !read) {
      log::warning(read.error().message,
                   {{"org", org_}, {"object", name}, {"id", record.id.view()}});
      unread.emplace(record.id.view(), read.error().message);
    } else {
      decoded.id = record.id;
      add_row(name, decoded, out);
    }
  }
  return out;
}

}  // namespace headwater
