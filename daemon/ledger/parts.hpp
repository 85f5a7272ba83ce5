#pragma once

#include "daemon/ledger/back_refs.hpp"
#include "daemon/ledger/holes.hpp"
#include "daemon/ledger/journal.hpp"
#include "daemon/ledger/name_store.hpp"
#include "daemon/ledger/objects.hpp"
#include "daemon/ledger/orgs.hpp"
#include "daemon/ledger/read_jobs.hpp"
#include "daemon/ledger/store.hpp"
#include "daemon/ledger/stream_position.hpp"

namespace headwater::ledger {

/// The parts of a ledger. They know of each other only what their constructors take.
struct Parts {
  Store& store;
  Journal& journal;
  Positions& positions;
  Orgs& orgs;
  NameStore& names;
  Objects& objects;
  Holes& holes;
  BackRefs& back_refs;
  ReadJobs& jobs;
  const Clock& clock;
};

}  // namespace headwater::ledger
