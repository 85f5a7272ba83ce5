#pragma once

#include <string>
#include <vector>

#include "schemas/crm/mapping.hpp"

namespace headwater {

/// Why a mapping cannot follow the one in force while the daemon runs, each as a sentence; none if
/// it can. `mapping_rev` must grow with every edit, so that a reader of any sink can tell which
/// mapping made a record. What a target can take it alone knows: DaemonConfig::ask_sinks(). Pure.
std::vector<std::string> reload_refusals(const crm::Mapping& now, const crm::Mapping& next);

}  // namespace headwater
