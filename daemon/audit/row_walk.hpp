#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "connectors/salesforce/org_reader.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/core/time.hpp"

namespace headwater::audit {

/// Walks all rows of a selection, one call to the org at a time: pages of a REST query, or, when
/// its first page announces kBulkRowsMin rows or more (or a URL or the query's time does not take
/// it), those of a Bulk job. The job's results are given back at the end.
///
///   RowWalk walk(reader, selection, terms, clock);
///   each step: auto next = walk.next(decoder, row, visit);   until it says End
///
/// Errors are the reader's; the call is made again at the next turn. After Transient, code
/// RESULT_SHORT, all rows come again from the first one: what was given counts no more. A row of
/// which a value does not fit its type stands alone; one without an id fails the page. A job that
/// fails is made again; after kBulkFailuresMax of them the rows are read by REST. One thread.
class RowWalk {
 public:
  enum class Next : std::uint8_t {
    Rows,   ///< `visit` was called with all of a page
    Later,  ///< the org is at work on a job: not before later()
    End
  };
  /// `unread`: why the row could not be read; then only its id, stamp and deleted are. Null: it
  /// was.
  using Visit = std::function<Result<void>(const salesforce::RecordRow&, const Error* unread)>;

  /// `reader` and `clock` must outlive it. REQUIRES: `Id` is among the fields.
  RowWalk(salesforce::OrgReader& reader,
          salesforce::Selection selection,
          salesforce::CallTerms terms,
          const Clock& clock);

  Result<Next> next(const salesforce::RowDecoder& decoder,
                    salesforce::RecordRow& row,
                    const Visit& visit);
  /// Ends it before its end: a job that runs is aborted, and one that is there is freed, so that it
  /// counts no more among the org's jobs. Asks at most twice; nothing fails.
  void give_up();
  std::int64_t later() const { return look_at_; }  ///< monotonic ms
  bool by_bulk() const { return by_bulk_; }
  const std::string& job() const { return job_; }

 private:
  Result<Next> rest(const salesforce::RowDecoder& decoder,
                    salesforce::RecordRow& row,
                    const Visit& visit);
  Result<Next> bulk(const salesforce::RowDecoder& decoder,
                    salesforce::RecordRow& row,
                    const Visit& visit);
  Result<Next> wait_for_job();
  Error job_lost(const Error& cause);
  void free_job();

  salesforce::OrgReader& reader_;
  const salesforce::Selection selection_;
  const salesforce::CallTerms terms_;
  const Clock& clock_;
  std::optional<salesforce::QueryWalk> query_;
  bool begun_ = false, by_bulk_ = false;
  std::uint32_t jobs_lost_ = 0;
  std::string job_;
  std::int64_t look_at_ = 0, look_pause_ = 0;
  std::unique_ptr<salesforce::BulkWalk> pages_;
};

}  // namespace headwater::audit
