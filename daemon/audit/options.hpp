#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "schemas/core/time.hpp"

namespace headwater::audit {

/// The configuration's `audit`.
struct AuditOptions {
  Millis every = std::chrono::hours{24};  ///< each object; 0: only when a person asks
  std::vector<std::string> objects;       ///< empty: those that the ledger holds
  /// A stream counts as past a change only so long after it: nothing promises that events come in
  /// the order of their commits, nor within a time.
  Millis settle = std::chrono::minutes{2};
};

}  // namespace headwater::audit
