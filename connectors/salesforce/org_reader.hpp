#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/salesforce/csv.hpp"
#include "connectors/salesforce/quota.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// What a blocking call may cost its caller. The call returns at the earlier of `until`, a stop and
/// the org's http_timeout per request.
struct CallTerms {
  Priority priority = Priority::Snapshot;
  std::stop_token stop = {};
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max();
};

/// Which records: `SELECT fields FROM object WHERE where ORDER BY order_by`.
struct Selection {
  std::string object;
  std::vector<std::string> fields;  ///< parts of compounds, not compounds; Bulk refuses those
  std::string where;                ///< SOQL, or empty
  std::string order_by;             ///< or empty. Bulk: makes a large query slow or fail
  std::size_t limit = 0;            ///< 0: none
  bool with_deleted = false;        ///< queryAll: the recycle bin and what was merged away, too
};
/// The text of the query.
std::string soql(const Selection& selection);
/// A SOQL string literal: `O'Neill` -> `'O\'Neill'`.
std::string soql_quoted(std::string_view text);

/// Most records of one answer of a REST query. Source: REST API guide, "Query Options Header".
inline constexpr std::size_t kQueryRecordsMax = 2'000;

/// Records of one answer of a REST query, each as the org printed it: RowDecoder reads them.
struct QueryPage {
  std::vector<std::string> records;
  std::uint64_t total = 0;  ///< of all pages, as the org counted when the query began
  std::string
      next;  ///< where it goes on: give it to query_next(), now or within 2 days. Empty: end
};

/// A Bulk API 2.0 query job (salesforce.md section 11.5).
struct BulkJob {
  enum class State : std::uint8_t { Queued, Running, Complete, Failed, Aborted };
  std::string id;
  State state = State::Queued;
  std::string object;
  std::uint64_t records = 0;  ///< processed until now; of a complete job: how many rows it has
  std::string error;          ///< of a failed one
  bool over() const { return state != State::Queued && state != State::Running; }
};

/// Why a job that is over gave no rows: Rejected, code JOB_FAILED or JOB_ABORTED. REQUIRES: it is
/// over, and not complete.
Error bad_end(const BulkJob& job);

/// A page of a job's rows, whole: as many rows as the org said there are, or it is an Error.
struct BulkPage {
  CsvPage rows;
  std::string next;  ///< locator; empty: this was the last page
};

/// One allowance of `limits`.
struct Allowance {
  std::int64_t max = -1, remaining = -1;  ///< -1: not told
};
struct OrgLimits {
  Allowance api_requests;      ///< of 24 h
  Allowance bulk_query_jobs;   ///< of 24 h
  Allowance bulk_query_mb;     ///< results of 24 h
  Allowance event_deliveries;  ///< of 24 h; Change Data Capture and platform events
};

/// What an org's log of deletions says of one object (salesforce.md section 11.6).
struct DeletionLog {
  std::vector<RecordId> ids;  ///< deleted within the time asked for, out of the recycle bin too
  EpochMs reaches_from =
      0;                   ///< it has nothing earlier: later than asked for, deletions are lacking
  EpochMs reaches_to = 0;  ///< later deletions may be lacking
};

/// How far back the log of deletions may be asked for. Source: REST API guide, "Get Deleted".
inline constexpr Millis kDeletionLogMax = std::chrono::days{15};

/// Reads many records of an org: by query, or by Bulk job. Blocking, page by page: what a caller
/// holds is one page. One thread at a time.
///
/// Errors, beside those of OrgApi: Transient kStopped, DEADLINE (told by the caller's terms),
/// PAGE_SHORT and PAGE_REPEATED (an answer that cannot be: read the same page again), RESULT_SHORT;
/// Blocked kQuotaReserved, REQUEST_LIMIT_EXCEEDED; Rejected INVALID_QUERY_LOCATOR (start the query
/// again), QUERY_TIMEOUT (ask for less), URI_TOO_LONG (fewer fields, or Bulk), INVALID_FIELD,
/// INVALID_TYPE (describe again; a withdrawn permission looks like that too), JOB_FAILED,
/// JOB_ABORTED, NOT_FOUND (a job older than 7 days, or deleted).
class OrgReader {
 public:
  virtual ~OrgReader() = default;

  virtual Result<OrgLimits> limits(const CallTerms& terms) = 0;
  /// SELECT count().
  virtual Result<std::uint64_t> count(const Selection& selection, const CallTerms& terms) = 0;

  /// The first page; `records_max`: 200 to 2,000, the org may give less.
  virtual Result<QueryPage> query(const Selection& selection,
                                  std::size_t records_max,
                                  const CallTerms& terms) = 0;
  virtual Result<QueryPage> query_next(const std::string& next, const CallTerms& terms) = 0;

  /// Ids deleted between these two moments, of whole seconds. Rejected: the object has no log
  /// (NOT_FOUND), or the question is refused (EXCEEDED_ID_LIMIT: more than 600,000 ids;
  /// INVALID_REPLICATION_DATE).
  virtual Result<DeletionLog> deletions(const std::string& object,
                                        EpochMs from,
                                        EpochMs to,
                                        const CallTerms& terms) = 0;

  virtual Result<BulkJob> create_job(const Selection& selection, const CallTerms& terms) = 0;
  virtual Result<BulkJob> job(const std::string& id, const CallTerms& terms) = 0;
  /// Asks with growing pauses until the job is over. Rejected, code JOB_FAILED or JOB_ABORTED: it
  /// ended badly. Transient, code DEADLINE: it still runs.
  virtual Result<BulkJob> wait_for_job(const std::string& id, const CallTerms& terms) = 0;
  /// Rows after `locator` (empty: the first ones), at most `records_max` and of an answer's
  /// greatest size. A locator stays valid as long as the job: reading a page again is harmless.
  /// `fields`: of the job's selection, in its order.
  virtual Result<BulkPage> job_page(const std::string& id,
                                    std::span<const std::string> fields,
                                    const std::string& locator,
                                    std::size_t records_max,
                                    const CallTerms& terms) = 0;
  /// Ends a running job. One that is over already is left as it is.
  virtual Result<void> abort_job(const std::string& id, const CallTerms& terms) = 0;
  /// Frees a job's results. One that is gone already is fine.
  virtual Result<void> delete_job(const std::string& id, const CallTerms& terms) = 0;
};

/// Walks all pages of a REST query and counts: a query that ends with fewer or more rows than it
/// announced did not tell everything. REQUIRES: `Id` is among the fields, so that no two pages are
/// alike unless one was given twice.
///
///   QueryWalk walk(reader, selection, terms);
///   while (true) { auto page = walk.next(); if (!page || !*page) break; … **page … }
class QueryWalk {
 public:
  QueryWalk(OrgReader& reader, Selection selection, CallTerms terms)
      : reader_(reader), selection_(std::move(selection)), terms_(std::move(terms)) {}
  /// Nothing: all pages were given. After an Error the same page is asked for again; only after
  /// Transient, code RESULT_SHORT (some page lacked rows, and nothing tells which), the whole
  /// query.
  Result<std::optional<QueryPage>> next();

 private:
  OrgReader& reader_;
  const Selection selection_;
  const CallTerms terms_;
  bool begun_ = false;
  std::string at_;
  std::uint64_t seen_ = 0;
  std::size_t last_page_ = 0;  // hash of its records
};

/// How far a job's rows were read: what must be kept to go on after a crash.
struct BulkPosition {
  std::string locator;     ///< of the next page; empty at the beginning
  std::uint64_t rows = 0;  ///< read before it
  bool done = false;
};

/// Walks a complete job's rows from a position on, and counts: the sum must be what the job says.
/// REQUIRES: `Id` is among the fields, as above.
class BulkWalk {
 public:
  BulkWalk(OrgReader& reader,
           BulkJob job,
           std::vector<std::string> fields,
           BulkPosition from,
           std::size_t records_max,
           CallTerms terms);
  /// Nothing: all were given. After an Error the same page is asked for again; position() has not
  /// moved. Transient, code PAGE_SHORT: the last page came, but rows are missing.
  Result<std::optional<CsvPage>> next();
  const BulkPosition& position() const { return at_; }

 private:
  OrgReader& reader_;
  const BulkJob job_;
  const std::vector<std::string> fields_;
  BulkPosition at_;
  std::size_t last_page_ = 0;  // hash of its first row
  const std::size_t records_max_;
  const CallTerms terms_;
};

}  // namespace headwater::salesforce
