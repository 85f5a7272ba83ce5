#pragma once

#include <ostream>
#include <string>

#include "schemas/core/time.hpp"

namespace headwater::verify {

/// Exit codes of `headwater verify`.
inline constexpr int kEqual = 0, kDifferent = 1, kCouldNotCheck = 2;

struct Options {
  std::string config_path;
  std::string socket;  ///< of the daemon, instead of the configuration's
  /// A dump of the org's records (file or http:// URL) instead of asking the org; `none`: the org
  /// is left out.
  std::string truth;
  Millis wait{30'000};  ///< how long what differs may take to stand still
  bool json = false;
  bool values = false;  ///< print what fields hold
  bool history = true;  ///< false: leave Kafka's changes topics alone
  /// Records that a target holds wrongly are told again by the ledger, to every sink; then all is
  /// compared once more. Needs the right to operate.
  bool restate = false;
  std::string by;  ///< who asks for that
};

/// Compares the org, the ledger and every sink of the configuration, prints how it came out, and
/// says it as an exit code.
int run(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace headwater::verify
