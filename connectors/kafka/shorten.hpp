#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/model/entry.hpp"

namespace headwater::kafka {

/// A copy of an entry in which large texts of the after-image give way to a pointer at the whole
/// record, `{"$ref":"/v1/records/<org>/<Object>/<id>"}`: what is left when a message must not grow
/// beyond a limit. Largest first. Borrows from the entry.
class ShortenedEntry {
 public:
  /// Texts below this size stay: many small fields are no reason to lose one of them.
  static constexpr std::size_t kLeast = 1'024;

  explicit ShortenedEntry(const EntryView& entry);
  ShortenedEntry(const ShortenedEntry&) = delete;
  ShortenedEntry& operator=(const ShortenedEntry&) = delete;

  const EntryView& entry() const { return entry_; }
  /// Replaces texts until about so many bytes are saved. False: none is left to be replaced.
  bool save(std::size_t bytes);
  /// The members replaced so far, as `fields.description`.
  const std::vector<std::string>& replaced() const { return replaced_; }

 private:
  struct Text {
    std::size_t section, member, size;
  };

  EntryView entry_;
  std::deque<std::vector<Member>> sections_;
  std::vector<Text> texts_;  // smallest first
  std::string pointer_;
  std::vector<std::string> replaced_;
};

/// True if texts of this message gave way to pointers.
bool is_shortened(std::string_view message);

}  // namespace headwater::kafka
