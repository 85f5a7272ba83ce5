#include "daemon/audit/sink_audit.hpp"

#include <fmt/format.h>

#include <algorithm>

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
/// A target that could not be read, or holds something wrongly still, is looked at again after
/// this, if `every` is not shorter still.
constexpr EpochMs kRetryMs = 15 * 60'000;
/// A log is read whole to see whether it heals.
constexpr std::int64_t kLogPollMs = 10'000;

std::optional<verify::LedgerRecord> record_of(const EntryView& entry) {
  EntryView shown = entry;
  if (entry.op == Op::Delete) shown.after = entry.old;
  std::string text;
  append_record_json(text, shown);
  return verify::read_record(std::move(text));
}

/// Empty: the target holds the record as the ledger does.
std::string difference(const verify::LedgerRecord& record, const std::optional<Held>& held) {
  if (record.deleted && (!held || held->deleted)) return {};
  if (!held) return "it is missing";
  if (held->deleted != record.deleted)
    return record.deleted ? "it lives there, but is deleted" : "it is deleted there, but lives";
  if (held->rev != record.rev)
    return fmt::format(
        "it stands at rev {} there, at rev {} in the ledger", held->rev.value, record.rev.value);
  if (held->shortened) return {};
  return verify::held_difference(record, *held, {});
}

std::string_view org_of(std::string_view rkey) { return rkey.substr(0, rkey.find(':')); }

}  // namespace

SinkAudit::SinkAudit(Parts parts)
    : parts_(std::move(parts)),
      log_(parts_.make()->is_log()),
      book_(parts_.ledger),
      receipts_(parts_.ledger) {
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
    case Phase::Sweep:
      return sweep();
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
  const auto owed = sweep_owed();
  if (!owed) return owed.error();
  const auto due = is_due();
  if (!due) return due.error();
  if (!*owed && !*due) return Step::wait(parts_.clock.monotonic_ms() + kPollMs);
  if (auto begun = begin(parts_.clock.now_ms()); !begun) return begun.error();
  phase_ = *owed ? Phase::Sweep : log_ ? Phase::Again : Phase::Walk;
  return Step::again();
}

Result<bool> SinkAudit::is_due() {
  const EpochMs now = parts_.clock.now_ms();
  const EpochMs every = parts_.options.every.count();
  if (every == 0) return false;
  if (due_ == 0) {
    const auto last = receipts_.last(kOrg, parts_.sink, false);
    if (!last) return last.error();
    read_holes();
    due_ = holes_.empty() && !log_ ? (*last ? (*last)->ended_at : now) + every : now;
    const auto all = receipts_.list(kOrg, parts_.sink);
    if (all && !all->empty()) parts_.desk.remember(kOrg, parts_.sink, all->back());
  }
  if (now < due_) return false;
  if (!log_) return true;
  read_holes();
  if (holes_.empty()) due_ = now + std::min(every, kRetryMs);
  return !holes_.empty();
}

std::size_t SinkAudit::look_max() const { return log_ ? kSuspectsMax : kLookMax; }

Result<void> SinkAudit::begin(EpochMs now) {
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
  strays_left_ = 0;
  // What an earlier pass, or a person's, left open.
  read_holes();
  for (const auto& [rkey, hole] : holes_) suspects_.push_back(rkey);
  reader_ = parts_.make();
  return reader_->open();
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

Result<std::vector<SinkAudit::Looked>> SinkAudit::look(
    const std::vector<verify::LedgerRecord>& records) {
  std::vector<Looked> out;
  std::vector<RecordName> names;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < records.size(); ++i) {
    out.push_back({records[i].rkey, records[i].rev, Look::NotOwed, {}});
    if (!owed(records[i])) continue;
    names.push_back({records[i].rkey, records[i].entity});
    asked.push_back(i);
  }
  if (names.empty()) return out;
  const auto held = reader_->read(names);
  if (!held) return held.error();
  const Rev head = parts_.ledger.head();  // no rev that was read is greater, unless a stranger's
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto& record = records[asked[i]];
    const auto& there = (*held)[i];
    auto& looked = out[asked[i]];
    if (there && there->rev > head) {
      looked.above = there->rev;
      looked.what = fmt::format("it stands at rev {} there, which the ledger never gave{}",
                                there->rev.value,
                                book_.may_follow(there->rev)
                                    ? ""
                                    : ": years ahead, so delete the record there (row or key)");
      looked.look = Look::Wrong;
      continue;
    }
    if (there && there->rev > record.rev) continue;  // it moved on since the state was read
    looked.what = difference(record, there);
    looked.look = looked.what.empty() ? Look::Right : Look::Wrong;
  }
  if (auto apart = set_refused_apart(out); !apart) return apart.error();
  return out;
}

Result<void> SinkAudit::set_refused_apart(std::vector<Looked>& looked) const {
  for (auto& one : looked) {
    if (one.look != Look::Wrong) continue;
    const auto refused = book_.in_quarantine(*RecordKey::parse(one.rkey), "sink." + parts_.sink);
    if (!refused) return refused.error();
    if (*refused) one.look = Look::Refused;
  }
  return {};
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
  auto found = look(records);
  if (!found) return found.error();
  receipt_.compared += records.size();
  for (auto& looked : *found) {
    if (looked.look == Look::Refused) ++receipt_.known;
    if (looked.look != Look::Wrong || holes_.contains(looked.rkey)) continue;
    ++receipt_.suspects;
    suspects_.push_back(std::move(looked.rkey));
  }
  after_ = last;
  const auto now = parts_.clock.monotonic_ms();
  if (!after_.empty() && suspects_.size() < kSuspectsMax) return Step::wait(now + kPageMs);
  phase_ = Phase::Again;
  return Step::wait(now + (suspects_.empty() ? 0 : kAgainMs));
}

Result<std::vector<SinkAudit::Looked>> SinkAudit::look_at(std::span<const std::string> rkeys) {
  std::vector<verify::LedgerRecord> states;
  for (const auto& rkey : rkeys) {
    const auto key = RecordKey::parse(rkey);
    if (!key) return key.error();
    EntryBatch batch;
    const auto found = parts_.ledger.get(*key, batch);
    if (!found) return found.error();
    if (!*found) continue;
    if (auto record = record_of(batch.entries().front())) states.push_back(std::move(*record));
  }
  if (auto read = read_cursors(); !read) return read.error();
  return look(states);
}

Result<Step> SinkAudit::again() {
  const auto some = std::min(look_max(), suspects_.size());
  auto found = look_at(std::span(suspects_).last(some));
  if (!found) return found.error();
  if (auto closed = close_proven(*found); !closed) return closed.error();
  suspects_.resize(suspects_.size() - some);
  for (auto& looked : *found) {
    if (looked.look == Look::Wrong) findings_.push_back(std::move(looked));
  }
  if (!suspects_.empty()) return Step::again();
  if (findings_.empty()) return go_on();
  receipt_.proven += findings_.size();
  if (auto opened = open_holes(findings_); !opened) return opened.error();
  std::vector<RecordKey> keys;
  Rev above;
  for (const auto& finding : findings_) {
    keys.push_back(*RecordKey::parse(finding.rkey));
    if (book_.may_follow(finding.above)) above = std::max(above, finding.above);
  }
  if (auto told = book_.restate(keys, above); !told) return told.error();
  heal_until_ = parts_.clock.monotonic_ms() + kHealMs;
  phase_ = Phase::Heal;
  return Step::again();
}

Result<void> SinkAudit::open_holes(std::span<const Looked> wrong) {
  std::vector<ledger::Hole> fresh;
  for (const auto& finding : wrong) {
    if (holes_.contains(finding.rkey)) continue;
    fresh.push_back(
        ledger::sink_hole(parts_.sink,
                          *RecordKey::parse(finding.rkey),
                          fmt::format("audit {}: {}; told again", receipt_.run, finding.what)));
  }
  if (fresh.empty()) return {};
  if (auto opened = book_.open(fresh); !opened) return opened;
  read_holes();  // with the numbers that the ledger gave them
  return {};
}

void SinkAudit::read_holes() {
  holes_.clear();
  for (const auto& org : parts_.orgs) {
    for (auto& hole : book_.sink_holes(org, parts_.sink)) {
      auto rkey = ledger::rkey_of(hole);
      holes_.emplace(std::move(rkey), std::move(hole));
    }
  }
}

Result<void> SinkAudit::close_proven(std::span<const Looked> looked) {
  std::vector<ledger::Hole> proven;
  for (const auto& one : looked) {
    const auto at = holes_.find(one.rkey);
    const bool refused = one.look == Look::Refused;
    if ((one.look != Look::Right && !refused) || at == holes_.end()) continue;
    auto& hole = proven.emplace_back(std::move(at->second));
    hole.closing.by = "audit of " + parts_.sink;
    holes_.erase(at);
    if (refused) {
      hole.closing.how = ledger::Closing::How::Released;
      hole.closing.evidence = fmt::format(
          "audit {}: {} refused it, so it waits in quarantine: `headwater quarantine list`",
          receipt_.run,
          parts_.sink);
      continue;
    }
    hole.closing.how = ledger::Closing::How::Repaired;
    hole.closing.evidence = fmt::format(
        "audit {} read it anew: it stands at rev {} with the same content as the ledger's",
        receipt_.run,
        one.rev.value);
  }
  return proven.empty() ? Result<void>() : book_.close(proven);
}

/// Once the cursor is past what was told again. What is right then is healed.
Result<Step> SinkAudit::heal() {
  std::vector<Looked> left;
  bool late = false;
  for (std::size_t i = 0; i < findings_.size(); i += look_max()) {
    std::set<std::string> rkeys;
    const auto some = std::min(look_max(), findings_.size() - i);
    for (const auto& finding : std::span(findings_).subspan(i, some)) rkeys.insert(finding.rkey);
    auto looked = look_at(std::vector<std::string>(rkeys.begin(), rkeys.end()));
    if (!looked) return looked.error();
    if (auto closed = close_proven(*looked); !closed) return closed.error();
    for (auto& one : *looked) {
      rkeys.erase(one.rkey);
      late = late || one.look == Look::NotOwed;
      if (one.look == Look::Right) {
        ++receipt_.healed;
        name(one, true);
      } else if (one.look == Look::Refused) {
        ++receipt_.known;
        name(one, false);
      } else {
        left.push_back(std::move(one));
      }
    }
    // The ledger has still not seen them.
    late = late || !rkeys.empty();
    for (const auto& rkey : rkeys) left.push_back({rkey, {}, Look::NotOwed, {}});
  }
  findings_ = std::move(left);
  const auto now = parts_.clock.monotonic_ms();
  if (late && now < heal_until_) return Step::wait(now + (log_ ? kLogPollMs : kPollMs / 2));
  for (const auto& finding : findings_) name(finding, false);
  if (!sweeping_.empty()) strays_left_ = findings_.size();
  return go_on();
}

void SinkAudit::name(const Looked& finding, bool healed) {
  if (receipt_.findings.size() < Receipt::kFindingsMax)
    receipt_.findings.push_back({finding.rkey, What::Held, {}, healed});
}

/// The next piece of the walk, or the end.
Result<Step> SinkAudit::go_on() {
  findings_.clear();
  if (!sweeping_.empty()) return after_sweep();
  if (!after_.empty()) {
    phase_ = Phase::Walk;
    return Step::again();
  }
  if (strays_left_ > 0)
    return end(Receipt::Result::Different,
               fmt::format("{} records that the ledger has never seen are still there: the org was "
                           "not asked yet, or the brake on deletions holds (`headwater holes`)",
                           strays_left_));
  if (!holes_.empty())
    return end(Receipt::Result::Different,
               fmt::format("{} records were told again, and are not there yet or not alike: see "
                           "`headwater holes`",
                           holes_.size()));
  if (receipt_.known > 0)
    return end(Receipt::Result::Different,
               fmt::format("{} records are in quarantine, as the sink refused them: see `headwater "
                           "quarantine list`",
                           receipt_.known));
  return end(receipt_.proven == 0 ? Receipt::Result::Equal : Receipt::Result::Repaired,
             log_ ? "a log: looked at only where something was in doubt" : "");
}

Step SinkAudit::end(Receipt::Result result, std::string note) {
  receipt_.result = result;
  receipt_.note = std::move(note);
  receipt_.ended_at = parts_.clock.now_ms();
  reader_.reset();
  phase_ = Phase::Idle;
  const bool looked = result != Receipt::Result::Failed;
  const EpochMs every = parts_.options.every.count();
  due_ = receipt_.ended_at + (looked && holes_.empty() ? every : std::min(every, kRetryMs));
  const observe::Labels labels{{"sink", parts_.sink}};
  parts_.metrics
      .counter("headwater_audit_sink_mismatches_total",
               "Records that an audit found wrong in a sink, and told again",
               labels)
      .add(static_cast<double>(receipt_.proven));
  if (looked && !log_) {
    parts_.metrics
        .gauge("headwater_audit_sink_drift_ppm",
               "Records per million that the sink held wrongly, at the last audit",
               labels)
        .set(static_cast<double>(receipt_.proven) * 1e6 /
             static_cast<double>(std::max<std::uint64_t>(receipt_.compared, 1)));
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
