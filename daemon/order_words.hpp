#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/runtime/control.hpp"
#include "daemon/status.hpp"

namespace headwater {

// The words of an order on the control socket, and of its answer.

/// `{"error": why}`
std::string refused(const std::string& why);
/// `{"done": what}`
std::string done(std::string what);

/// Takes the next word off a line.
std::string next_word(std::string_view& line);
/// Takes `by=WHO` off a line, if it begins with it. A claim of the one who asks: what the kernel
/// says stands beside it where it differs.
std::string who_asks(std::string_view& line, const runtime::Peer& peer);
/// The configured org that is meant, `-` being the only one, or why none is.
Result<std::string> org_of(const std::string& named, const StatusSources& sources);
/// Why the peer may not operate; nothing: it may.
std::optional<std::string> lacks_right(const runtime::Peer& peer);

}  // namespace headwater
