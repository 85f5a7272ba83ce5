#include "daemon/pipeline/org_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "connectors/salesforce/org_facts.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/pipeline/refetch_task.hpp"

namespace headwater {
namespace {

using observe::PartState;

/// How often a full lane is looked at: ingest applies a batch in a few milliseconds.
constexpr std::int64_t kPollMs = 5;

Backoff make_backoff(std::string_view name) {
  return {std::chrono::seconds{1}, std::chrono::seconds{60}, std::hash<std::string_view>{}(name)};
}

}  // namespace

OrgWorker::OrgWorker(Parts parts)
    : parts_(std::move(parts)),
      objects_(parts_.org, parts_.api, parts_.ledger, parts_.clock, parts_.hidden),
      outbox_(parts_.rows, parts_.wake),
      tools_{
          parts_.org, parts_.api, parts_.ledger, objects_, outbox_, parts_.clock, parts_.metrics},
      backoff_(make_backoff(parts_.org)) {
  add(std::make_unique<RefetchTask>(tools_));
}

void OrgWorker::add(std::unique_ptr<OrgTask> task) {
  const std::string name = parts_.org + std::string(task->name());
  slots_.push_back({std::move(task), make_backoff(name)});
}

Step OrgWorker::step() {
  parts_.health.beat();
  const std::int64_t now = parts_.clock.monotonic_ms();
  if (now < retry_at_) return Step::wait(retry_at_);
  if (!up_) return bring_up();
  // A full lane makes us wait: rows that were read are not thrown away.
  if (!outbox_.flush()) return Step::wait(now + kPollMs);
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (Slot& slot : slots_) {
    if (now < slot.retry_at) {
      next = std::min(next, slot.retry_at);
      continue;
    }
    const auto done = slot.task->step();
    slot.failing = !done;
    if (!done) {
      const Millis pause = failed(done.error(), slot.backoff);
      if (done.error().kind == ErrorKind::Fatal) return Step::done();
      slot.retry_at = parts_.clock.monotonic_ms() + pause.count();
      next = std::min(next, slot.retry_at);
      continue;
    }
    slot.backoff.reset();
    tell_health();
    if (done->next == Step::Next::Again) return Step::again();
    next = std::min(next, done->until_ms);
  }
  return Step::wait(next);
}

void OrgWorker::tell_health() {
  if (parts_.health.state() == PartState::Ok) return;
  if (std::ranges::none_of(slots_, &Slot::failing)) parts_.health.set(PartState::Ok);
}

Millis OrgWorker::failed(const Error& error, Backoff& backoff) {
  parts_.health.fail(error);
  return error.kind == ErrorKind::Blocked ? kBlockedRetry : backoff.next();
}

Step OrgWorker::bring_up() {
  const auto pause = [this](const Error& error) {
    retry_at_ = parts_.clock.monotonic_ms() + failed(error, backoff_).count();
    return error.kind == ErrorKind::Fatal ? Step::done() : Step::wait(retry_at_);
  };
  auto id = parts_.api.org_id();
  if (!id) return pause(id.error());
  if (!parts_.org_id.empty() && *id != parts_.org_id) {
    return pause(
        fatal(fmt::format("org {}: the login leads to org {}, the configuration says {}; refused, "
                          "nothing was changed",
                          parts_.org,
                          *id,
                          parts_.org_id)));
  }
  if (auto bound = parts_.ledger.bind_org(parts_.org, *id); !bound) return pause(bound.error());
  if (auto learned = learn_facts(); !learned) return pause(learned.error());
  up_ = true;
  parts_.ready.store(true);
  parts_.wake();
  backoff_.reset();
  parts_.health.set(PartState::Ok);
  log::info("org is known", {{"org", parts_.org}, {"org_id", *id}});
  return Step::again();
}

Result<void> OrgWorker::learn_facts() {
  crm::OrgFacts facts;
  if (auto known = parts_.ledger.org_facts(parts_.org)) facts = std::move(*known);
  facts.name = parts_.org;
  facts.currency = parts_.currency;
  facts.region = parts_.region;
  if (auto learned = salesforce::learn_objects(parts_.api, facts); !learned) return learned;
  const auto types = salesforce::learn_record_types(parts_.api, facts);
  if (!types) return types.error();
  if (!*types) {
    log::warning("the org shows the user no record types: record_type stays empty",
                 {{"org", parts_.org}});
  }
  if (parts_.hidden != nullptr) facts.retired = parts_.hidden->all();
  return parts_.ledger.set_org_facts(facts);
}

}  // namespace headwater
