// Runs the kept corpus without a fuzzer: any compiler, every build.
//
//   fuzz_replay TARGET FILE-OR-FOLDER...

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/fuzz.hpp"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(path)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  using headwater::fuzz::targets;
  const std::string name = count > 1 ? arguments[1] : "";
  const auto target = std::find_if(
      targets().begin(), targets().end(), [&](const auto& item) { return item.name == name; });
  if (count < 3 || target == targets().end()) {
    std::fprintf(stderr, "usage: fuzz_replay TARGET FILE-OR-FOLDER...\ntargets:");
    for (const auto& item : targets()) std::fprintf(stderr, " %s", std::string(item.name).c_str());
    std::fprintf(stderr, "\n");
    return 64;
  }
  std::size_t inputs = 0;
  for (int i = 2; i < count; ++i) {
    for (const auto& path : files_of(arguments[i])) {
      std::ifstream file(path, std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), {});
      std::fprintf(stderr, "%s\n", path.c_str());  // the last one named is the one that fails
      target->run(headwater::fuzz::Exact(bytes).view());
      ++inputs;
    }
  }
  std::printf("%s: %zu inputs\n", name.c_str(), inputs);
  return inputs == 0 ? 1 : 0;
}
