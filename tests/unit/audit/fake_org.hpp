#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/org_reader.hpp"
#include "schemas/core/time.hpp"

namespace headwater::test {

/// An org of accounts with two fields, asked by REST. A test changes it as it likes.
class FakeOrg final : public salesforce::OrgApi, public salesforce::OrgReader {
 public:
  struct Record {
    std::string name, industry;
    EpochMs stamp = 0;
    bool deleted = false;
  };
  std::map<std::string, Record> records;
  std::optional<Error> refusal;      ///< of every query
  std::function<void(int)> on_page;  ///< before the nth page since the last reset is given
  bool hidden = false;               ///< the user sees no record
  std::size_t page = 3;
  int pages = 0, described = 0;
  std::vector<salesforce::Priority> priorities;

  Result<std::string> org_id() override { return std::string("00D5f000000AbCdEAK"); }
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override {
    return std::vector<salesforce::ObjectInfo>{{"Account", "001", true, true}};
  }
  Result<salesforce::ObjectDescription> describe(std::string_view object) override {
    ++described;
    salesforce::ObjectDescription out;
    out.name = object;
    const auto add = [&out](const char* name, const char* type) {
      salesforce::FieldInfo field;
      field.name = field.path = name;
      field.type = type;
      out.fields.push_back(field);
    };
    add("Id", "id");
    add("SystemModstamp", "datetime");
    add("IsDeleted", "boolean");
    add("Name", "string");
    add("Industry", "string");
    add("Score", "string");  // a formula: no event tells it
    return out;
  }
  Result<std::vector<salesforce::FetchedRecord>> fetch(
      std::string_view,
      std::span<const RecordId> ids,
      std::span<const std::string> names) override {
    std::vector<salesforce::FetchedRecord> out;
    for (const auto& id : ids) {
      const auto at = records.find(id.str());
      const bool there = !hidden && at != records.end() && !at->second.deleted;
      out.push_back({id, there ? std::optional(json(*at, names)) : std::nullopt});
    }
    return out;
  }

  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t,
                                      const salesforce::CallTerms& terms) override {
    rows_.clear();
    at_ = 0;
    priorities.push_back(terms.priority);
    if (refusal) return *refusal;
    for (const auto& record : records) {
      if (hidden || (record.second.deleted && !selection.with_deleted)) continue;
      if (selection.where.starts_with("Id IN") &&
          selection.where.find(record.first) == std::string::npos)
        continue;
      static constexpr std::string_view kSince = "SystemModstamp >= ";
      if (selection.where.starts_with(kSince) &&
          record.second.stamp < *parse_datetime(selection.where.substr(kSince.size())))
        continue;
      rows_.push_back(json(record, selection.fields));
    }
    return give();
  }
  Result<salesforce::QueryPage> query_next(const std::string&,
                                           const salesforce::CallTerms& terms) override {
    priorities.push_back(terms.priority);
    if (refusal) return *refusal;
    return give();
  }

  Result<salesforce::OrgLimits> limits(const salesforce::CallTerms&) override { return no(); }
  Result<std::uint64_t> count(const salesforce::Selection&, const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::BulkJob> create_job(const salesforce::Selection&,
                                         const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::BulkJob> job(const std::string&, const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::BulkJob> wait_for_job(const std::string&,
                                           const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::BulkPage> job_page(const std::string&,
                                        std::span<const std::string>,
                                        const std::string&,
                                        std::size_t,
                                        const salesforce::CallTerms&) override {
    return no();
  }
  Result<void> abort_job(const std::string&, const salesforce::CallTerms&) override { return no(); }
  Result<void> delete_job(const std::string&, const salesforce::CallTerms&) override {
    return no();
  }

 private:
  static Error no() { return rejected("this org answers queries only"); }
  static std::string json(const std::pair<const std::string, Record>& record,
                          std::span<const std::string> names) {
    std::string out = R"({"attributes":{"type":"Account"})";
    for (const auto& name : names) {
      out += ",\"" + name + "\":";
      if (name == "Id") out += '"' + record.first + '"';
      if (name == "SystemModstamp") out += '"' + format_datetime(record.second.stamp) + '"';
      if (name == "IsDeleted") out += record.second.deleted ? "true" : "false";
      if (name == "Name") out += text(record.second.name);
      if (name == "Industry") out += text(record.second.industry);
      if (name == "Score") out += text("7");
    }
    return out + "}";
  }
  static std::string text(const std::string& value) {
    return value.empty() ? "null" : '"' + value + '"';
  }
  Result<salesforce::QueryPage> give() {
    if (on_page) on_page(++pages);
    salesforce::QueryPage out;
    out.total = rows_.size();
    const auto to = std::min(rows_.size(), at_ + page);
    for (; at_ < to; ++at_) out.records.push_back(rows_[at_]);
    if (at_ < rows_.size()) out.next = "more";
    return out;
  }
  std::vector<std::string> rows_;
  std::size_t at_ = 0;
};

}  // namespace headwater::test
