#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/org_reader.hpp"
#include "schemas/core/time.hpp"

namespace headwater::test {

/// An org of accounts with two fields and a formula, asked by REST or Bulk. A test changes it as it
/// likes.
class FakeOrg final : public salesforce::OrgApi, public salesforce::OrgReader {
 public:
  struct Record {
    std::string name, industry;
    EpochMs stamp = 0;
    bool deleted = false;
    std::string score = "7";
  };
  std::map<std::string, Record> records;
  std::set<std::string> poison;       ///< ids whose `Due__c`, a date to describe, is none
  std::optional<Error> refusal;       ///< of every query
  std::optional<Error> job_refusal;   ///< of every look at a job
  std::optional<Error> page_refusal;  ///< of the next page, be it of a query or of a job
  std::function<void(int)> on_page;   ///< before the nth page since the last reset is given
  bool hidden = false;                ///< the user sees no record
  bool bin_told = false;              ///< reading by id shows the recycle bin
  bool withdrawn = false;             ///< the user may not read the object
  std::size_t page = 3;
  int pages = 0, described = 0;
  std::uint64_t announced = 0;  ///< more rows than there are: a large object
  int jobs = 0, jobs_failing = 0, jobs_freed = 0, jobs_aborted = 0,
      polls = 0;  ///< the first jobs fail
  std::vector<salesforce::Priority> priorities;

  Result<std::string> org_id() override { return std::string("00D5f000000AbCdEAK"); }
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override {
    std::vector<salesforce::ObjectInfo> listed{{"Account", "001", true, true}};
    if (withdrawn) listed.clear();
    return listed;
  }
  Result<std::vector<salesforce::RecordTypeInfo>> record_types() override {
    return std::vector<salesforce::RecordTypeInfo>{};
  }
  Result<std::vector<std::string>> channel_members(std::string_view) override {
    return std::vector<std::string>{"AccountChangeEvent"};
  }
  Result<salesforce::ObjectDescription> describe(std::string_view object) override {
    ++described;
    if (withdrawn) return rejected("describe Account: HTTP 404", "NOT_FOUND");
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
    add("Score", "string");
    out.fields.back().calculated = true;  // a formula: no event tells it
    if (!poison.empty()) add("Due__c", "date");
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
      out.back().binned = bin_told && !hidden && at != records.end() && at->second.deleted;
    }
    return out;
  }

  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t,
                                      const salesforce::CallTerms& terms) override {
    rows_.clear();
    shown_.clear();
    at_ = 0;
    priorities.push_back(terms.priority);
    if (refusal) return *refusal;
    by_id_ = selection.where.starts_with("Id IN");
    for (const auto& record : records) {
      if (hidden || (record.second.deleted && !selection.with_deleted)) continue;
      if (by_id_ && selection.where.find(record.first) == std::string::npos) continue;
      static constexpr std::string_view kSince = "SystemModstamp >= ";
      if (selection.where.starts_with(kSince) &&
          record.second.stamp < *parse_datetime(selection.where.substr(kSince.size())))
        continue;
      rows_.push_back(json(record, selection.fields));
      shown_.push_back(record);
    }
    return give();
  }
  Result<salesforce::QueryPage> query_next(const std::string&,
                                           const salesforce::CallTerms& terms) override {
    priorities.push_back(terms.priority);
    if (refusal) return *refusal;
    if (page_refusal) return *std::exchange(page_refusal, std::nullopt);
    return give();
  }

  Result<salesforce::OrgLimits> limits(const salesforce::CallTerms&) override { return no(); }
  Result<std::uint64_t> count(const salesforce::Selection&, const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::DeletionLog> deletions(const std::string&,
                                            EpochMs,
                                            EpochMs,
                                            const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::BulkJob> create_job(const salesforce::Selection& selection,
                                         const salesforce::CallTerms& terms) override {
    priorities.push_back(terms.priority);
    ++jobs;
    polls = 2;
    if (auto selected = query(selection, 0, terms); !selected) return selected.error();
    job_rows_.clear();
    for (const auto& [id, record] : shown_) {
      std::string& row = job_rows_.emplace_back();
      for (const auto& name : selection.fields)
        row += (row.empty() ? "\"" : ",\"") + cell(id, record, name) + '"';
    }
    return job("", terms);
  }
  Result<salesforce::BulkJob> job(const std::string&, const salesforce::CallTerms&) override {
    if (job_refusal) return *job_refusal;
    salesforce::BulkJob out;
    out.id = "750" + std::to_string(jobs);
    out.object = "Account";
    out.records = job_rows_.size();
    using State = salesforce::BulkJob::State;
    out.state = polls-- > 0            ? State::Running
                : jobs <= jobs_failing ? State::Failed
                                       : State::Complete;
    return out;
  }
  Result<salesforce::BulkJob> wait_for_job(const std::string&,
                                           const salesforce::CallTerms&) override {
    return no();
  }
  Result<salesforce::BulkPage> job_page(const std::string&,
                                        std::span<const std::string> fields,
                                        const std::string& locator,
                                        std::size_t,
                                        const salesforce::CallTerms&) override {
    if (on_page) on_page(++pages);
    if (page_refusal) return *std::exchange(page_refusal, std::nullopt);
    salesforce::CsvParser parser(fields, 1U << 20);
    std::size_t at = locator.empty() ? 0 : std::stoul(locator);
    std::string text;
    for (const auto& name : fields) text += (text.empty() ? "" : ",") + name;
    text += '\n';
    const auto to = std::min(job_rows_.size(), at + page);
    for (; at < to; ++at) text += job_rows_[at] + '\n';
    if (auto fed = parser.feed(text); !fed) return fed.error();
    auto rows = parser.finish();
    if (!rows) return rows.error();
    return salesforce::BulkPage{std::move(*rows),
                                at < job_rows_.size() ? std::to_string(at) : std::string()};
  }
  Result<void> abort_job(const std::string&, const salesforce::CallTerms&) override {
    ++jobs_aborted;
    return {};
  }
  Result<void> delete_job(const std::string&, const salesforce::CallTerms&) override {
    ++jobs_freed;
    return {};
  }

 private:
  static Error no() { return rejected("this org answers queries only"); }
  std::string json(const std::pair<const std::string, Record>& record,
                   std::span<const std::string> names) const {
    std::string out = R"({"attributes":{"type":"Account"})";
    for (const auto& name : names) {
      out += ",\"" + name + "\":";
      if (name == "Id") out += '"' + record.first + '"';
      if (name == "SystemModstamp") out += '"' + format_datetime(record.second.stamp) + '"';
      if (name == "IsDeleted") out += record.second.deleted ? "true" : "false";
      if (name == "Name") out += text(record.second.name);
      if (name == "Industry") out += text(record.second.industry);
      if (name == "Score") out += text(record.second.score);
      if (name == "Due__c") out += poison.contains(record.first) ? R"("tomorrow")" : "null";
    }
    return out + "}";
  }
  static std::string text(const std::string& value) {
    return value.empty() ? "null" : '"' + value + '"';
  }
  Result<salesforce::QueryPage> give() {
    if (on_page) on_page(++pages);
    salesforce::QueryPage out;
    out.total = std::max<std::uint64_t>(rows_.size(), by_id_ ? 0 : announced);
    const auto to = std::min(rows_.size(), at_ + page);
    for (; at_ < to; ++at_) out.records.push_back(rows_[at_]);
    if (at_ < rows_.size()) out.next = "more";
    return out;
  }
  std::string cell(const std::string& id, const Record& record, const std::string& name) const {
    if (name == "Due__c") return poison.contains(id) ? "tomorrow" : "";
    if (name == "Id") return id;
    if (name == "SystemModstamp") return format_datetime(record.stamp);
    if (name == "IsDeleted") return record.deleted ? "true" : "false";
    if (name == "Name") return record.name;
    return name == "Industry" ? record.industry : record.score;
  }
  std::vector<std::string> rows_;
  std::vector<std::pair<std::string, Record>> shown_;
  std::vector<std::string> job_rows_;
  std::size_t at_ = 0;
  bool by_id_ = false;
};

}  // namespace headwater::test
