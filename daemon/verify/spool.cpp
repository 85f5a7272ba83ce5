#include "daemon/verify/spool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace headwater::verify {
namespace {

/// What a pair costs besides its bytes.
constexpr std::size_t kItemBytes = 96;

bool put(std::FILE* file, const void* bytes, std::size_t size) {
  return size == 0 || std::fwrite(bytes, size, 1, file) == 1;
}

bool put_text(std::FILE* file, const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  return put(file, &size, sizeof size) && put(file, text.data(), text.size());
}

bool get_text(std::FILE* file, std::string& text) {
  std::uint32_t size = 0;
  if (std::fread(&size, sizeof size, 1, file) != 1) return false;
  text.resize(size);
  return size == 0 || std::fread(text.data(), size, 1, file) == 1;
}

}  // namespace

Result<void> Spool::add(std::string_view key, std::string_view value) {
  items_.push_back({std::string(key), std::string(value), order_++});
  bytes_ += key.size() + value.size() + kItemBytes;
  return bytes_ > run_bytes_max_ ? lay_down() : Result<void>();
}

Result<void> Spool::lay_down() {
  std::sort(items_.begin(), items_.end(), before);
  Run run;
  run.file.reset(std::tmpfile());
  bool written = run.file != nullptr;
  for (std::size_t i = 0; written && i < items_.size(); ++i) {
    written = put_text(run.file.get(), items_[i].key) &&
              put_text(run.file.get(), items_[i].value) &&
              put(run.file.get(), &items_[i].order, sizeof items_[i].order);
  }
  if (!written || std::fflush(run.file.get()) != 0)
    return blocked(fmt::format(
        "sort what the topics hold: a temporary file cannot be written: {}; make room in the "
        "system's temporary folder",
        std::strerror(errno)));
  runs_.push_back(std::move(run));
  items_.clear();
  bytes_ = 0;
  return {};
}

bool Spool::read_item(std::FILE* file, Item& out) {
  return get_text(file, out.key) && get_text(file, out.value) &&
         std::fread(&out.order, sizeof out.order, 1, file) == 1;
}

Result<void> Spool::finish() {
  if (!items_.empty())
    if (auto done = lay_down(); !done) return done;
  for (auto& run : runs_) std::rewind(run.file.get());
  std::erase_if(runs_, [](Run& run) { return !read_item(run.file.get(), run.head); });
  return {};
}

bool Spool::next(Pair& out) {
  if (runs_.empty()) return false;
  // Few runs: each is as large as the memory allows.
  auto least = std::min_element(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) {
    return before(a.head, b.head);
  });
  out.key = std::move(least->head.key);
  out.value = std::move(least->head.value);
  if (!read_item(least->file.get(), least->head)) runs_.erase(least);
  return true;
}

}  // namespace headwater::verify
