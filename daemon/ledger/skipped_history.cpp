#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/ledger/ledger_impl.hpp"
#include "daemon/ledger/platform_events.hpp"

// Where states stand in for history (unified-model.md section 13):
//
//   a cursor that we gave:   what the journal has dropped after it; the rest is told entry by entry
//   any other:               all up to the head. What of it another ledger, or another copy of this
//                            one, has told nobody knows here: told once more it would be doubled
//
// A sink opens again after each failure, and a process after each crash: the row of the claim says
// what was noted already, and the states end where they were to end then.

namespace headwater::ledger {

Result<Rev> Ledger::Impl::skip_history(const std::string& claim,
                                       std::string_view sink,
                                       std::string_view org,
                                       std::string_view ledger_id,
                                       Rev rev,
                                       EpochMs commit_ts) {
  auto row = read_claim(claim);
  if (!row) return row.error();
  if (row->by != id_) return journal_.head();  // born anew meanwhile: the sink opens again
  const bool before_birth = rev.value != 0 && row->told.events == rev;
  const bool unheard_of = ledger_id.empty() && !row->was_anothers();
  const bool told_by_us = journal_.gave(rev) && (ledger_id == id_ || unheard_of || before_birth);
  const Rev trimmed = journal_.trimmed_to();
  // While states are told again after a birth the cursor stands below what it was told before.
  const Rev told = journal_.gave(row->told.events) ? std::max(rev, row->told.events) : rev;
  const Skipped now =
      told_by_us ? Skipped{told, std::max(told, trimmed)} : Skipped{Rev{0}, journal_.head()};
  const auto& noted = row->skipped;
  if (noted && noted->after <= now.after && noted->upto >= trimmed) return noted->upto;
  if (told_by_us && (now.upto == now.after || !knows_any_of(org))) return now.upto;

  Hole hole;
  hole.scope = Hole::Scope::Sink;
  hole.org = org;
  hole.sink = sink;
  hole.cause = kSinkHistory;
  const Rev upto = told_by_us ? now.upto : std::max(now.upto, Rev{birth_.value - 1});
  hole.detail = fmt::format("history up to rev {}", upto.value);
  if (now.after.value != 0) hole.detail += fmt::format(" after rev {}", now.after.value);
  if (!told_by_us && ledger_id.empty()) {
    hole.detail += "; another ledger, which left no cursor, told the target before";
  } else if (!told_by_us) {
    hole.detail += fmt::format("; ledger {} told up to its rev {}", ledger_id, rev.value);
  }
  hole.from_ts = rev.value == 0 ? 0 : commit_ts;
  const EpochMs oldest_ts = told_by_us ? journal_.facts().oldest_ts : 0;
  hole.to_ts = oldest_ts != 0 ? oldest_ts : clock_.now_ms();
  const Closing closing{Closing::How::GivenUp,
                        "headwater",
                        "not told, and nothing brings it back: the topics hold images only",
                        clock_.now_ms()};
  if (auto opened = holes_.open(writer_.batch(), hole); !opened) return opened.error();
  if (auto closed = holes_.close(writer_.batch(), hole, closing); !closed) return closed.error();
  row->skipped = now;
  if (auto ok = write_claim(claim, *row); !ok) return ok.error();
  return now.upto;
}

/// False: no entry of the org was ever made, so that none can be missing.
bool Ledger::Impl::knows_any_of(std::string_view org) const {
  return has_platform_events(*store_, org) ||
         std::ranges::any_of(objects_.counts(), [&](const auto& each) { return each.org == org; });
}

}  // namespace headwater::ledger
