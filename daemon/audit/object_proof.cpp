#include <fmt/format.h>

#include <algorithm>

#include "daemon/audit/object_pass.hpp"
#include "daemon/ledger/hole_causes.hpp"

// The second half of a pass: what looked wrong is looked at again, told as holes, and waited for.

namespace headwater::audit {
namespace {

/// Ids of one look: their query must fit in a URI of 16,384 bytes with all the fields' names.
constexpr std::size_t kLookMax = 100;
/// A record that moves at so many looks is read again to be sure, and left.
constexpr int kLooksMax = 8;
/// Names of differing fields that a finding keeps.
constexpr std::size_t kFieldsMax = 5;
/// Months with differences that a receipt keeps.
constexpr std::size_t kMonthsMax = 24;
constexpr std::int64_t kPollMs = 500, kHealPollMs = 200;
/// How long streams may take to come past what was seen, and refetches to close the holes.
constexpr std::int64_t kStreamPatienceMs = 15 * 60'000, kHealPatienceMs = 5 * 60'000;

}  // namespace

Result<Step> ObjectPass::prove() {
  if (suspects_.empty()) {
    waits_for_.clear();
    return go(Phase::Heal);
  }
  const auto streams = bench_.streams();
  std::vector<RecordId> ids;
  for (const auto& [id, suspect] : suspects_) {
    if (ids.size() == kLookMax) break;
    if (passed(streams, suspect.sight, bench_.options.settle, now()))
      ids.push_back(*RecordId::parse(id));
  }
  if (!ids.empty()) {
    waiting_since_ = 0;
    if (auto looked = look_again(ids); !looked) return looked.error();
    return Step::again();
  }
  if (waiting_since_ == 0) waiting_since_ = ticks();
  waits_for_ = "the streams to come past what was seen";
  if (ticks() - waiting_since_ < kStreamPatienceMs) return Step::wait(ticks() + kPollMs);
  return fail(
      fmt::format("{} records look wrong, but the streams have not come past them within {} "
                  "minutes: nothing is "
                  "certain until they have",
                  suspects_.size(),
                  kStreamPatienceMs / 60'000));
}

Result<void> ObjectPass::look_again(const std::vector<RecordId>& ids) {
  auto noted = bench_.tools.ledger.note_version(org());
  if (!noted) return noted.error();
  look_head_ = bench_.tools.ledger.head();
  std::map<std::string, std::optional<ledger::Standing>> before;
  auto read =
      book_.raw(org(), order_.object, ids, [&](std::size_t i, const ledger::RawRecord* record) {
        before[ids[i].str()] = record == nullptr ? std::nullopt : std::optional(record->standing);
      });
  if (!read) return read;
  salesforce::Selection selection;
  selection.object = order_.object;
  selection.fields = fields_;
  if (shows_deleted_) selection.fields.emplace_back(kDeletedField);
  selection.with_deleted = shows_deleted_;
  for (const auto& id : ids)
    selection.where += fmt::format("{}'{}'", selection.where.empty() ? "Id IN (" : ",", id.view());
  selection.where += ")";
  salesforce::QueryWalk walk(bench_.reader, std::move(selection), terms());
  while (true) {
    ++receipt_.api_calls;
    auto page = walk.next();
    if (!page) return page.error();
    if (!*page) break;
    for (const auto& record : (*page)->records) {
      const auto decoded = decoder_->decode(record, decoded_);
      const auto at = before.find(decoded_.id.str());
      if (at == before.end()) {
        if (!decoded && decoded_.id == RecordId()) return decoded;
        continue;
      }
      const auto judged = decoded ? judge_one(decoded_.id, at->second, &decoded_)
                                  : pass_over(decoded_, decoded.error());
      if (!judged) return judged;
      if (!decoded) suspects_.erase(at->first);
      before.erase(at);
    }
  }
  for (const auto& [id, standing] : before) {
    if (auto judged = judge_one(*RecordId::parse(id), standing, nullptr); !judged) return judged;
  }
  send_derived(*noted);
  return open_holes(*noted);
}

Result<void> ObjectPass::judge_one(const RecordId& id,
                                   const std::optional<ledger::Standing>& before,
                                   const salesforce::RecordRow* row) {
  const std::string key = id.str();
  const auto at = suspects_.find(key);
  if (at == suspects_.end()) return {};
  Suspect& suspect = at->second;
  const auto hole = book_.hole_of(org(), order_.object, key);
  if (!hole) return hole.error();
  const auto& names = bench_.tools.ledger.names(org(), order_.object);
  std::optional<ledger::Standing> after;
  Difference difference;
  auto read =
      book_.raw(org(), order_.object, {&id, 1}, [&](std::size_t, const ledger::RawRecord* record) {
        if (record == nullptr) return;
        after = record->standing;
        if (row == nullptr) return;
        const auto beyond = unheard(row->stamp, record->standing);
        difference = differing(row->fields, record->fields, names, beyond, kFieldsMax);
      });
  if (!read) return read;
  SecondLook look;
  look.then = suspect.sight;
  if (row != nullptr) look.now.row = OrgRow{row->stamp, row->deleted};
  look.now.seen_at = now();
  look.now.head = look_head_;
  look.before = before ? &*before : nullptr;
  look.after = after ? &*after : nullptr;
  look.fields_differ = !difference.fields.empty();
  look.hole_open = hole->has_value();
  What what = What::Nothing;
  switch (judge(look, what)) {
    case Verdict::Right:
      if (difference.derived && row != nullptr && !row->deleted) take_derived(*row);
      suspects_.erase(at);
      break;
    case Verdict::Known:  // its refetch will tell, unless that was put off
      healing_.push_back({key, std::nullopt, what});
      suspects_.erase(at);
      break;
    case Verdict::Proven:
      prove_one(id, what, std::move(difference.fields), row == nullptr ? 0 : row->stamp);
      if (what == What::Gone && row != nullptr && order_.repair) take_binned(*row);
      suspects_.erase(at);
      break;
    case Verdict::Moves:
      suspect.sight = look.now;
      if (++suspect.looks < kLooksMax) break;
      ++receipt_.unsettled;
      missed_ = missed_ || what == What::Gone;
      suspects_.erase(at);
      if (order_.repair) {
        ledger::Hole doubt;
        doubt.cause = "audit_unsettled";
        doubt.detail = "it changed at every look of the audit: read again to be sure";
        doubt.id = key;
        holes_.push_back(std::move(doubt));
      }
      break;
  }
  return {};
}

void ObjectPass::prove_one(const RecordId& id,
                           What what,
                           std::vector<std::string> fields,
                           EpochMs stamp) {
  ++receipt_.proven;
  const std::size_t place = receipt_.findings.size();
  const std::string key = id.str();
  if (what != What::Stale) fields.clear();
  if (order_.repair) {
    ledger::Hole hole;
    hole.cause = cause_of(what);
    hole.id = key;
    hole.from_ts = hole.to_ts = stamp;
    hole.detail = fmt::format("audit {}: no event told of this", order_.run);
    if (!fields.empty()) hole.detail += fmt::format("; differs in {}", fmt::join(fields, ", "));
    holes_.push_back(std::move(hole));
    healing_.push_back({key, place, what});
  } else if (what == What::Gone) {
    missed_ = true;
  }
  if (place < Receipt::kFindingsMax)
    receipt_.findings.push_back({key, what, std::move(fields), false});
}

/// The org says itself that it was deleted: the row answers the hole that is opened for it, and no
/// refetch has to find nothing, which a withdrawn permission looks like (design.md ruling 14).
void ObjectPass::take_binned(const salesforce::RecordRow& row) {
  if (!binned_) binned_.emplace();
  bench_.tools.objects.add_row(order_.object, row, *binned_);
  binned_->rows.back().deleted = true;
}

/// All that an event could have told is equal. The row is what a refetch would bring, and newer
/// events win over it as they do over every row.
void ObjectPass::take_derived(const salesforce::RecordRow& row) {
  ++receipt_.derived;
  if (!order_.repair) return;
  if (!derived_) derived_.emplace();
  bench_.tools.objects.add_row(order_.object, row, *derived_);
}

void ObjectPass::send_derived(const Version& noted) {
  if (!derived_) return;
  derived_->batch.org = org();
  derived_->batch.object = order_.object;
  derived_->batch.noted = noted;
  derived_->batch.type = ChangeType::Refetch;
  bench_.tools.outbox.send(std::move(*derived_));
  derived_.reset();
}

Result<void> ObjectPass::open_holes(const Version& noted) {
  if (holes_.empty()) return {};
  for (auto& hole : holes_) {
    hole.scope = ledger::Hole::Scope::Record;
    hole.org = org();
    hole.object = order_.object;
    hole.version = noted;  // a row that was asked for before this look is no answer
  }
  auto opened = book_.open(holes_);
  holes_.clear();
  if (opened && binned_) {
    binned_->batch.org = org();
    binned_->batch.object = order_.object;
    binned_->batch.noted = noted;
    binned_->batch.type = ChangeType::Refetch;
    bench_.tools.outbox.send(std::move(*binned_));
  }
  binned_.reset();
  return opened;
}

/// Refetches close the holes: a record that was read again and applied is healed. Behind it the
/// phase that the suspects came from, or the end.
Result<Step> ObjectPass::heal() {
  std::size_t open = 0;
  std::vector<Healing> left;
  for (auto& healing : healing_) {
    const auto hole = book_.hole_of(org(), order_.object, healing.id);
    if (!hole) return hole.error();
    if (*hole) {
      const bool put_off = (*hole)->next_try > now() + kHealPatienceMs;
      if (!healing.finding && put_off) {
        leave(healing);
        continue;
      }
      ++open;
      left.push_back(std::move(healing));
      continue;
    }
    if (!healing.finding) continue;
    ++receipt_.healed;
    if (*healing.finding < receipt_.findings.size())
      receipt_.findings[*healing.finding].healed = true;
  }
  healing_ = std::move(left);
  if (waiting_since_ == 0) waiting_since_ = ticks();
  if (open > 0 && ticks() - waiting_since_ < kHealPatienceMs)
    return Step::wait(ticks() + kHealPollMs);
  for (const auto& healing : healing_) leave(healing);
  healing_.clear();
  if (resume_ != Phase::Done) return go(resume_);
  return finish();
}

/// It is wrong still.
void ObjectPass::leave(const Healing& healing) {
  ++left_open_;
  if (!healing.finding) ++receipt_.known;
  if (healing.what == What::Gone) missed_ = true;
}

Result<Step> ObjectPass::finish() {
  if (left_open_ > 0)
    receipt_.note = fmt::format(
        "{} records are wrong still, {} of them known to be before: `headwater holes` says what "
        "each waits for",
        left_open_,
        receipt_.known);
  if (!unread_.empty())
    receipt_.note +=
        fmt::format("{}{} of the rows could not be read, and are not compared{}; {}",
                    receipt_.note.empty() ? "" : "; ",
                    unread_.size(),
                    order_.repair ? ": each has a hole that closes once it can be" : "",
                    why_unread_);
  if (mass_gone_) {
    const bool none = receipt_.org_side.rows == 0;
    receipt_.note = fmt::format(
        "{} {} living records of {} are not to be seen in the org: nothing is deleted; check the "
        "integration user's read permission on it; if they are gone indeed, say `headwater resync "
        "{} --confirm`",
        none ? std::string("all") : fmt::format("more than {} of", gone_max_),
        living(),
        order_.object,
        order_.object);
    if (order_.repair) {
      if (auto opened = open_object_hole(std::string(ledger::kMassDelete), receipt_.note); !opened)
        return opened.error();
    }
  } else if (gone_.empty() && !missed_) {
    // Proof is proof, whether or not findings are healed.
    if (auto closed = close_object_holes(); !closed) return closed.error();
  }
  receipt_.months = tally_.differing(kMonthsMax);
  const bool found = receipt_.proven > 0 || receipt_.known > 0 || mass_gone_;
  const bool healed =
      order_.repair && !mass_gone_ && receipt_.known == 0 && receipt_.healed == receipt_.proven;
  receipt_.result = found && !healed      ? Receipt::Result::Different
                    : receipt_.unread > 0 ? Receipt::Result::Partial
                    : found               ? Receipt::Result::Repaired
                                          : Receipt::Result::Equal;
  receipt_.ended_at = now();
  return go(Phase::Done);
}

/// One that is open stays as it was opened.
Result<void> ObjectPass::open_object_hole(std::string cause, std::string detail) {
  for (const auto& open : bench_.tools.ledger.holes()) {
    if (open.scope != ledger::Hole::Scope::Object || open.org != org() ||
        open.object != order_.object)
      continue;
    if (open.cause == cause) return {};
    if (!ledger::has_own_hole(open.cause) && !ledger::has_own_hole(cause)) return {};
  }
  ledger::Hole hole;
  hole.scope = ledger::Hole::Scope::Object;
  hole.org = org();
  hole.object = order_.object;
  hole.cause = std::move(cause);
  hole.detail = std::move(detail);
  hole.from_ts = hole.to_ts = now();
  return bench_.tools.ledger.open_hole(hole);
}

/// All that we hold was seen in the org: neither a withdrawn permission nor a mass of deletions.
/// But what a target alone holds was looked for by nobody here, and what the brake spared is a
/// doubt until it was asked for by id.
Result<void> ObjectPass::close_object_holes() {
  const auto held_up = book_.any_held_up(org(), order_.object);
  if (!held_up) return held_up.error();
  for (const auto& open : bench_.tools.ledger.holes()) {
    if (open.scope != ledger::Hole::Scope::Object || open.org != org() ||
        open.object != order_.object)
      continue;
    const bool answered = open.cause == ledger::kMassDelete && !*held_up;
    if (!answered && open.cause != ledger::kUnreadable) continue;
    ledger::Closing closing;
    closing.how = ledger::Closing::How::Repaired;
    closing.by = "audit";
    closing.evidence = fmt::format(
        "audit {} read {} records of the org: every living record of ours is among them, {} were "
        "wrong",
        order_.run,
        receipt_.org_side.rows,
        receipt_.proven);
    if (auto closed = bench_.tools.ledger.close_hole(open, closing); !closed) return closed;
  }
  return {};
}

}  // namespace headwater::audit
