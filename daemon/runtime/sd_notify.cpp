#include "daemon/runtime/sd_notify.hpp"

#include <systemd/sd-daemon.h>

namespace headwater::runtime {

void notify(const std::string& state) { sd_notify(0, state.c_str()); }

std::optional<Millis> watchdog_interval() {
  std::uint64_t interval_us = 0;
  if (sd_watchdog_enabled(0, &interval_us) <= 0) return std::nullopt;
  return Millis(static_cast<std::int64_t>(interval_us / 2000));
}

}  // namespace headwater::runtime
