#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "schemas/core/result.hpp"

namespace headwater::cli {

struct AuditCommand {
  std::string org, object;  ///< empty: all
  bool repair = false, full = false, receipts = false, json = false;
  std::string by;
};

/// Exit codes, as verify's.
inline constexpr int kAuditEqual = 0, kAuditDifferent = 1, kAuditCouldNotLook = 2;

/// Orders an audit, waits for its end and tells what it found; with `receipts`, tells what earlier
/// ones found. `ask`: a line of the control socket and its answer.
int audit(const AuditCommand& command,
          const std::function<Result<std::string>(const std::string&)>& ask,
          std::ostream& out,
          std::ostream& err);

}  // namespace headwater::cli
