#pragma once

#include <string>
#include <utility>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/model/version.hpp"

namespace headwater::ledger {

/// Where a record stands.
struct RecordHead {
  Rev rev;  ///< of its newest entry
  bool deleted = false;
};

/// What the ledger knows of a record besides its image: for a person who asks why it is as it is.
struct RecordFacts {
  RecordHead head;
  bool complete = false;      ///< a full image was applied
  bool refetch_owed = false;  ///< a record hole is open
  Version base, alive, dead, newest;
  EpochMs known_to = 0;  ///< newest commit second or SystemModstamp of anything applied
  std::vector<std::pair<std::string, Version>> fields;  ///< those that differ from base
};

}  // namespace headwater::ledger
