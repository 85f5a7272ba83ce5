#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/target_reader.hpp"
#include "daemon/verify/spool.hpp"
#include "schemas/core/result.hpp"

namespace headwater::verify {

/// Platform events as several places hold them, side by side: the ledger's journal, tables, topics.
///
/// An event is who published what: org, topic, replay id and EventUuid. Each must stand in every
/// place once, and under the same rev, if the place has passed that rev. What lies before a place's
/// first event may have gone with its retention, or have come before the place began; but what the
/// journal still has is told to every place, however late it began.
///
/// A ledger that was born anew is sent again what another one, or it as an older copy, had told: a
/// topic then holds that under the other's rev too, and readers drop it by its EventUuid. Such a
/// rev lies before the birth, and the journal does not hold it.
///
///   add_place() for each; add() what it holds; compare()
///
/// Memory: one run of the spool. One thread.
class EventView {
 public:
  struct Place {
    std::string name;
    /// Everything of the org up to this rev has come here. By org.
    std::map<std::string, std::uint64_t> passed;
    /// The ledger's: what it has is told to all. A restored ledger gives its events other revs.
    bool journal = false;
  };
  std::size_t add_place(Place place);
  /// The first rev of the ledger's birth.
  void born(std::uint64_t rev) { birth_ = rev; }
  /// Nothing is expected there.
  void keeps_none(std::size_t place) { places_[place].passed.clear(); }
  /// Events before it are not to be expected at this place. By default its first one.
  void begins(std::size_t place, const std::string& org, std::uint64_t rev);
  Result<void> add(std::size_t place, const std::string& org, const HeldEvent& event);

  /// Gives each difference to `tell`, as a sentence. How many events were compared.
  Result<std::uint64_t> compare(const std::function<void(std::string)>& tell);

 private:
  struct Held {
    std::uint32_t place = 0;
    std::uint64_t rev = 0;
  };
  /// Of one event: place -> its revs there.
  using Revs = std::map<std::uint32_t, std::set<std::uint64_t>>;
  void judge(const std::string& key,
             const std::vector<Held>& held,
             const std::function<void(std::string)>& tell) const;
  Revs told_by_ledger(const Revs& revs) const;
  bool expected(std::size_t place, const std::string& org, std::uint64_t rev, bool journaled) const;

  std::vector<Place> places_;
  std::uint64_t birth_ = 0;
  std::map<std::pair<std::size_t, std::string>, std::uint64_t> first_;  // (place, org) -> rev
  Spool spool_;
};

}  // namespace headwater::verify
