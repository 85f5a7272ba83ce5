#pragma once

#include <string>

#include "daemon/verify/verifier.hpp"

namespace headwater::verify {

/// For a terminal: a line per check, what is open, then the first difference with its record's
/// story.
std::string report_text(const Outcome& outcome);
/// The same as one JSON document.
std::string report_json(const Outcome& outcome);

}  // namespace headwater::verify
