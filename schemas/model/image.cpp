#include "schemas/model/image.hpp"

#include <algorithm>
#include <cmath>

#include "schemas/core/raw_text.hpp"

namespace headwater {
namespace {

/// Order of two members in a section: by the bytes of their names, equal numbers being equal names.
int compare_names(const NameTable& names, NameId a, NameId b) {
  if (a == b) return 0;
  return names.text(a).compare(names.text(b));
}

/// Members collected in a scratch vector, then kept in the arena as one array.
std::span<const Member> keep(const std::vector<Member>& members, std::pmr::memory_resource& arena) {
  if (members.empty()) return {};
  auto* copy =
      static_cast<Member*>(arena.allocate(members.size() * sizeof(Member), alignof(Member)));
  std::uninitialized_copy(members.begin(), members.end(), copy);
  return {copy, members.size()};
}

/// Walks two sorted sections together: on_both(a, b), on_left(a), on_right(b).
template <typename Both, typename Left, typename Right>
void merge_sections(const NameTable& names,
                    std::span<const Member> left,
                    std::span<const Member> right,
                    Both on_both,
                    Left on_left,
                    Right on_right) {
  std::size_t l = 0;
  std::size_t r = 0;
  while (l < left.size() && r < right.size()) {
    const int order = compare_names(names, left[l].name, right[r].name);
    if (order == 0) {
      on_both(left[l++], right[r++]);
    } else if (order < 0) {
      on_left(left[l++]);
    } else {
      on_right(right[r++]);
    }
  }
  while (l < left.size()) on_left(left[l++]);
  while (r < right.size()) on_right(right[r++]);
}

}  // namespace

const ValueView* ImageView::find(Section s, std::string_view name) const {
  for (const Member& member : (*this)[s]) {
    if (names->text(member.name) == name) return &member.value;
  }
  return nullptr;
}

bool ImageView::empty() const {
  return std::all_of(sections.begin(), sections.end(), [](const auto& s) { return s.empty(); });
}

void put_image(std::string& out, const ImageView& image) {
  thread_local RawText scratch;
  std::size_t room = 0;
  for (const auto& section : image.sections) {
    room += kVarintRoom;
    for (const Member& member : section) room += kVarintRoom + value_room(member.value);
  }
  char* to = scratch.room(room);
  for (const auto& section : image.sections) {
    to = write_varint(to, section.size());
    for (const Member& member : section) {
      to = write_value(write_varint(to, member.name), member.value);
    }
  }
  scratch.append_to(out, to);
}

ImageView read_image(ByteReader& reader, const NameTable& names, std::pmr::memory_resource& arena) {
  ImageView image;
  image.names = &names;
  for (auto& section : image.sections) {
    const std::uint64_t count = reader.varint();
    if (count > reader.left() / 2) {  // a member takes two bytes at least
      reader.take(reader.left() + 1);
      return image;
    }
    auto* members =
        static_cast<Member*>(arena.allocate(count * sizeof(Member) + 1, alignof(Member)));
    for (std::uint64_t i = 0; i < count; ++i) {
      auto* member = new (members + i) Member;
      member->name = static_cast<NameId>(reader.varint());
      member->value = read_value(reader);
      // JSON has no NaN and no infinities, and rendering builds on that.
      if (member->name >= names.size() || !std::isfinite(member->value.real)) {
        reader.take(reader.left() + 1);
        return image;
      }
    }
    section = {members, static_cast<std::size_t>(count)};
  }
  return image;
}

ImageView diff_image(const ImageView& before,
                     const ImageView& after,
                     std::pmr::memory_resource& arena) {
  thread_local std::vector<Member> scratch;
  ImageView old;
  old.names = after.names;
  for (std::size_t s = 0; s < kSections; ++s) {
    scratch.clear();
    merge_sections(
        *after.names,
        before.sections[s],
        after.sections[s],
        [](const Member& was, const Member& is) {
          if (!(was.value == is.value)) scratch.push_back(was);
        },
        [](const Member& was) { scratch.push_back(was); },
        [](const Member& is) {
          scratch.push_back({is.name, ValueView{Tag::Absent, 0, 0, {}}});
        });
    old.sections[s] = keep(scratch, arena);
  }
  return old;
}

}  // namespace headwater
