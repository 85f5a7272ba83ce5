#pragma once

#include <cstddef>
#include <string_view>

namespace headwater {

/// Least number of bytes put in, taken out or exchanged that turns one word into the other: for
/// "did you mean". Time and memory grow with the product and the sum of the lengths: meant for
/// names.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace headwater
