// libFuzzer's entry: the one target that this program was linked with.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Of an empty input libFuzzer gives no address.
  static const headwater::fuzz::Target run = headwater::fuzz::targets().front().run;
  run(size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
