#include "daemon/mapping_reload.hpp"

#include <fmt/format.h>

namespace headwater {
std::vector<std::string> reload_refusals(const crm::Mapping& now, const crm::Mapping& next) {
  std::vector<std::string> out;
  if (next.mapping_rev() <= now.mapping_rev()) {
    out.push_back(
        fmt::format("mapping_rev is {} and the one in force is {}: it must grow with every edit",
                    next.mapping_rev(),
                    now.mapping_rev()));
  }
  return out;
}

}  // namespace headwater
