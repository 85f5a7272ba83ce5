#include "daemon/audit/audit_task.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/observe/log.hpp"

namespace headwater::audit {
namespace {

/// How often orders and due objects are looked for.
constexpr std::int64_t kPollMs = 500;
/// An audit that could not look is tried again after this, if `every` is not shorter still.
constexpr EpochMs kRetryMs = 15 * 60'000;
/// Clocks of the org and of ours may differ so much: records saved so long before the last audit
/// began are compared again.
constexpr EpochMs kOverlapMs = 60 * 60'000;

}  // namespace

AuditTask::AuditTask(Parts parts)
    : parts_(std::move(parts)), receipts_(parts_.bench.tools.ledger) {}

Result<AuditTask::Objects> AuditTask::objects() const {
  OrgTools& tools = parts_.bench.tools;
  const auto captured = captured_of(tools.ledger, tools.org);
  if (!captured) return captured.error();
  Objects out;
  out.hidden = hidden_objects(*captured);
  out.since = selected_objects(*captured, since_);
  for (const auto& object : out.hidden) out.since.emplace(object, since_);
  for (const auto& object : known_objects(tools.ledger, tools.org, parts_.asked))
    out.since.insert_or_assign(object, since_);
  const auto& only = parts_.bench.options.objects;
  if (only.empty()) return out;
  std::map<std::string, EpochMs> some;
  for (const auto& object : only) {
    const auto found = out.since.find(object);
    some[object] = found == out.since.end() ? since_ : found->second;
  }
  out.since = std::move(some);
  return out;
}

Result<void> AuditTask::bring_up() {
  OrgTools& tools = parts_.bench.tools;
  since_ = listening_since(tools.ledger, tools.org);
  const auto found = objects();
  if (!found) return found.error();
  for (const auto& [object, since] : found->since) {
    const auto last = receipts_.last(tools.org, object, false);
    if (!last) return last.error();
    if (!*last) continue;
    last_[object] = **last;
    const auto all = receipts_.list(tools.org, object);
    if (!all) return all.error();
    parts_.desk.remember(tools.org, object, all->back());
  }
  up_ = true;
  return {};
}

/// Since when what is saved is claimed. A time that lies ahead was noted by a clock that was.
Result<void> AuditTask::listen() {
  OrgTools& tools = parts_.bench.tools;
  const EpochMs now = tools.clock.now_ms();
  if (since_ != 0 && since_ <= now) return {};
  since_ = now - kListeningSlackMs;
  return note_listening(tools.ledger, tools.org, since_);
}

EpochMs AuditTask::due_at(const std::string& object, bool hidden) const {
  const EpochMs every = parts_.bench.options.every.count();
  const auto last = last_.find(object);
  if (last == last_.end()) return since_ + every;
  // From start to start: what is lost is found within one period and the time that a pass takes.
  if (last->second.complete || hidden) return last->second.started_at + every;
  return last->second.ended_at + std::min(every, kRetryMs);
}

/// It is, or will be, read in for the first time: what has yet to be read is not missing. Or it is
/// read again just now. But a job that a person paused or cancelled, or that does not get on, holds
/// back no audit.
bool AuditTask::being_read(const std::string& object) const {
  const auto& ledger = parts_.bench.tools.ledger;
  const std::string& org = parts_.bench.tools.org;
  const bool first = !ledger.last_snapped(org, object);
  const auto& asked = parts_.asked.snapshot_objects;
  bool waits = first && parts_.reads_in && std::ranges::find(asked, object) != asked.end();
  for (const ledger::ReadJob& job : ledger.jobs()) {
    if (job.org != org || job.object != object) continue;
    waits = waits && !job.whole();
    if (!job.open()) continue;
    const bool reads_in = first && job.why == ledger::ReadJob::Why::Snapshot;
    if (reads_in || (!job.paused && job.failures == 0)) return true;
  }
  return waits;
}

Result<Step> AuditTask::step() {
  if (!up_) {
    if (auto brought = bring_up(); !brought) return brought.error();
  }
  if (auto listening = listen(); !listening) return listening.error();
  if (!pass_) {
    auto chosen = choose();
    if (!chosen) return chosen.error();
    if (!*chosen) return Step::wait(parts_.bench.tools.clock.monotonic_ms() + kPollMs);
  }
  auto stepped = pass_->step();
  parts_.desk.doing(parts_.bench.tools.org, pass_->doing());
  if (!stepped || !pass_->done()) return stepped;
  if (auto ended = end(); !ended) return ended.error();
  return Step::again();
}

/// True: a pass runs now. Persons first, then the object that is due longest.
Result<bool> AuditTask::choose() {
  const std::string& org = parts_.bench.tools.org;
  if (!ordered_) {
    const auto order = parts_.desk.take(org);
    if (!order) return choose_due();
    Ordered ordered{*order, {order->object}};
    if (order->object.empty()) {
      const auto found = objects();
      if (!found) return found.error();
      ordered.objects.clear();
      for (const auto& [object, since] : found->since) ordered.objects.push_back(object);
    }
    ordered_ = std::move(ordered);
    std::ranges::reverse(ordered_->objects);
  }
  if (ordered_->objects.empty()) {
    parts_.desk.finished(ordered_->order.run, org);
    ordered_.reset();
    return choose();
  }
  const std::string object = ordered_->objects.back();
  ordered_->objects.pop_back();
  by_order_ = true;
  const auto found = objects();
  if (!found) return found.error();
  const auto claimed = found->since.find(object);
  const EpochMs since = claimed == found->since.end() ? since_ : claimed->second;
  if (auto started = start(object, since, ordered_->order); !started) return started.error();
  return true;
}

Result<bool> AuditTask::choose_due() {
  if (parts_.bench.options.every.count() == 0) return false;
  const EpochMs now = parts_.bench.tools.clock.now_ms();
  const EpochMs every = parts_.bench.options.every.count();
  const auto found = objects();
  if (!found) return found.error();
  std::optional<std::pair<EpochMs, std::string>> next;
  for (const auto& [object, since] : found->since) {
    EpochMs at = due_at(object, found->hidden.contains(object));
    if (at > now + every) at = now;  // the last one was noted by a clock that was ahead
    if (at > now || (next && at >= next->first) || being_read(object)) continue;
    next = {at, object};
  }
  if (!next) return false;
  by_order_ = false;
  const std::string& object = next->second;
  const Desk::Order order{parts_.desk.number(), object, true, false, "schedule"};
  if (auto started = start(object, found->since.at(object), order); !started)
    return started.error();
  return true;
}

Result<void> AuditTask::start(const std::string& object, EpochMs since, const Desk::Order& order) {
  ObjectPass::Order pass;
  pass.run = order.run;
  pass.object = object;
  pass.by = order.by;
  pass.repair = order.repair;
  pass.whole = parts_.whole(object);
  pass.since = since;
  const auto last = receipts_.last(parts_.bench.tools.org, object, true);
  if (!last) return last.error();
  // By a clock that was ahead: nobody knows until when it compared what was saved.
  const bool ahead = *last && (*last)->started_at > parts_.bench.tools.clock.now_ms();
  if (*last && !ahead && !order.full) {
    pass.window_from = (*last)->settled ? (*last)->started_at - kOverlapMs : (*last)->window_from;
  }
  pass_ = std::make_unique<ObjectPass>(parts_.bench, std::move(pass));
  return {};
}

Result<void> AuditTask::end() {
  OrgTools& tools = parts_.bench.tools;
  Receipt receipt = pass_->receipt();
  const auto captured = captured_of(tools.ledger, tools.org);
  if (!captured) return captured.error();
  if (receipt.result == Receipt::Result::Failed &&
      hidden_objects(*captured).contains(receipt.object)) {
    receipt.note = fmt::format(
        "it is selected in Change Data Capture, but hidden from the integration user: no event of "
        "it comes, and nothing can be compared; give the user read permission, take it out of the "
        "channel, or name the objects to audit in audit.objects ({})",
        receipt.note);
  }
  if (auto kept = receipts_.add(receipt); !kept) return kept;
  const observe::Labels labels{{"org", tools.org}, {"object", receipt.object}};
  const bool looked = receipt.result != Receipt::Result::Failed;
  tools.metrics
      .counter("headwater_audit_mismatches_total",
               "Records that an audit proved the ledger wrong about",
               labels)
      .add(static_cast<double>(receipt.proven));
  tools.metrics
      .counter("headwater_audit_derived_total",
               "Records of which formulas alone had other values in the org, which no event tells",
               labels)
      .add(static_cast<double>(receipt.derived));
  if (looked) {
    tools.metrics
        .gauge("headwater_audit_drift_ppm",
               "Wrong records per million of the org's, at the last audit",
               labels)
        .set(receipt.drift_ppm());
    tools.metrics
        .gauge("headwater_audit_last_success_timestamp_seconds",
               "When the last audit that could look ended",
               labels)
        .set(static_cast<double>(receipt.ended_at) / 1000.0);
  }
  last_[receipt.object] = {receipt.started_at, receipt.ended_at, looked};
  const bool equal = receipt.result == Receipt::Result::Equal;
  log::write(equal ? log::Level::Info : log::Level::Warning,
             equal ? "audited" : "audited: not equal to the org",
             {{"org", tools.org},
              {"object", receipt.object},
              {"run", receipt.run},
              {"result", to_string(receipt.result)},
              {"rows", receipt.org_side.rows},
              {"proven", receipt.proven},
              {"healed", receipt.healed},
              {"api_calls", receipt.api_calls},
              {"note", receipt.note}});
  parts_.desk.told(receipt);
  parts_.desk.doing(tools.org, {});
  pass_.reset();
  if (by_order_ && ordered_ && ordered_->objects.empty()) {
    parts_.desk.finished(ordered_->order.run, tools.org);
    ordered_.reset();
  }
  return {};
}

}  // namespace headwater::audit
