#include "tests/fuzz/fuzz.hpp"

namespace headwater::fuzz {

std::vector<Named>& targets() {
  static std::vector<Named> all;
  return all;
}

}  // namespace headwater::fuzz
