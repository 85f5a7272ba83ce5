#include "daemon/pipeline/silent_objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "daemon/ledger/hole_causes.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

using ledger::Closing;
using ledger::Hole;

std::optional<Hole> open_silence(const std::vector<Hole>& holes, std::string_view object) {
  const auto at = std::ranges::find_if(
      holes, [&](const Hole& hole) { return is_silence(hole) && hole.object == object; });
  return at == holes.end() ? std::nullopt : std::optional(*at);
}

bool is_anchored(const ledger::Ledger& ledger, std::string_view org, const std::string& topic) {
  const auto position = ledger.position({std::string(org), topic});
  return position && !position->replay_id.empty();
}

/// A person answered for this silence: one that began before the answer.
bool is_accepted(const std::vector<Hole>& closed, std::string_view object, EpochMs since) {
  return std::ranges::any_of(closed, [&](const Hole& hole) {
    return is_silence(hole) && hole.object == object &&
           hole.closing.how == Closing::How::Accepted && hole.closing.at > since;
  });
}

Result<void> open(ledger::Ledger& ledger,
                  std::string_view org,
                  const std::string& object,
                  const Captured& captured,
                  const Captured::Object& told) {
  Hole hole;
  hole.scope = Hole::Scope::Object;
  hole.org = org;
  hole.object = object;
  // By a clock that was ahead: when it began nobody knows.
  hole.from_ts = told.told <= captured.asked_at ? told.told : 0;
  const bool selected = captured.selected(told);
  hole.cause = selected ? ledger::kHidden : ledger::kSwitchedOff;
  hole.detail = fmt::format(
      "as the org said at {}, {}: no change of it comes",
      format_datetime(captured.asked_at),
      selected ? "it is hidden from the integration user; give the user read permission"
               : "it is not selected in Change Data Capture for any channel that is subscribed to; "
                 "select it again");
  log::warning("an object of ours is told of no more",
               {{"org", org}, {"object", object}, {"cause", hole.cause}});
  return ledger.open_hole(hole);
}

}  // namespace

EpochMs noticed_at(const Hole& hole, EpochMs now) {
  return hole.opened_at <= now ? hole.opened_at : 0;
}

bool have_told(const Listening& by, const std::string& object, EpochMs until) {
  if (by.now - until > kRetentionMs) return true;
  return std::ranges::all_of(by.streams, [&](const StreamProgress& stream) {
    const std::string only = object_of_topic(stream.topic);
    if (!only.empty() && only != object) return true;
    return is_past(stream, {until}, by.now, by.settle);
  });
}

Result<Silences> note_silence(ledger::Ledger& ledger,
                              std::string_view org,
                              const Captured& captured,
                              const Listening& by) {
  Silences out;
  const auto holes = ledger.wide_holes(org);
  std::optional<std::set<std::string>> known;  // seldom needed
  std::optional<std::vector<Hole>> closed;
  for (const auto& [object, told] : captured.objects) {
    const auto own = std::ranges::find(by.asked.topics, object, object_of_topic);
    const bool has_own = own != by.asked.topics.end();
    auto hole = open_silence(holes, object);
    if (!captured.silent(told) || has_own) {
      if (!captured.exact || !hole || hole->to_ts != 0) continue;
      const bool is_back = has_own ? is_anchored(ledger, org, *own)
                                   : captured.asked_at - told.back >= by.settle.count();
      // What the streams told of it before the silence was committed by then.
      const EpochMs until = has_own ? noticed_at(*hole, by.now) : told.back + by.settle.count();
      if (!is_back || !have_told(by, object, until)) {
        out.last = true;
        out.wait = out.wait || is_back || has_own;
        continue;
      }
      hole->to_ts = by.now;
      hole->detail =
          fmt::format("the streams bring it again since {}", format_datetime(hole->to_ts));
      if (auto ended = ledger.open_hole(*hole); !ended) return ended.error();
      continue;
    }
    if (!known) known = known_objects(ledger, org, by.asked);
    if (!known->contains(object)) continue;
    out.last = true;
    if (hole && hole->to_ts == 0) continue;  // one that had its end loses it
    if (!closed) closed = ledger.closed_holes();
    if (is_accepted(*closed, object, told.told)) continue;
    if (auto opened = open(ledger, org, object, captured, told); !opened) return opened.error();
  }
  return out;
}

}  // namespace headwater
