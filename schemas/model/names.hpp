#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headwater {

/// The number of a name in its object's NameTable.
using NameId = std::uint32_t;

/// Numbers for the names that images of one object are made of: source paths
/// (`BillingAddress.City`), canonical fields (`billing_address`) and relations (`account`). Images
/// hold numbers, so they stay small.
///
/// Append-only: a number means the same name for ever. The ledger owns one table per (org, object)
/// and writes new names in the same batch as the first image that uses them. Thread-safe; a name,
/// once given out, stays where it is. at() takes no lock: rendering calls it for every member.
class NameTable {
 public:
  struct Name {
    std::string text;
    std::string json_key;  ///< `"text":`, ready to be appended
  };
  /// Far above the 800 custom fields that Salesforce allows an object, compounds and renames
  /// included.
  static constexpr std::size_t kNamesMax = 65'536;

  NameTable() = default;
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;

  NameId intern(std::string_view text);  ///< finds or adds
  std::optional<NameId> find(std::string_view text) const;
  const Name& at(NameId id) const;  ///< REQUIRES: id < size()
  std::string_view text(NameId id) const { return at(id).text; }
  std::size_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kChunk = 256;
  using Chunk = std::array<Name, kChunk>;

  mutable std::shared_mutex mutex_;  // guards by_text_ and adding
  std::unordered_map<std::string_view, NameId> by_text_;
  std::array<std::unique_ptr<Chunk>, kNamesMax / kChunk> chunks_;  // published by size_
  std::atomic<std::size_t> size_{0};
};

}  // namespace headwater
