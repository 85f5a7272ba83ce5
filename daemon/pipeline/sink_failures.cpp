#include <fmt/format.h>

#include <algorithm>

#include "connectors/claim.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/pipeline/sink_loop.hpp"

// What a sink loop does when a write fails, by the kind of the error; and the rows of its
// quarantine that a person has written once more.

namespace headwater {
namespace {

using observe::PartState;

/// A claim is tried again this long after the holder's row is free, and never sooner than that.
constexpr Millis kClaimSlack{200}, kClaimRetryLeast{1'000};
/// A failure that should pass is red after this.
constexpr std::int64_t kPatienceMs = 60'000;
/// A write of so few entries that failed for a passing reason is repeated as it was.
constexpr std::size_t kTriedWhole = 64;

}  // namespace

Step SinkLoop::on_error(const Error& error,
                        Entries entries,
                        std::span<const CursorMove> moves,
                        Mode mode) {
  if (error.kind == ErrorKind::Transient && entries.size() > kTriedWhole) {
    // A write that is too large for its deadline never goes through at that size; success doubles
    // it again.
    entries_limit_ = entries.size() / 2;
  }
  if (error.kind != ErrorKind::Rejected || entries.empty()) return retry(error);
  metrics_.retries_rejected.add();
  if (entries.size() > 1) {
    entries_limit_ = std::max<std::size_t>(1, entries.size() / 2);
    log::warning(error.message + "; halving",
                 {{"sink", parts_.name}, {"entries", entries.size()}, {"next", entries_limit_}});
    return Step::again();
  }
  return on_refusal(entries.front(), error, moves, mode);
}

/// One entry, alone, is refused.
Step SinkLoop::on_refusal(const EntryView& entry,
                          const Error& error,
                          std::span<const CursorMove> moves,
                          Mode mode) {
  const OrgCursor* cursor = cursor_of(entry.org);
  HEADWATER_ASSERT(cursor != nullptr);  // ours() lets no other entry pass
  if (auto poison = refusals_.judge(*sink_, entry, error, stay(*cursor)); !poison)
    return retry(poison.error());
  if (auto kept = refusals_.quarantine(entry, error); !kept) return retry(kept.error());
  metrics_.quarantined.add();
  // The row is written: now the cursor may pass.
  if (auto failed = write({}, moves, mode)) return retry(*failed);
  return Step::again();
}

// ---- retries that a person asked for

bool SinkLoop::try_again(RetryRequest& request) {
  if (!retries_.try_push(request)) return false;
  parts_.ledger.wake();
  return true;
}

Step SinkLoop::serve(const RetryRequest& request) {
  const OrgCursor* cursor = cursor_of(request.row.org);
  if (!opened_ || cursor == nullptr || cursor->materializing) {
    const std::string why = parts_.health.snapshot().sentence;
    request.done(
        transient(fmt::format("sink {} {}; nothing was tried",
                              parts_.name,
                              opened_ ? "is being sent record states" : "is not open: " + why)));
    return Step::again();
  }
  const auto trouble = refusals_.try_again(*sink_, request, stay(*cursor));
  return trouble ? retry(*trouble) : Step::again();
}

Step SinkLoop::retry(const Error& error) {
  metrics_.up.set(0);
  opened_ = false;
  publish(oldest_unwritten());
  tell_failure(error);
  refusals_.failed(error);
  if (error.kind == ErrorKind::Fatal) {
    if (error.code == kTakenOver) metrics_.fenced.add();
    sink_->close();
    return Step::done();
  }
  (error.kind == ErrorKind::Blocked ? metrics_.retries_blocked : metrics_.retries_transient).add();
  retry_at_ = parts_.clock.monotonic_ms() + pause_after(error).count();
  return Step::wait(retry_at_);
}

Millis SinkLoop::pause_after(const Error& error) {
  if (error.kind != ErrorKind::Blocked) return backoff_.next();
  const auto free_in = claim_free_in(error);
  if (!free_in) return kBlockedRetry;
  return std::clamp(*free_in + kClaimSlack, kClaimRetryLeast, kBlockedRetry);
}

/// What should have passed by itself and did not for a minute needs a person (a full disk, a server
/// that stays read-only): red, and still tried as often as before.
void SinkLoop::tell_failure(const Error& error) {
  const std::int64_t now = parts_.clock.monotonic_ms();
  if (!failing_since_) failing_since_ = now;
  if (error.kind != ErrorKind::Transient || now - *failing_since_ < kPatienceMs) {
    parts_.health.fail(error);
  } else {
    parts_.health.set(PartState::Blocked, error.message + "; it has lasted for more than a minute");
  }
}

}  // namespace headwater
