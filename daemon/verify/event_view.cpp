#include "daemon/verify/event_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace headwater::verify {
namespace {

/// The parts of an event's identity; none of them holds it.
constexpr char kBetween = '\0';

std::string shown(const std::string& key) {
  std::string out = key;
  std::ranges::replace(out, kBetween, ' ');
  return out;
}

}  // namespace

std::size_t EventView::add_place(Place place) {
  places_.push_back(std::move(place));
  return places_.size() - 1;
}

void EventView::begins(std::size_t place, const std::string& org, std::uint64_t rev) {
  first_[{place, org}] = rev;
}

Result<void> EventView::add(std::size_t place, const std::string& org, const HeldEvent& event) {
  const auto [first, fresh] = first_.try_emplace({place, org}, event.rev.value);
  if (!fresh && !places_[place].journal) first->second = std::min(first->second, event.rev.value);
  std::string key = org;
  for (const auto* part : {&event.topic, &event.replay_id, &event.uuid})
    key.append(1, kBetween).append(*part);
  const Held held{static_cast<std::uint32_t>(place), event.rev.value};
  return spool_.add(key, {reinterpret_cast<const char*>(&held), sizeof held});
}

bool EventView::expected(std::size_t place,
                         const std::string& org,
                         std::uint64_t rev,
                         bool journaled) const {
  const auto passed = places_[place].passed.find(org);
  if (passed == places_[place].passed.end() || rev > passed->second) return false;
  const auto first = first_.find({place, org});
  return journaled || (first != first_.end() && rev >= first->second);
}

/// Without those that another ledger told.
EventView::Revs EventView::told_by_ledger(const Revs& revs) const {
  std::set<std::uint64_t> journaled;
  for (const auto& [place, mine] : revs) {
    if (places_[place].journal) journaled = mine;
  }
  Revs out = revs;
  for (auto& [place, mine] : out)
    std::erase_if(mine,
                  [&](std::uint64_t rev) { return rev < birth_ && !journaled.contains(rev); });
  return out;
}

void EventView::judge(const std::string& key,
                      const std::vector<Held>& held,
                      const std::function<void(std::string)>& tell) const {
  const std::string org = key.substr(0, key.find(kBetween));
  Revs revs;
  bool journaled = false;
  for (const auto& one : held) {
    journaled = journaled || places_[one.place].journal;
    if (!revs[one.place].insert(one.rev).second)
      tell(fmt::format(
          "{} holds the event {} twice at rev {}", places_[one.place].name, shown(key), one.rev));
  }
  auto ours = told_by_ledger(revs);
  for (const auto& [place, mine] : revs) {
    const auto& told = ours[place];
    if (told.size() > 1)
      tell(fmt::format("{} holds the event {} as rev {} and as rev {}: it was told twice",
                       places_[place].name,
                       shown(key),
                       *told.begin(),
                       *told.rbegin()));
    for (std::uint32_t other = 0; other < places_.size(); ++other) {
      const auto theirs = revs.find(other);
      if (theirs == revs.end()) {
        if (expected(other, org, *mine.rbegin(), journaled))
          tell(fmt::format("{} lacks the event {}, which {} holds at rev {}",
                           places_[other].name,
                           shown(key),
                           places_[place].name,
                           *mine.rbegin()));
      } else if (other > place && !places_[other].journal && !places_[place].journal &&
                 !told.empty() && !ours[other].empty() &&
                 std::ranges::none_of(
                     mine, [&](std::uint64_t rev) { return theirs->second.contains(rev); })) {
        tell(fmt::format("the event {} stands at rev {} in {}, but at rev {} in {}",
                         shown(key),
                         *mine.begin(),
                         places_[place].name,
                         *theirs->second.begin(),
                         places_[other].name));
      }
    }
  }
}

Result<std::uint64_t> EventView::compare(const std::function<void(std::string)>& tell) {
  if (auto done = spool_.finish(); !done) return done.error();
  std::uint64_t events = 0;
  std::string key;
  std::vector<Held> held;
  Spool::Pair pair;
  while (spool_.next(pair)) {
    if (!held.empty() && pair.key != key) {
      judge(key, held, tell);
      ++events;
      held.clear();
    }
    key = pair.key;
    Held one;
    std::memcpy(&one, pair.value.data(), sizeof one);
    held.push_back(one);
  }
  if (!held.empty()) {
    judge(key, held, tell);
    ++events;
  }
  return events;
}

}  // namespace headwater::verify
