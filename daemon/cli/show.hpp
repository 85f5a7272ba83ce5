#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

namespace headwater::cli {

/// The daemon's answer to `verb` as text for a terminal.
std::string show(std::string_view verb, const boost::json::value& answer);

}  // namespace headwater::cli
