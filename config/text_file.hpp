#pragma once

#include <optional>
#include <string>

#include "config/node.hpp"

namespace headwater::config {

/// The bytes of a configuration file. Nothing, and a problem, if it cannot be read.
std::optional<std::string> read_text_file(const std::string& path, Problems& problems);

}  // namespace headwater::config
