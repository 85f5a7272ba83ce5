#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "connectors/salesforce/org_reader.hpp"
#include "daemon/ledger/read_job.hpp"
#include "daemon/pipeline/org_task.hpp"

namespace headwater {

/// Most rows that ingest applies in one step beside its stream: what a live event may wait for.
inline constexpr std::size_t kLaneRowsMax = 500;

/// Where a chunk of a job's rows stands, and what comes with it.
struct ChunkPlace {
  ledger::ReadJob job;                    ///< as it was when the page was asked for
  Version noted;                          ///< before its query was sent
  std::uint64_t sent = 0;                 ///< number of the last batch that was sent
  salesforce::BulkPosition from, behind;  ///< Bulk: where the page begins, and what follows it
  bool read_all = false;                  ///< it is the last page
};

/// Turns one page of an object's records into batches for the second lane, at most kLaneRowsMax
/// rows each and each with the progress that it means for its job:
///
///   key-set pages (REST): every batch says where the reading goes on after it
///   Bulk pages: only the last one does; a crash between repeats the page
///
/// A record that cannot be read is left out and gets a hole of its own, cause `unreadable`: it is
/// tried again by id. Holds one page's rows in memory.
class ChunkMaker {
 public:
  /// `noted`: as the place's. An unreadable record's hole is answered by rows that are no older.
  ChunkMaker(OrgTools& tools, const DescribedObject& object, const Version& noted)
      : tools_(tools), object_(object), noted_(noted) {}

  Result<void> add(const salesforce::QueryPage& page);
  Result<void> add(const salesforce::CsvPage& page, const std::vector<std::string>& columns);
  /// Sends what was added; gives the number of the last batch. A page without rows is one batch
  /// without rows if it is the last page.
  std::uint64_t send(const ChunkPlace& place);
  std::size_t rows() const { return rows_; }
  std::size_t unreadable() const { return unreadable_; }
  const std::string& last_id() const { return last_id_; }

 private:
  Result<void> take(Result<void> decoded, const salesforce::RecordRow& row);
  OwnedRows& batch();

  OrgTools& tools_;
  const DescribedObject& object_;
  const Version noted_;
  std::deque<OwnedRows> batches_;  // stay where they are: their rows borrow from them
  std::size_t rows_ = 0, unreadable_ = 0;
  std::string last_id_;
};

}  // namespace headwater
