#include "daemon/audit/sink_audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "daemon/observe/log.hpp"
#include "schemas/model/render.hpp"

namespace headwater::audit {
namespace {

constexpr std::size_t kPageStates = 200, kPageBytes = 1U << 20;
/// Between two pages: at most 10,000 records a second are read of a target.
constexpr std::int64_t kPageMs = 20;
constexpr std::int64_t kPollMs = 1'000;
/// What a sink writes now may be seen in part: a suspect is looked at again after this.
constexpr std::int64_t kAgainMs = 1'000;
constexpr std::size_t kLookMax = 50;
constexpr std::int64_t kHealMs = 60'000;
/// A target that could not be read is tried again after this, if `every` is not shorter still.
constexpr EpochMs kRetryMs = 15 * 60'000;

std::optional<verify::LedgerRecord> record_of(const EntryView& entry) {
  EntryView shown = entry;
  if (entry.op == Op::Delete) shown.after = entry.old;
  std::string text;
  append_record_json(text, shown);
  return verify::read_record(std::move(text));
}

std::string_view org_of(std::string_view rkey) { return rkey.substr(0, rkey.find(':')); }

}  // namespace

SinkAudit::SinkAudit(Parts parts)
    : parts_(std::move(parts)), book_(parts_.ledger), receipts_(parts_.ledger) {
  parts_.health.set(observe::PartState::Ok);
}

Step SinkAudit::step() {
  parts_.health.beat();
  const auto now = parts_.clock.monotonic_ms();
  if (now < wait_until_) return Step::wait(std::min(wait_until_, now + kPollMs));
  auto stepped = work();
  if (stepped) {
    if (stepped->next == Step::Next::Wait) wait_until_ = stepped->until_ms;
    return *stepped;
  }
  // The sink's own part is red if its target is away; here nothing is lost but this pass.
  if (stepped.error().kind == ErrorKind::Fatal) {
    parts_.health.fail(stepped.error());
    return Step::done();
  }
  return end(Receipt::Result::Failed, stepped.error().message);
}

Result<Step> SinkAudit::work() {
  switch (phase_) {
    case Phase::Idle:
      return idle();
    case Phase::Walk:
      return walk();
    case Phase::Again:
      return again();
    case Phase::Heal:
      return heal();
  }
  return Step::again();
}

Result<Step> SinkAudit::idle() {
  const EpochMs now = parts_.clock.now_ms();
  const EpochMs every = parts_.options.every.count();
  const auto rest = Step::wait(parts_.clock.monotonic_ms() + kPollMs);
  if (every == 0) return rest;
  if (due_ == 0) {
    const auto last = receipts_.last(kOrg, parts_.sink, false);
    if (!last) return last.error();
    due_ = (*last ? (*last)->ended_at : now) + every;
    const auto all = receipts_.list(kOrg, parts_.sink);
    if (all && !all->empty()) parts_.desk.remember(kOrg, parts_.sink, all->back());
  }
  if (now < due_) return rest;
  receipt_ = {};
  receipt_.run = parts_.desk.number();
  receipt_.org = kOrg;
  receipt_.object = parts_.sink;
  receipt_.by = "schedule";
  receipt_.repair = true;
  receipt_.started_at = now;
  after_.clear();
  suspects_.clear();
  findings_.clear();
  reader_ = parts_.make();
  if (auto opened = reader_->open(); !opened) return opened.error();
  phase_ = Phase::Walk;
  return Step::again();
}

Result<void> SinkAudit::read_cursors() {
  cursors_.clear();
  for (const auto& org : parts_.orgs) {
    auto cursor = reader_->cursor(org);
    if (!cursor) return cursor.error();
    cursors_.emplace_back(org, std::move(*cursor));
  }
  return {};
}

/// True if the target must have it: its cursor is of this ledger and not before the record's rev.
bool SinkAudit::owed(const verify::LedgerRecord& record) const {
  for (const auto& [org, cursor] : cursors_) {
    if (org == org_of(record.rkey))
      return cursor && cursor->ledger == parts_.ledger.id() && record.rev <= cursor->rev;
  }
  return false;
}

Result<std::vector<std::string>> SinkAudit::wrong(
    const std::vector<verify::LedgerRecord>& records) {
  std::vector<std::string> out;
  std::vector<RecordName> names;
  std::vector<const verify::LedgerRecord*> asked;
  for (const auto& record : records) {
    if (!owed(record)) continue;
    names.push_back({record.rkey, record.entity});
    asked.push_back(&record);
  }
  if (names.empty()) return out;
  const auto held = reader_->read(names);
  if (!held) return held.error();
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto& record = *asked[i];
    const auto& there = (*held)[i];
    if (there && there->rev > record.rev) continue;  // it moved on since the state was read
    if (record.deleted && (!there || there->deleted)) continue;
    const bool same = there && there->rev == record.rev && there->deleted == record.deleted &&
                      verify::held_difference(record, *there, {}).empty();
    if (!same) out.push_back(record.rkey);
  }
  return out;
}

Result<Step> SinkAudit::walk() {
  EntryBatch batch;
  std::string last;
  if (auto read = parts_.ledger.read_keys(after_, kPageStates, kPageBytes, batch, last); !read)
    return read.error();
  std::vector<verify::LedgerRecord> records;
  for (const auto& entry : batch.entries()) {
    if (auto record = record_of(entry)) records.push_back(std::move(*record));
  }
  if (auto read = read_cursors(); !read) return read.error();
  auto found = wrong(records);
  if (!found) return found.error();
  receipt_.compared += records.size();
  receipt_.suspects += found->size();
  for (auto& rkey : *found) {
    if (suspects_.size() < kSuspectsMax) suspects_.push_back(std::move(rkey));
  }
  after_ = last;
  const auto now = parts_.clock.monotonic_ms();
  if (!after_.empty() && suspects_.size() < kSuspectsMax) return Step::wait(now + kPageMs);
  phase_ = Phase::Again;
  return Step::wait(now + (suspects_.empty() ? 0 : kAgainMs));
}

Result<std::vector<verify::LedgerRecord>> SinkAudit::records(
    std::span<const std::string> rkeys) const {
  std::vector<verify::LedgerRecord> out;
  for (const auto& rkey : rkeys) {
    const auto key = RecordKey::parse(rkey);
    if (!key) return key.error();
    EntryBatch batch;
    const auto found = parts_.ledger.get(*key, batch);
    if (!found) return found.error();
    if (!*found) continue;
    if (auto record = record_of(batch.entries().front())) out.push_back(std::move(*record));
  }
  return out;
}

Result<Step> SinkAudit::again() {
  const auto some = std::min(kLookMax, suspects_.size());
  const auto states = records(std::span(suspects_).last(some));
  if (!states) return states.error();
  if (auto read = read_cursors(); !read) return read.error();
  auto found = wrong(*states);
  if (!found) return found.error();
  suspects_.resize(suspects_.size() - some);
  findings_.insert(findings_.end(), found->begin(), found->end());
  if (!suspects_.empty()) return Step::again();
  receipt_.proven = findings_.size();
  if (findings_.empty()) return end(Receipt::Result::Equal, {});
  std::vector<RecordKey> keys;
  for (const auto& rkey : findings_) keys.push_back(*RecordKey::parse(rkey));
  if (auto told = book_.restate(keys); !told) return told.error();
  heal_until_ = parts_.clock.monotonic_ms() + kHealMs;
  phase_ = Phase::Heal;
  return Step::again();
}

Result<Step> SinkAudit::heal() {
  std::set<std::string> left;
  bool late = false;
  for (std::size_t i = 0; i < findings_.size(); i += kLookMax) {
    const auto some = std::span(findings_).subspan(i, std::min(kLookMax, findings_.size() - i));
    const auto states = records(some);
    if (!states) return states.error();
    if (auto read = read_cursors(); !read) return read.error();
    for (const auto& record : *states) {
      if (owed(record)) continue;
      late = true;
      left.insert(record.rkey);
    }
    auto found = wrong(*states);
    if (!found) return found.error();
    left.insert(found->begin(), found->end());
  }
  const auto now = parts_.clock.monotonic_ms();
  if (late && now < heal_until_) return Step::wait(now + kPollMs / 2);
  for (const auto& rkey : findings_) {
    const bool healed = !left.contains(rkey);
    receipt_.healed += healed ? 1 : 0;
    if (receipt_.findings.size() < Receipt::kFindingsMax)
      receipt_.findings.push_back({rkey, What::Held, {}, healed});
  }
  if (left.empty()) return end(Receipt::Result::Repaired, {});
  return end(
      Receipt::Result::Different,
      fmt::format("{} records were told again, and are not there yet or not alike", left.size()));
}

Step SinkAudit::end(Receipt::Result result, std::string note) {
  receipt_.result = result;
  receipt_.note = std::move(note);
  receipt_.ended_at = parts_.clock.now_ms();
  reader_.reset();
  phase_ = Phase::Idle;
  const bool looked = result != Receipt::Result::Failed;
  const EpochMs every = parts_.options.every.count();
  due_ = receipt_.ended_at + (looked ? every : std::min(every, kRetryMs));
  const observe::Labels labels{{"sink", parts_.sink}};
  parts_.metrics
      .counter("headwater_audit_sink_mismatches_total",
               "Records that an audit found wrong in a sink, and told again",
               labels)
      .add(static_cast<double>(receipt_.proven));
  if (looked) {
    parts_.metrics
        .gauge("headwater_audit_sink_last_success_timestamp_seconds",
               "When the last audit of the sink that could look ended",
               labels)
        .set(static_cast<double>(receipt_.ended_at) / 1000.0);
  }
  log::write(result == Receipt::Result::Equal ? log::Level::Info : log::Level::Warning,
             "sink audited",
             {{"sink", parts_.sink},
              {"result", to_string(result)},
              {"compared", receipt_.compared},
              {"wrong", receipt_.proven},
              {"healed", receipt_.healed},
              {"note", receipt_.note}});
  parts_.desk.told(receipt_);
  if (auto kept = receipts_.add(receipt_); !kept) parts_.health.fail(kept.error());
  return Step::wait(parts_.clock.monotonic_ms() + kPollMs);
}

}  // namespace headwater::audit
