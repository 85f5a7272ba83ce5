#include "daemon/pipeline/read_chunk.hpp"

#include <fmt/format.h>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {

OwnedRows& ChunkMaker::batch() {
  if (batches_.empty() || batches_.back().rows.size() >= kLaneRowsMax) batches_.emplace_back();
  return batches_.back();
}

Result<void> ChunkMaker::take(Result<void> decoded, const salesforce::RecordRow& row) {
  OwnedRows& out = batch();
  if (!out.progress) out.progress.emplace();
  const std::string id = row.id.str();
  if (decoded) {
    tools_.objects.add_row(object_.description.name, row, out);
    out.rows.back().deleted = row.deleted;
  } else {
    if (row.id == RecordId()) return decoded;
    ++unreadable_;
    log::warning(decoded.error().message, {{"org", tools_.org}, {"id", id}});
    ledger::Hole hole;
    hole.scope = ledger::Hole::Scope::Record;
    hole.org = tools_.org;
    hole.object = object_.description.name;
    hole.id = id;
    hole.version = noted_;
    hole.cause = ledger::kUnreadableRow;
    hole.detail = decoded.error().message;
    if (auto opened = tools_.ledger.open_hole(hole); !opened) return opened;
  }
  ++out.progress->rows;
  out.progress->last_id = last_id_ = id;
  ++rows_;
  return {};
}

Result<void> ChunkMaker::add(const salesforce::QueryPage& page) {
  const salesforce::RowDecoder decoder(object_.description);
  salesforce::RecordRow row;
  for (const std::string& record : page.records) {
    if (auto taken = take(decoder.decode(record, row), row); !taken) return taken;
  }
  return {};
}

Result<void> ChunkMaker::add(const salesforce::CsvPage& page,
                             const std::vector<std::string>& columns) {
  const salesforce::RowDecoder decoder(object_.description);
  salesforce::RecordRow row;
  for (std::size_t i = 0; i < page.rows(); ++i) {
    if (auto taken = take(decoder.decode(page, i, columns, row), row); !taken) return taken;
  }
  return {};
}

std::uint64_t ChunkMaker::send(const ChunkPlace& place) {
  if (batches_.empty() && place.read_all) batch().progress.emplace();
  const bool bulk = place.job.api == ledger::ReadJob::Api::Bulk;
  std::uint64_t number = place.sent;
  for (OwnedRows& out : batches_) {
    const bool last = &out == &batches_.back();
    out.batch.org = tools_.org;
    out.batch.object = place.job.object;
    out.batch.noted = place.noted;
    out.batch.type = place.job.why == ledger::ReadJob::Why::Snapshot ? ChangeType::Snapshot
                                                                     : ChangeType::Refetch;
    ledger::JobProgress& progress = *out.progress;
    progress.job = place.job.number;
    progress.run = place.job.run;
    progress.chunk = ++number;
    if (bulk) {
      // Within a page there is no place to go on from: its rows count once all of it is applied.
      progress.rows = last ? rows_ : 0;
      progress.locator = last ? place.behind.locator : place.from.locator;
      progress.bulk_rows = last ? place.behind.rows : place.from.rows;
    }
    progress.read_all = last && place.read_all;
    out.batch.last = progress.read_all;
    tools_.outbox.send(std::move(out));
  }
  batches_.clear();
  return number;
}

}  // namespace headwater
