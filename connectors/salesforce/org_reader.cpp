#include "connectors/salesforce/org_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/org_answers.hpp"
#include "connectors/salesforce/rest_call.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::salesforce {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

/// URI and headers together may have 16,384 bytes. Source: REST API guide, "Status Codes and Error
/// Responses" (414, 431). The rest is for the token and other headers.
constexpr std::size_t kPathBytesMax = 12'000;
constexpr std::size_t kBatchMin = 200;
/// Greatest answer of one page: what a reader holds in memory.
constexpr std::size_t kPageBytesMax = 16u << 20;
constexpr Millis kPollFirst{250}, kPollMax{30'000};

class ReaderClient final : public OrgReader {
 public:
  ReaderClient(const OrgConfig& config,
               std::shared_ptr<TokenSource> tokens,
               std::shared_ptr<OrgMetrics> metrics,
               std::shared_ptr<QuotaGovernor> quota)
      : metrics_(metrics), rest_(config, std::move(tokens), std::move(metrics), std::move(quota)) {}

  Result<OrgLimits> limits(const CallTerms& terms) override;
  Result<std::uint64_t> count(const Selection& selection, const CallTerms& terms) override;
  Result<QueryPage> query(const Selection& selection,
                          std::size_t records_max,
                          const CallTerms& terms) override;
  Result<QueryPage> query_next(const std::string& next, const CallTerms& terms) override;
  Result<DeletionLog> deletions(const std::string& object,
                                EpochMs from,
                                EpochMs to,
                                const CallTerms& terms) override;
  Result<BulkJob> create_job(const Selection& selection, const CallTerms& terms) override;
  Result<BulkJob> job(const std::string& id, const CallTerms& terms) override;
  Result<BulkJob> wait_for_job(const std::string& id, const CallTerms& terms) override;
  Result<BulkPage> job_page(const std::string& id,
                            std::span<const std::string> fields,
                            const std::string& locator,
                            std::size_t records_max,
                            const CallTerms& terms) override;
  Result<void> abort_job(const std::string& id, const CallTerms& terms) override;
  Result<void> delete_job(const std::string& id, const CallTerms& terms) override;

 private:
  std::string of_org(std::string_view doing) const {
    return fmt::format("{} of org {}", doing, rest_.config().name);
  }
  std::string job_path(const std::string& id, std::string_view rest = "") const {
    return rest_.path(fmt::format("/jobs/query/{}{}", percent_encoded(id), rest));
  }
  Result<HttpReply> query_call(const Selection& selection,
                               std::string_view text,
                               std::size_t records_max,
                               const CallTerms& terms);

  const std::shared_ptr<OrgMetrics> metrics_;
  RestCall rest_;
};

Result<OrgLimits> ReaderClient::limits(const CallTerms& terms) {
  const auto doing = of_org("ask for the limits");
  HttpRequest request;
  request.path = rest_.path("/limits");
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (!reply) return reply.error();
  return read_limits(doing, reply->body);
}

Result<HttpReply> ReaderClient::query_call(const Selection& selection,
                                           std::string_view text,
                                           std::size_t records_max,
                                           const CallTerms& terms) {
  const auto doing = of_org(fmt::format("query {}", selection.object));
  HttpRequest request;
  request.path = rest_.path(fmt::format(
      "/{}?q={}", selection.with_deleted ? "queryAll" : "query", percent_encoded(text)));
  if (request.path.size() > kPathBytesMax)
    return rejected(
        fmt::format("{}: the query has {} bytes, and a URL takes {}; read fewer fields, "
                    "or by a Bulk job",
                    doing,
                    request.path.size(),
                    kPathBytesMax),
        "URI_TOO_LONG");
  request.headers.emplace_back(
      "Sforce-Query-Options",
      fmt::format("batchSize={}", std::clamp(records_max, kBatchMin, kQueryRecordsMax)));
  return rest_.send(doing, std::move(request), terms);
}

Result<std::uint64_t> ReaderClient::count(const Selection& selection, const CallTerms& terms) {
  Selection counted = selection;
  counted.fields = {"count()"};
  counted.order_by.clear();
  const auto reply = query_call(counted, soql(counted), kQueryRecordsMax, terms);
  if (!reply) return reply.error();
  const auto page = read_query_page(of_org("count " + selection.object), reply->body);
  if (!page) return page.error();
  return page->total;
}

Result<QueryPage> ReaderClient::query(const Selection& selection,
                                      std::size_t records_max,
                                      const CallTerms& terms) {
  const auto reply = query_call(selection, soql(selection), records_max, terms);
  if (!reply) return reply.error();
  auto page = read_query_page(of_org("query " + selection.object), reply->body);
  if (page) metrics_->rows_read += page->records.size();
  return page;
}

Result<QueryPage> ReaderClient::query_next(const std::string& next, const CallTerms& terms) {
  const auto doing = of_org("read on in a query");
  // A credential goes only where the configuration says: a path, and nothing that leads elsewhere.
  if (!next.starts_with("/services/data/"))
    return rejected(fmt::format("{}: {} is no place of a query", doing, quoted(next)));
  HttpRequest request;
  request.path = next;
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (!reply) return reply.error();
  auto page = read_query_page(doing, reply->body);
  if (!page) return page;
  if (page->next == next)
    return transient(fmt::format("{}: the page names itself as the next one; trying again", doing),
                     "PAGE_REPEATED");
  metrics_->rows_read += page->records.size();
  return page;
}

Result<DeletionLog> ReaderClient::deletions(const std::string& object,
                                            EpochMs from,
                                            EpochMs to,
                                            const CallTerms& terms) {
  const auto doing = of_org(fmt::format("ask for deletions of {}", object));
  HttpRequest request;
  request.path = rest_.path(fmt::format("/sobjects/{}/deleted/?start={}&end={}",
                                        percent_encoded(object),
                                        percent_encoded(format_datetime(from)),
                                        percent_encoded(format_datetime(to))));
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (!reply) return reply.error();
  return read_deletions(doing, reply->body);
}

Result<BulkJob> ReaderClient::create_job(const Selection& selection, const CallTerms& terms) {
  const auto doing = of_org(fmt::format("create a Bulk query job for {}", selection.object));
  HttpRequest request;
  request.method = "POST";
  request.path = rest_.path("/jobs/query");
  request.content_type = "application/json";
  request.body =
      fmt::format(R"({{"operation":"{}","query":)", selection.with_deleted ? "queryAll" : "query");
  append_json_string(request.body, soql(selection));
  request.body += R"(,"contentType":"CSV","columnDelimiter":"COMMA","lineEnding":"LF"})";
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (!reply) return reply.error();
  ++metrics_->bulk_jobs_created;
  return read_job(doing, reply->body);
}

Result<BulkJob> ReaderClient::job(const std::string& id, const CallTerms& terms) {
  const auto doing = of_org(fmt::format("ask for Bulk job {}", id));
  HttpRequest request;
  request.path = job_path(id);
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (!reply) return reply.error();
  return read_job(doing, reply->body);
}

Result<BulkJob> ReaderClient::wait_for_job(const std::string& id, const CallTerms& terms) {
  std::mutex mutex;
  std::condition_variable_any never;
  for (Millis pause = kPollFirst;; pause = std::min(pause * 3 / 2, kPollMax)) {
    auto found = job(id, terms);
    if (!found) return found;
    if (found->state == BulkJob::State::Complete) return found;
    if (found->over()) {
      auto error = bad_end(*found);
      error.message = of_org(error.message) + "; create it again";
      return error;
    }
    const auto until = std::min(terms.until, SteadyClock::now() + pause);
    std::unique_lock lock(mutex);
    never.wait_until(lock, terms.stop, until, [] { return false; });
  }
}

Result<BulkPage> ReaderClient::job_page(const std::string& id,
                                        std::span<const std::string> fields,
                                        const std::string& locator,
                                        std::size_t records_max,
                                        const CallTerms& terms) {
  const auto doing = of_org(fmt::format("read a page of Bulk job {}", id));
  HttpRequest request;
  auto rest = fmt::format("/results?maxRecords={}", std::max<std::size_t>(records_max, 1));
  if (!locator.empty()) rest += "&locator=" + percent_encoded(locator);
  request.path = job_path(id, rest);
  request.headers.emplace_back("Accept", "text/csv");
  // A renewed token begins the answer anew, but only an answer 200 is parsed: one of them at most.
  CsvParser parser(fields, kPageBytesMax);
  Result<void> parsed;
  request.on_body = [&](std::string_view bytes) {
    parsed = parser.feed(bytes);
    return parsed.ok();
  };
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (!parsed) {
    if (parsed.error().code == kBodyTooLarge && records_max > 1)
      return job_page(id, fields, locator, records_max / 2, terms);
    return transient(fmt::format("{}: {}", doing, parsed.error().message), parsed.error().code);
  }
  if (!reply) return reply.error();
  auto rows = parser.finish();
  if (!rows)
    return transient(fmt::format("{}: {}", doing, rows.error().message), rows.error().code);
  const auto told = rows_told(*reply);
  if (told && *told != rows->rows())
    return transient(
        fmt::format(
            "{}: it has {} rows, but says {}; reading it again", doing, rows->rows(), *told),
        "PAGE_SHORT");
  const auto next = reply->headers.find("sforce-locator");
  if (next == reply->headers.end() || next->second.empty())
    return transient(fmt::format("{}: no Sforce-Locator came with it; reading it again", doing),
                     "PAGE_SHORT");
  BulkPage page{std::move(rows).value(), next->second == "null" ? "" : next->second};
  if (!page.next.empty() && page.next == locator)
    return transient(fmt::format("{}: it names itself as the next one; reading it again", doing),
                     "PAGE_REPEATED");
  metrics_->rows_read += page.rows.rows();
  return page;
}

Result<void> ReaderClient::abort_job(const std::string& id, const CallTerms& terms) {
  HttpRequest request;
  request.method = "PATCH";
  request.path = job_path(id);
  request.content_type = "application/json";
  request.body = R"({"state":"Aborted"})";
  const auto doing = of_org(fmt::format("abort Bulk job {}", id));
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (reply || reply.error().code == "INVALIDJOBSTATE") return {};
  return reply.error();
}

Result<void> ReaderClient::delete_job(const std::string& id, const CallTerms& terms) {
  HttpRequest request;
  request.method = "DELETE";
  request.path = job_path(id);
  const auto doing = of_org(fmt::format("delete Bulk job {}", id));
  const auto reply = rest_.send(doing, std::move(request), terms);
  if (reply || reply.error().code == "NOT_FOUND") return {};
  return reply.error();
}

}  // namespace

Error bad_end(const BulkJob& job) {
  const bool failed = job.state == BulkJob::State::Failed;
  return rejected(fmt::format("Bulk job {} for {} {}{}{}",
                              job.id,
                              job.object,
                              failed ? "failed" : "was aborted",
                              job.error.empty() ? "" : ": ",
                              job.error),
                  failed ? "JOB_FAILED" : "JOB_ABORTED");
}

std::unique_ptr<OrgReader> make_org_reader(const OrgConfig& config,
                                           std::shared_ptr<TokenSource> tokens,
                                           std::shared_ptr<OrgMetrics> metrics,
                                           std::shared_ptr<QuotaGovernor> quota) {
  return std::make_unique<ReaderClient>(
      config, std::move(tokens), std::move(metrics), std::move(quota));
}

}  // namespace headwater::salesforce
