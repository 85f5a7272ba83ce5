#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/model/names.hpp"
#include "schemas/model/value.hpp"

namespace headwater {

/// A named value inside an image.
struct Member {
  NameId name = 0;
  ValueView value;
};

/// The parts of a canonical record, in the order in which they are written.
enum class Section : std::uint8_t {
  Fields = 0,  ///< canonical fields; all of the entity's, null when null or unknown
  Extra = 1,   ///< source fields that no mapping consumed, under their API name
  Raw = 2,     ///< source value of a mapped field whose transform changed it irreversibly
  Refs = 3,    ///< relation -> rkey of the record it points to (Text; object part empty if unknown)
};
inline constexpr std::size_t kSections = 4;
inline constexpr std::array<std::string_view, kSections> kSectionNames{
    "fields", "extra", "raw", "refs"};

/// A canonical record's four sections. Within each, members are sorted by the bytes of their names,
/// so rendering is one pass. Views: `names` and the values' text must outlive it.
struct ImageView {
  const NameTable* names = nullptr;
  std::array<std::span<const Member>, kSections> sections;

  std::span<const Member> operator[](Section s) const {
    return sections[static_cast<std::size_t>(s)];
  }
  /// The member's value, nullptr when there is none. Linear: for tests and rare paths.
  const ValueView* find(Section s, std::string_view name) const;
  bool empty() const;
};

void put_image(std::string& out, const ImageView& image);
/// Reads what put_image wrote; member arrays are allocated from `arena`, texts borrow from the
/// bytes.
ImageView read_image(ByteReader& reader, const NameTable& names, std::pmr::memory_resource& arena);

/// What the members of `after` were before, where they differ: the changed ones with their old
/// values, Absent for those that did not exist. Sections sorted like images.
ImageView diff_image(const ImageView& before,
                     const ImageView& after,
                     std::pmr::memory_resource& arena);

}  // namespace headwater
