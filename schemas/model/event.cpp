#include "schemas/model/event.hpp"

#include <array>

namespace headwater {
namespace {

constexpr std::array<std::string_view, 16> kSymbols{"CREATE",
                                                    "UPDATE",
                                                    "DELETE",
                                                    "UNDELETE",
                                                    "GAP_CREATE",
                                                    "GAP_UPDATE",
                                                    "GAP_DELETE",
                                                    "GAP_UNDELETE",
                                                    "GAP_OVERFLOW",
                                                    "SNAPSHOT",
                                                    "REFETCH",
                                                    "MERGE",
                                                    "RECONCILE",
                                                    "REMAP",
                                                    "INHERIT",
                                                    "PURGE"};

}  // namespace

std::string_view to_string(ChangeType type) { return kSymbols[static_cast<std::size_t>(type)]; }

bool parse_change_type(std::string_view symbol, ChangeType& out) {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(ChangeType::Snapshot); ++i) {
    if (kSymbols[i] == symbol) {
      out = static_cast<ChangeType>(i);
      return true;
    }
  }
  return false;
}

}  // namespace headwater
