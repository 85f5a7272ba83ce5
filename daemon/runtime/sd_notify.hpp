#pragma once

#include <optional>
#include <string>

#include "schemas/core/time.hpp"

namespace headwater::runtime {

/// Sends one message to systemd (sd_notify(3)); nothing without NOTIFY_SOCKET.
void notify(const std::string& state);
/// How often WATCHDOG=1 is expected, halved as the manual advises; nothing if systemd does not
/// watch us.
std::optional<Millis> watchdog_interval();

}  // namespace headwater::runtime
