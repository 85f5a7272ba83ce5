#include "daemon/audit/object_pass.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "daemon/ledger/hole_causes.hpp"

namespace headwater::audit {
namespace {

/// Memory of the spool's runs: some 40,000 keys.
constexpr std::size_t kSpoolRunBytes = 4U << 20;
/// States read, and rows taken off the spool, in one step.
constexpr std::size_t kMergeMax = 1'000;
/// As the ledger's brake on deletes that no event states: so many an object may always lose.
constexpr std::uint64_t kGoneFloor = 10;
/// And never more at once, so that they fit in memory.
constexpr std::uint64_t kGoneMax = 100'000;
constexpr int kFailuresMax = 10;
/// A withheld or refused call is tried again after this.
constexpr std::int64_t kQuotaPauseMs = 60'000;
constexpr std::int64_t kRetryFirstMs = 1'000, kRetryMaxMs = 60'000;

std::string spooled(const OrgRow& row) {
  return fmt::format("{}{}", row.deleted ? '-' : '+', row.stamp);
}

OrgRow unspooled(const std::string& text) {
  OrgRow row;
  row.deleted = text.starts_with('-');
  std::from_chars(text.data() + 1, text.data() + text.size(), row.stamp);
  return row;
}

}  // namespace

ObjectPass::ObjectPass(Bench& bench, Order order)
    : bench_(bench), order_(std::move(order)), book_(bench.tools.ledger) {
  receipt_.run = order_.run;
  receipt_.org = org();
  receipt_.object = order_.object;
  receipt_.by = order_.by;
  receipt_.repair = order_.repair;
  receipt_.started_at = now();
  receipt_.window_from = order_.window_from;
  const auto share =
      static_cast<std::uint64_t>(static_cast<double>(living()) * bench_.sweep_share_max);
  gone_max_ = std::clamp(share, kGoneFloor, kGoneMax);
}

std::uint64_t ObjectPass::living() const { return bench_.tools.living(order_.object); }

salesforce::CallTerms ObjectPass::terms() const {
  salesforce::CallTerms terms;
  terms.priority = salesforce::Priority::Audit;
  return terms;
}

std::string ObjectPass::doing() const {
  static constexpr const char* kWords[] = {"begins",
                                           "reads ids and stamps",
                                           "compares ids and stamps",
                                           "compares fields",
                                           "looks again at suspects",
                                           "waits for refetches",
                                           "done"};
  auto out = fmt::format("{}: {}; {} rows, {} suspects, {} proven",
                         order_.object,
                         kWords[static_cast<std::size_t>(phase_)],
                         receipt_.org_side.rows,
                         receipt_.suspects,
                         receipt_.proven);
  if (!waits_for_.empty()) out += "; waits: " + waits_for_;
  return out;
}

Step ObjectPass::go(Phase phase) {
  phase_ = phase;
  waits_for_.clear();
  waiting_since_ = 0;
  return Step::again();
}

Step ObjectPass::drain_then(Phase phase) {
  resume_ = phase;
  return go(Phase::Prove);
}

Result<Step> ObjectPass::step() {
  if (ticks() < retry_at_) return Step::wait(retry_at_);
  auto stepped = work();
  if (!stepped) return met(stepped.error());
  failures_ = 0;
  if (phase_ != Phase::Prove && stepped->next != Step::Next::Wait) waits_for_.clear();
  return stepped;
}

Result<Step> ObjectPass::work() {
  switch (phase_) {
    case Phase::Begin:
      return begin();
    case Phase::Keys:
      return keys();
    case Phase::Merge:
      return merge();
    case Phase::Window:
      return window();
    case Phase::Prove:
      return prove();
    case Phase::Heal:
      return heal();
    case Phase::Done:
      break;
  }
  return Step::again();
}

/// What keeps the audit waiting, and what ends it. Nothing here is the org's own trouble: streams
/// and repair go on, and meet it themselves if it is.
Result<Step> ObjectPass::met(const Error& error) {
  if (error.kind == ErrorKind::Fatal) return error;
  waits_for_ = error.message;
  if (error.code == salesforce::kQuotaReserved || error.code == "REQUEST_LIMIT_EXCEEDED") {
    retry_at_ = ticks() + kQuotaPauseMs;
    return Step::wait(retry_at_);
  }
  if (error.kind == ErrorKind::Transient && ++failures_ < kFailuresMax) {
    // Some page lacked rows, and nothing tells which: what was read of it counts no more.
    if (error.code == "RESULT_SHORT" && phase_ == Phase::Keys)
      spool_ = std::make_unique<verify::Spool>(kSpoolRunBytes);
    retry_at_ = ticks() + std::min(kRetryMaxMs, kRetryFirstMs << failures_);
    return Step::wait(retry_at_);
  }
  bench_.tools.objects.forget(order_.object);
  const bool unreadable =
      error.kind == ErrorKind::Blocked || error.code == "INVALID_TYPE" || error.code == "NOT_FOUND";
  if (error.kind == ErrorKind::Rejected && !unreadable && !began_anew_) {
    began_anew_ = true;  // a field went, was hidden or changed its type since it was described
    return begin_anew();
  }
  if (unreadable && order_.repair && living() > 0) {
    auto opened = open_object_hole(
        std::string(ledger::kUnreadable),
        fmt::format("{}; nothing is deleted for it: give the integration user read permission, the "
                    "next audit closes this",
                    error.message));
    if (!opened) return opened.error();
  }
  return fail(error.message);
}

Result<Step> ObjectPass::begin_anew() {
  if (walk_) walk_->give_up();
  tally_ = {};
  receipt_.compared = receipt_.binned = receipt_.before_start = receipt_.suspects = 0;
  receipt_.derived = receipt_.unread = 0;
  unread_.clear();
  why_unread_.clear();
  derived_.reset();
  row_.reset();
  ledger_at_.clear();
  ledger_read_ = mass_gone_ = missed_ = false;
  suspects_.clear();
  gone_.clear();
  return go(Phase::Begin);
}

Result<Step> ObjectPass::fail(std::string note) {
  if (walk_) walk_->give_up();
  receipt_.result = Receipt::Result::Failed;
  receipt_.note = std::move(note);
  receipt_.ended_at = now();
  return go(Phase::Done);
}

Result<Step> ObjectPass::begin() {
  // They are back, or the org says that they are gone: or their hour begins anew.
  if (order_.repair) {
    if (auto asked = book_.ask_spared(org(), order_.object); !asked) return asked.error();
  }
  // A formula that is new, or makes another type, shows in no event's schema.
  bench_.tools.objects.forget(order_.object);
  const auto described = bench_.tools.objects.describe(order_.object);
  if (!described) return described.error();
  // A copy: the book may describe the object anew between two steps.
  description_ = (*described)->description;
  fields_ = (*described)->fields;
  decoder_.emplace(description_);
  shows_deleted_ = std::ranges::any_of(
      description_.fields, [](const auto& field) { return field.name == kDeletedField; });
  salesforce::Selection selection;
  selection.object = order_.object;
  selection.fields = {"Id", "SystemModstamp"};
  if (shows_deleted_) selection.fields.emplace_back(kDeletedField);
  selection.with_deleted = shows_deleted_;
  walk_.emplace(bench_.reader, std::move(selection), terms(), bench_.tools.clock);
  spool_ = std::make_unique<verify::Spool>(kSpoolRunBytes);
  keys_head_ = bench_.tools.ledger.head();
  return go(Phase::Keys);
}

Result<Step> ObjectPass::keys() {
  const auto next = walk([this](const salesforce::RecordRow& row, const Error*) {
    return spool_->add(row.id.view(), spooled({row.stamp, row.deleted}));
  });
  if (!next) return next.error();
  if (*next != RowWalk::Next::End) return after(*next);
  walk_.reset();
  keys_seen_at_ = now();
  if (auto sorted = spool_->finish(); !sorted) return sorted.error();
  row_.emplace();
  next_row();
  return go(Phase::Merge);
}

Result<RowWalk::Next> ObjectPass::walk(const RowWalk::Visit& visit) {
  // Before its time a job is not asked for: no call.
  if (ticks() >= walk_->later()) ++receipt_.api_calls;
  return walk_->next(*decoder_, decoded_, visit);
}

Step ObjectPass::after(RowWalk::Next next) {
  if (next == RowWalk::Next::Rows) return Step::again();
  waits_for_ = "Bulk job " + walk_->job();
  return Step::wait(walk_->later());
}

bool ObjectPass::next_row() {
  if (row_ && !spool_->next(*row_)) row_.reset();
  return row_.has_value();
}

/// Both in byte order of their ids: one page of states, and the rows up to its last one.
Result<Step> ObjectPass::merge() {
  if (crowded()) return drain_then(Phase::Merge);
  if (ledger_read_) return merge_rest();
  const auto page = book_.standings(org(), order_.object, ledger_at_, kMergeMax);
  if (!page) return page.error();
  for (const auto& standing : *page) {
    const std::string id = standing.id.str();
    for (; row_ && row_->key < id && !crowded(); next_row())
      meet(row_->key, unspooled(row_->value), nullptr);
    if (crowded()) return drain_then(Phase::Merge);  // and on behind ledger_at_
    if (row_ && row_->key == id) {
      meet(id, unspooled(row_->value), &standing);
      next_row();
    } else {
      meet(id, std::nullopt, &standing);
    }
    ledger_at_ = id;
  }
  ledger_read_ = page->size() < kMergeMax;
  return Step::again();
}

Result<Step> ObjectPass::merge_rest() {
  for (std::size_t i = 0; row_ && i < kMergeMax && !crowded(); ++i, next_row())
    meet(row_->key, unspooled(row_->value), nullptr);
  if (row_) return Step::again();
  return after_merge();
}

void ObjectPass::meet(const std::string& id,
                      const std::optional<OrgRow>& row,
                      const ledger::Standing* standing) {
  const auto record = RecordId::parse(id);
  if (!record) return;
  if (row && row->deleted) ++receipt_.binned;
  const What what = suspect(row, standing);
  if (what == What::Missing && standing == nullptr && !claimed(row->stamp)) {
    ++receipt_.before_start;
    return;
  }
  const bool in_org = row && !row->deleted;
  const bool in_ledger = standing != nullptr && !standing->deleted;
  if (in_org && in_ledger && what == What::Nothing) {
    tally_.both(*record, row->stamp);
  } else {
    if (in_org) tally_.org_alone(*record, row->stamp);
    if (in_ledger) tally_.ledger_alone(*record, standing->known_to);
  }
  receipt_.org_side = tally_.org();
  receipt_.ledger_side = tally_.ledger();
  // One that lies in the recycle bin was deleted, whoever may read what: it asks no brake.
  if (what == What::Gone && !row) {
    if (gone_.size() < gone_max_)
      gone_[id] = {row, keys_seen_at_, keys_head_};
    else
      mass_gone_ = true;
  } else if (what != What::Nothing) {
    suspect_one(id, {row, keys_seen_at_, keys_head_});
  }
}

void ObjectPass::suspect_one(const std::string& id, const Sight& sight) {
  const auto [at, fresh] = suspects_.try_emplace(id);
  at->second.sight = sight;
  if (fresh) ++receipt_.suspects;
}

Result<Step> ObjectPass::after_merge() {
  spool_.reset();
  // Not one record to be seen, be it in the bin, where we hold some: no way to lose them all.
  if (!gone_.empty() && receipt_.org_side.rows == 0 && receipt_.binned == 0) mass_gone_ = true;
  if (!mass_gone_) {
    for (const auto& [id, sight] : gone_) suspect_one(id, sight);
  }
  salesforce::Selection selection;
  selection.object = order_.object;
  selection.fields = fields_;
  if (order_.window_from > 0)
    selection.where = "SystemModstamp >= " + format_datetime(order_.window_from);
  auto noted = bench_.tools.ledger.note_version(org());
  if (!noted) return noted.error();
  window_noted_ = *noted;
  walk_.emplace(bench_.reader, std::move(selection), terms(), bench_.tools.clock);
  return go(Phase::Window);
}

Result<Step> ObjectPass::window() {
  if (crowded()) return drain_then(Phase::Window);
  const auto next = walk([this](const salesforce::RecordRow& row, const Error* unread) {
    return unread == nullptr ? compare(row) : pass_over(row, *unread);
  });
  send_derived(window_noted_);
  if (auto opened = open_holes(window_noted_); !opened) return opened.error();
  if (!next) return next.error();
  if (*next != RowWalk::Next::End) return after(*next);
  walk_.reset();
  return drain_then(Phase::Done);
}

/// It stands alone. So many of them are no rows' fault: the pass ends with what the first one says.
Result<void> ObjectPass::pass_over(const salesforce::RecordRow& row, const Error& unread) {
  if (!unread_.insert(row.id.str()).second) return {};
  if (unread_.size() > kSuspectsMax) return unread;
  receipt_.unread = unread_.size();
  if (why_unread_.empty()) why_unread_ = fmt::format("{}: {}", row.id.view(), unread.message);
  if (!order_.repair) return {};
  ledger::Hole hole;
  hole.cause = ledger::kUnreadableRow;
  hole.id = row.id.str();
  hole.detail = unread.message;
  hole.from_ts = hole.to_ts = row.stamp;
  holes_.push_back(std::move(hole));
  return {};
}

Result<void> ObjectPass::compare(const salesforce::RecordRow& row) {
  ++receipt_.compared;
  const auto& names = bench_.tools.ledger.names(org(), order_.object);
  bool differs = false;
  Difference difference;
  const auto read = book_.raw(
      org(), order_.object, {&row.id, 1}, [&](std::size_t, const ledger::RawRecord* record) {
        if (record == nullptr || record->standing.deleted) {
          differs = record != nullptr || claimed(row.stamp);
          return;
        }
        const auto beyond = unheard(row.stamp, record->standing);
        difference = differing(row.fields, record->fields, names, beyond, 1);
      });
  if (!read) return read;
  if (differs || !difference.fields.empty())
    suspect_one(row.id.str(), {OrgRow{row.stamp, false}, now(), {}});
  else if (difference.derived)
    take_derived(row);
  return {};
}

}  // namespace headwater::audit
