#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "daemon/ledger/read_job.hpp"
#include "daemon/pipeline/org_task.hpp"
#include "daemon/pipeline/read_chunk.hpp"

namespace headwater {

/// Objects with more records than this are read by a Bulk job: below it, its minutes in
/// Salesforce's queue cost more than the pages that it saves.
inline constexpr std::uint64_t kBulkRowsMin = 50'000;
/// Rows of one page of a Bulk result, of which one is held in memory.
inline constexpr std::size_t kBulkPageRows = 2'000;

/// Does the ledger's read jobs, one page a step, so that refetches come in between.
///
///   queued:   describe -> count -> REST below kBulkRowsMin, else Bulk -> note the version
///   reading:  REST: `Id > last ORDER BY Id LIMIT n`, which goes on for ever where it stopped;
///             Bulk: make a job, ask until it is over, then its pages
///   settling: the ledger asks for what no page held; with `since`, for what the org's log of
///             deletions names. A log that does not reach back so far, or does not come to cover
///             the stretch, proves nothing, nor does an org that shows fewer records than live
///             here: all of the object is read instead
///
/// Rows leave as batches with the progress that they mean; the job moves when they are applied. A
/// page must be as long as the org announced, and hold no record of the page before. What goes
/// wrong is kept in the job, tried again with growing pauses, and never taken for an end: a Bulk
/// job that failed or is gone is made again, after three of them the object is read by REST; a
/// field that cannot be queried is left out and named; an object that may not be read any more
/// waits. Several jobs take turns while one of them waits for the org. One thread.
class ReadTask final : public OrgTask {
 public:
  ReadTask(OrgTools& tools, salesforce::OrgReader& reader) : tools_(tools), reader_(reader) {}
  std::string_view name() const override { return "read"; }
  Result<Step> step() override;

 private:
  /// What is known of a job in work beside its row.
  struct Reading {
    std::uint64_t run = 0;
    std::uint64_t sent = 0;    // batches, counted as the row counts chunks
    std::int64_t sent_at = 0;  // monotonic ms
    bool read_all = false;     // nothing more to send
    std::string last_id;       // REST
    std::size_t limit = salesforce::kQueryRecordsMax;
    std::vector<std::string> page_before;  // its ids, sorted
    std::unique_ptr<salesforce::BulkWalk> walk;
    std::string bulk_id;
    std::int64_t next_look = 0;  // at a Bulk job or a settling one; monotonic ms
    std::int64_t look_pause = 0;
  };
  /// True: something was done. False: nothing to do now.
  using Worked = Result<bool>;

  std::vector<ledger::ReadJob> due_jobs() const;
  Worked work(const ledger::ReadJob& job);
  Worked begin(const ledger::ReadJob& job);
  Worked read_on(const ledger::ReadJob& job);
  Worked read_rest(const ledger::ReadJob& job, Reading& reading);
  Worked read_bulk(const ledger::ReadJob& job, Reading& reading);
  Worked wait_for_bulk(const ledger::ReadJob& job, Reading& reading);
  Worked settle(const ledger::ReadJob& job);
  Worked ask_log(const ledger::ReadJob& job, Reading& reading);
  Result<std::vector<RecordId>> living(const ledger::ReadJob& job,
                                       const std::vector<RecordId>& gone) const;
  Worked read_all_of(const ledger::ReadJob& job, const std::string& why);
  static Result<std::vector<std::string>> check_page(const salesforce::QueryPage& page,
                                                     const Reading& reading);
  void sent(const ledger::ReadJob& job,
            Reading& reading,
            const ChunkMaker& chunk,
            std::uint64_t to);
  Result<Step> failed(const ledger::ReadJob& job, const Error& cause);
  Result<void> say_unreadable(const std::string& object, const Error& error);
  void free_ended();
  Reading& reading_of(const ledger::ReadJob& job);
  salesforce::CallTerms terms_of(const ledger::ReadJob& job) const;
  void publish(const ledger::ReadJob& job);

  OrgTools& tools_;
  salesforce::OrgReader& reader_;
  std::map<std::uint64_t, Reading> readings_;  // by number of the job
};

/// What a job's queries select, without what moves from page to page.
salesforce::Selection selection_of(const ledger::ReadJob& job);

}  // namespace headwater
