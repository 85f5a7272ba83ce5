#include "daemon/audit/row_walk.hpp"

#include <fmt/format.h>

#include "daemon/observe/log.hpp"
#include "daemon/pipeline/read_failures.hpp"
#include "daemon/pipeline/read_task.hpp"

namespace headwater::audit {
namespace {

/// What could not be decoded at all, be it the id, is the page's fault.
Result<void> give(const Result<void>& decoded,
                  const salesforce::RecordRow& row,
                  const RowWalk::Visit& visit) {
  if (decoded) return visit(row, nullptr);
  if (row.id == RecordId()) return decoded;
  return visit(row, &decoded.error());
}

bool is_lost(const Error& error) {
  return error.code == "JOB_FAILED" || error.code == "JOB_ABORTED" || error.code == "NOT_FOUND";
}

}  // namespace

RowWalk::RowWalk(salesforce::OrgReader& reader,
                 salesforce::Selection selection,
                 salesforce::CallTerms terms,
                 const Clock& clock)
    : reader_(reader), selection_(std::move(selection)), terms_(std::move(terms)), clock_(clock) {
  query_.emplace(reader, selection_, terms_);
}

Result<RowWalk::Next> RowWalk::next(const salesforce::RowDecoder& decoder,
                                    salesforce::RecordRow& row,
                                    const Visit& visit) {
  return by_bulk_ ? bulk(decoder, row, visit) : rest(decoder, row, visit);
}

Result<RowWalk::Next> RowWalk::rest(const salesforce::RowDecoder& decoder,
                                    salesforce::RecordRow& row,
                                    const Visit& visit) {
  auto page = query_->next();
  const bool may_be_bulk = !begun_ && jobs_lost_ < kBulkFailuresMax;
  if (may_be_bulk &&
      (page ? *page && (*page)->total >= kBulkRowsMin : is_too_much_for_rest(page.error()))) {
    by_bulk_ = true;
    return Next::Rows;
  }
  if (!page) {
    if (page.error().code == "RESULT_SHORT") begun_ = false;
    return page.error();
  }
  if (!*page) return Next::End;
  begun_ = true;
  for (const auto& record : (*page)->records) {
    const auto decoded = decoder.decode(record, row);
    if (auto given = give(decoded, row, visit); !given) return given.error();
  }
  return Next::Rows;
}

Result<RowWalk::Next> RowWalk::bulk(const salesforce::RowDecoder& decoder,
                                    salesforce::RecordRow& row,
                                    const Visit& visit) {
  if (job_.empty()) {
    auto made = reader_.create_job(selection_, terms_);
    if (!made) return made.error();
    job_ = made->id;
    look_pause_ = bulk_look_pause(0);
    look_at_ = clock_.monotonic_ms() + look_pause_;
    return Next::Later;
  }
  if (!pages_) return wait_for_job();
  auto page = pages_->next();
  if (!page) return is_lost(page.error()) ? job_lost(page.error()) : page.error();
  if (!*page) {
    free_job();
    return Next::End;
  }
  for (std::size_t i = 0; i < (*page)->rows(); ++i) {
    const auto decoded = decoder.decode(**page, i, selection_.fields, row);
    if (auto given = give(decoded, row, visit); !given) return given.error();
  }
  return Next::Rows;
}

Result<RowWalk::Next> RowWalk::wait_for_job() {
  const auto now = clock_.monotonic_ms();
  if (now < look_at_) return Next::Later;
  const auto state = reader_.job(job_, terms_);
  if (!state) return is_lost(state.error()) ? job_lost(state.error()) : state.error();
  if (!state->over()) {
    look_pause_ = bulk_look_pause(look_pause_);
    look_at_ = now + look_pause_;
    return Next::Later;
  }
  if (state->state != salesforce::BulkJob::State::Complete)
    return job_lost(salesforce::bad_end(*state));
  pages_ = std::make_unique<salesforce::BulkWalk>(
      reader_, *state, selection_.fields, salesforce::BulkPosition{}, kBulkPageRows, terms_);
  return Next::Rows;
}

void RowWalk::give_up() {
  if (job_.empty()) return;
  if (!pages_) {
    // Should it fail, the org finishes a job that nobody reads.
    if (auto aborted = reader_.abort_job(job_, terms_); !aborted)
      log::info(aborted.error().message, {});
  }
  free_job();
}

/// Should it fail: Salesforce drops the results after seven days.
void RowWalk::free_job() {
  if (auto freed = reader_.delete_job(job_, terms_); !freed) log::info(freed.error().message, {});
  job_.clear();
}

/// All rows come again: by another job, or, after so many, by REST.
Error RowWalk::job_lost(const Error& cause) {
  free_job();
  pages_.reset();
  by_bulk_ = ++jobs_lost_ < kBulkFailuresMax;
  query_.emplace(reader_, selection_, terms_);
  begun_ = false;
  return transient(fmt::format("{}; {}",
                               cause.message,
                               by_bulk_ ? "it is made again" : "the rows are read by REST instead"),
                   "RESULT_SHORT");
}

}  // namespace headwater::audit
