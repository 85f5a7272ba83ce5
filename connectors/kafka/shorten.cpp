#include "connectors/kafka/shorten.hpp"

#include <algorithm>

#include "schemas/core/json_text.hpp"

namespace headwater::kafka {
namespace {

constexpr std::string_view kPath = "/v1/records/", kPointer = "{\"$ref\":";

}  // namespace

ShortenedEntry::ShortenedEntry(const EntryView& entry) : entry_(entry) {
  std::string path(kPath);
  path.append(entry.org).append(1, '/').append(entry.object).append(1, '/').append(entry.id);
  pointer_ = kPointer;
  append_json_string(pointer_, path);
  pointer_.push_back('}');
  for (std::size_t s = 0; s < kSections; ++s) {
    const auto& members =
        sections_.emplace_back(entry.after.sections[s].begin(), entry.after.sections[s].end());
    entry_.after.sections[s] = members;
    if (static_cast<Section>(s) == Section::Refs) continue;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::size_t size = members[i].value.text.size();
      if (size >= kLeast) texts_.push_back({s, i, size});
    }
  }
  std::stable_sort(
      texts_.begin(), texts_.end(), [](const Text& a, const Text& b) { return a.size < b.size; });
}

bool ShortenedEntry::save(std::size_t bytes) {
  if (texts_.empty()) return false;
  for (std::size_t saved = 0; saved < bytes && !texts_.empty();) {
    const Text text = texts_.back();
    texts_.pop_back();
    Member& member = sections_[text.section][text.member];
    member.value = ValueView::of_text(pointer_, Tag::Json);
    auto& name = replaced_.emplace_back(kSectionNames[text.section]);
    name.append(1, '.').append(entry_.after.names->text(member.name));
    saved += text.size - pointer_.size();
  }
  return true;
}

bool is_shortened(std::string_view message) {
  static const std::string kSign = std::string(kPointer) + '"' + std::string(kPath);
  return message.find(kSign) != std::string_view::npos;
}

}  // namespace headwater::kafka
