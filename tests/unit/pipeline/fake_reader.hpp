#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater::test {

/// An org of accounts: describe, fetch by id, queries by key set and Bulk jobs, and whatever a test
/// lets go wrong.
class FakeOrg final : public salesforce::OrgApi, public salesforce::OrgReader {
 public:
  struct Account {
    std::string name;
    bool deleted = false;
    EpochMs stamp = kStamp;
  };
  static constexpr EpochMs kStamp = 1'772'366'460'000;  // 2026-03-01T12:01:00Z

  void add(int from, int to) {
    for (int i = from; i <= to; ++i) accounts[account(i)] = {"N" + std::to_string(i)};
  }

  // ---- OrgApi
  Result<std::string> org_id() override { return std::string("00D5f000000AbCdEAK"); }
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override { return listed; }
  Result<std::vector<salesforce::RecordTypeInfo>> record_types() override {
    return std::vector<salesforce::RecordTypeInfo>{};
  }
  Result<std::vector<std::string>> channel_members(std::string_view channel) override {
    channels_asked.emplace_back(channel);
    if (members_error) return *members_error;
    return members;
  }
  Result<salesforce::ObjectDescription> describe(std::string_view object) override {
    ++described;
    if (describe_error) return *describe_error;
    salesforce::ObjectDescription out;
    out.name = object;
    for (const auto& [name, type] : fields) out.fields.push_back({name, name, type, {}, {}, false});
    return out;
  }
  Result<std::vector<salesforce::FetchedRecord>> fetch(std::string_view,
                                                       std::span<const RecordId> ids,
                                                       std::span<const std::string>) override {
    std::vector<salesforce::FetchedRecord> out;
    for (const RecordId& id : ids) {
      const auto at = accounts.find(id.str());
      const bool there = at != accounts.end() && !at->second.deleted && !hidden;
      out.push_back({id, there ? std::optional(json(at->first, at->second)) : std::nullopt});
    }
    return out;
  }

  // ---- OrgReader
  Result<salesforce::OrgLimits> limits(const salesforce::CallTerms&) override {
    return salesforce::OrgLimits{};
  }
  Result<std::uint64_t> count(const salesforce::Selection& selection,
                              const salesforce::CallTerms&) override {
    if (auto error = next_error()) return *error;
    return counted.value_or(selected(selection).size());
  }
  Result<salesforce::QueryPage> query(const salesforce::Selection& selection,
                                      std::size_t,
                                      const salesforce::CallTerms&) override {
    queries.push_back(selection);
    if (auto error = next_error()) return *error;
    auto ids = selected(selection);
    if (ids.size() > selection.limit) ids.resize(selection.limit);
    salesforce::QueryPage page;
    page.total = ids.size();
    if (ids.size() > page_max) {
      ids.resize(page_max);
      page.next = "/services/data/v66.0/query/01g-1";
    }
    for (const auto& id : ids) page.records.push_back(json(id, held(selection.object).at(id)));
    if (spoil_page) std::exchange(spoil_page, {})(page);
    return page;
  }
  Result<salesforce::QueryPage> query_next(const std::string&,
                                           const salesforce::CallTerms&) override {
    return rejected("no locators here", "INVALID_QUERY_LOCATOR");
  }
  Result<salesforce::DeletionLog> deletions(const std::string&,
                                            EpochMs from,
                                            EpochMs to,
                                            const salesforce::CallTerms&) override {
    log_asked.emplace_back(from, to);
    if (auto error = next_error()) return *error;
    salesforce::DeletionLog log{{}, from, to};
    if (log_reaches_from) log.reaches_from = *log_reaches_from;
    if (log_reaches_to) log.reaches_to = *log_reaches_to;
    for (const auto& id : log_of) log.ids.push_back(*RecordId::parse(id));
    return log;
  }
  Result<salesforce::BulkJob> create_job(const salesforce::Selection& selection,
                                         const salesforce::CallTerms&) override {
    if (auto error = next_error()) return *error;
    job_ids = selected(selection);
    ++jobs_made;
    bulk = {
        "750-" + std::to_string(jobs_made), salesforce::BulkJob::State::Queued, "Account", 0, {}};
    return bulk;
  }
  Result<salesforce::BulkJob> job(const std::string& id, const salesforce::CallTerms&) override {
    if (auto error = next_error()) return *error;
    if (id != bulk.id) return rejected("no such job", "NOT_FOUND");
    if (polls > 0) return --polls, bulk;
    bulk.state = bulk_ends;
    bulk.records = job_ids.size() + bulk_rows_lost;
    return bulk;
  }
  Result<salesforce::BulkJob> wait_for_job(const std::string& id,
                                           const salesforce::CallTerms& terms) override {
    return job(id, terms);
  }
  Result<salesforce::BulkPage> job_page(const std::string&,
                                        std::span<const std::string> columns,
                                        const std::string& locator,
                                        std::size_t records_max,
                                        const salesforce::CallTerms&) override {
    ++pages_read;
    if (auto error = next_error()) return *error;
    const std::size_t from = locator.empty() ? 0 : std::stoul(locator);
    const std::size_t to = std::min(job_ids.size(), from + std::min(records_max, bulk_page_max));
    salesforce::CsvParser parser(columns, 1U << 24);
    std::string text;
    for (std::size_t i = from; i < to; ++i) {
      for (const auto& column : columns) {
        const auto& it = accounts[job_ids[i]];
        const std::string cell = column == "Id"               ? job_ids[i]
                                 : column == "SystemModstamp" ? format_datetime(it.stamp)
                                 : column == "IsDeleted"      ? (it.deleted ? "true" : "false")
                                                              : it.name;
        text += (column == columns.front() ? "\"" : ",\"") + cell + "\"";
      }
      text += "\n";
    }
    EXPECT_TRUE(parser.feed(text));
    auto rows = parser.finish();
    EXPECT_TRUE(rows);
    return salesforce::BulkPage{std::move(*rows), to == job_ids.size() ? "" : std::to_string(to)};
  }
  Result<void> abort_job(const std::string& id, const salesforce::CallTerms&) override {
    aborted.push_back(id);
    return {};
  }
  Result<void> delete_job(const std::string& id, const salesforce::CallTerms&) override {
    freed.push_back(id);
    return {};
  }

  std::map<std::string, Account> accounts;
  std::set<std::string> poison;  ///< ids of rows with a text where `Due__c` must be a date
  std::map<std::string, std::map<std::string, Account>> others;  ///< of another object
  std::vector<std::pair<std::string, std::string>> fields = {
      {"Id", "id"}, {"SystemModstamp", "datetime"}, {"Name", "string"}, {"IsDeleted", "boolean"}};
  std::vector<salesforce::ObjectInfo> listed = {{"Account", "001", true, true}};
  std::vector<std::string> members = {"AccountChangeEvent"};  ///< of every channel
  std::optional<Error> members_error;
  std::vector<std::string> channels_asked;
  std::optional<Error> describe_error;
  std::deque<std::optional<Error>> errors;  ///< of the next calls; nothing: that one goes well
  std::function<void(salesforce::QueryPage&)> spoil_page;
  std::optional<std::uint64_t> counted;  ///< what count() says instead
  std::size_t page_max = 2'000, bulk_page_max = 2'000;
  std::vector<std::string> log_of;                          ///< ids that the log of deletions names
  std::optional<EpochMs> log_reaches_from, log_reaches_to;  ///< else what was asked for
  std::vector<std::pair<EpochMs, EpochMs>> log_asked;
  bool hidden = false;  ///< the user sees no records
  int described = 0, jobs_made = 0, polls = 0, pages_read = 0;
  std::size_t bulk_rows_lost = 0;  ///< that a Bulk job counts, and no page brings
  salesforce::BulkJob::State bulk_ends = salesforce::BulkJob::State::Complete;
  std::vector<salesforce::Selection> queries;
  std::vector<std::string> aborted, freed;

 private:
  const std::map<std::string, Account>& held(const std::string& object) const {
    static const std::map<std::string, Account> kNone;
    const auto at = others.find(object);
    return object == "Account" ? accounts : at == others.end() ? kNone : at->second;
  }
  std::optional<Error> next_error() {
    if (errors.empty()) return std::nullopt;
    auto error = std::move(errors.front());
    errors.pop_front();
    return error;
  }
  std::vector<std::string> selected(const salesforce::Selection& selection) const {
    static constexpr std::string_view kBehind = "Id > '";
    const auto at = selection.where.find(kBehind);
    const std::string behind =
        at == std::string::npos ? "" : selection.where.substr(at + kBehind.size(), 18);
    static constexpr std::string_view kSince = "SystemModstamp >= ";
    const auto bound = selection.where.find(kSince);
    const EpochMs since =
        bound == std::string::npos
            ? 0
            : parse_datetime(selection.where.substr(bound + kSince.size(), 24)).value();
    std::vector<std::string> out;
    for (const auto& [id, it] : held(selection.object)) {
      if (!hidden && it.stamp >= since && id > behind && (selection.with_deleted || !it.deleted))
        out.push_back(id);
    }
    return out;
  }
  std::string json(const std::string& id, const Account& it) const {
    return R"({"attributes":{"type":"Account"},"Id":")" + id + R"(","SystemModstamp":")" +
           format_datetime(it.stamp) + R"(","Name":")" + it.name + R"(","IsDeleted":)" +
           (it.deleted ? "true" : "false") +
           (poison.contains(id) ? R"(,"Due__c":"tomorrow"})" : "}");
  }

  std::vector<std::string> job_ids;
  salesforce::BulkJob bulk;
};

}  // namespace headwater::test
