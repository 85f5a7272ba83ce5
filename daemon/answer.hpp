#pragma once

#include <string>

#include "daemon/status.hpp"

namespace headwater {

/// Answers a line of the control socket, a verb and its argument (`get emea:Account:001…`), with
/// one JSON document: `{"error": "…"}` if it is refused. Any thread.
std::string answer(const std::string& line,
                   const StatusSources& sources,
                   ledger::Ledger& ledger,
                   const Clock& clock);

}  // namespace headwater
