#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/avro/plan.hpp"
#include "schemas/model/names.hpp"

namespace headwater::avro {

/// Numbers of leaves, ascending, each once.
using FieldMask = std::vector<std::uint32_t>;

/// The leaves that a header's bitmap strings name: `0x0241C0` over the top-level fields, `4-0x0183`
/// over the children of field 4; any number of either, upper or lower case, odd length too
/// (salesforce.md 6.1). The bit of a compound stands for all its children; ChangeEventHeader's own
/// bit for nothing. Rejected ("undecodable"): not such a string, an index that the schema does not
/// have, children of a field that has none. The record is then to be fetched.
Result<FieldMask> decode_masks(const Plan& plan, std::span<const std::string_view> bitmaps);

/// What an UPDATE speaks of, resolved and sorted by name number.
struct Selection {
  struct Pick {
    NameId name = 0;
    std::uint32_t leaf = 0;
    bool nulled = false;  ///< set to null, whatever the body says
  };
  std::vector<Pick> fields;  ///< changed or nulled
  std::vector<Pick> diffs;   ///< carried as a text diff; then not in fields
};

/// Header -> Selection, remembered by the header's own bytes: a steady stream repeats its bitmaps
/// and parses none. Bounded; the least recently used of a few candidates gives way. One thread.
class SelectionCache {
 public:
  static constexpr std::size_t kSets = 64, kWays = 4;
  /// Larger ones are not kept, so that hostile bitmaps cannot fill memory.
  static constexpr std::size_t kKeyBytesMax = 1'024, kPicksMax = 1'024;

  /// `names[i]` is the name of leaf i; both must outlive the cache.
  SelectionCache(const Plan& plan, const std::vector<NameId>& names)
      : plan_(&plan), names_(&names) {}

  /// Valid until the next call. Rejected as decode_masks().
  Result<const Selection*> find(const Header& header);

  std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    std::uint64_t hash = 0, used = 0;  // used 0: empty
    std::string key;
    Selection selection;
  };
  Result<void> resolve(const Header& header, Selection& out) const;

  const Plan* plan_;
  const std::vector<NameId>* names_;
  std::vector<Entry> entries_;  // kSets rows of kWays, made at first use
  Entry spare_;                 // for what is not kept
  std::string key_;             // reused
  std::uint64_t clock_ = 0, misses_ = 0;
};

}  // namespace headwater::avro
