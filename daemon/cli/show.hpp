#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

namespace headwater::cli {

/// The daemon's answer as text for a terminal. `view`: status, holes, quarantine, row or done.
std::string show(std::string_view view, const boost::json::value& answer);

}  // namespace headwater::cli
