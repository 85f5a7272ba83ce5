#pragma once

#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/org/avro_encode.hpp"

namespace headwater::org {

/// Events that a commit made and nobody ever sees: no error, no gap event, no hole in the replay
/// ids that could be told. Salesforce owns up to it: events are "in rare cases" not persisted and
/// cannot be recovered (Change Data Capture Developer Guide, "Change Event Storage and Delivery").
///
/// Which ones are lost is drawn from a seed; each is written down, so that a test can ask whether
/// it was found. Thread-safe; told of each event in the order of commit.
class SilentLoss {
 public:
  /// From now on this share (0 to 1) of the events is lost. What was lost before stays listed.
  void set(double share, std::uint64_t seed);
  /// True: this event is lost. `shown`: the leaves that it tells.
  bool takes(const ObjectDef& object, const EventHeader& header, const LeafSet& shown);

  /// A record that was changed beside a lost event, by the same transaction and with no event of
  /// its own: a lookup that a lost deletion cleared. Nobody is told of it either.
  void beside(const ObjectDef& object, const std::string& id, const EventHeader& header);

  /// A JSON line per record of each lost event, oldest first:
  ///   {"object","id","change_type","commit_number","commit_timestamp",
  ///    change_type SILENT: it was beside one,
  ///    "seen_after": a later event of the record was seen,
  ///    "told": everything that it said was said again by events seen later, so it left no trace}
  std::string lines() const;

 private:
  struct Lost {
    std::string object, id;
    ChangeType type = ChangeType::Update;
    bool beside = false;
    std::int64_t commit_number = 0, commit_timestamp = 0;
    LeafSet untold;
    bool seen_after = false, told = false;
  };
  void seen(const EventHeader& header, const LeafSet& shown);

  mutable std::mutex mutex_;
  double share_ = 0;
  std::mt19937_64 random_;
  std::vector<Lost> lost_;
  std::unordered_multimap<std::string, std::size_t> by_id_;  // into lost_
};

}  // namespace headwater::org
