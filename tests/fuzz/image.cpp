// The bytes of an image: read or refused, written again the same; what a change did is undone by
// the old values.

#include "schemas/model/image.hpp"

#include "tests/fuzz/json.hpp"
#include "tests/fuzz/names.hpp"

using namespace headwater;

namespace {

bool same(const ImageView& a, const ImageView& b) {
  for (std::size_t s = 0; s < kSections; ++s) {
    if (!std::equal(a.sections[s].begin(),
                    a.sections[s].end(),
                    b.sections[s].begin(),
                    b.sections[s].end(),
                    [](const Member& x, const Member& y) {
                      return x.name == y.name && x.value == y.value;
                    }))
      return false;
  }
  return true;
}

}  // namespace

FUZZ_TARGET(image) {
  static fuzz::Names names;
  const fuzz::Exact bytes(input);
  std::pmr::monotonic_buffer_resource arena;
  ByteReader reader(bytes.view());
  const ImageView first = read_image(reader, names.table(), arena);
  if (!reader.ok()) return;
  std::string written;
  put_image(written, first);
  ByteReader again(written);
  const ImageView second = read_image(again, names.table(), arena);
  HEADWATER_ASSERT(again.ok() && again.done() && same(first, second));

  // A second image behind the first: the difference is empty only between equals.
  const ImageView other = read_image(reader, names.table(), arena);
  if (!reader.ok()) return;
  HEADWATER_ASSERT(diff_image(first, first, arena).empty());
  HEADWATER_ASSERT(!diff_image(first, other, arena).empty() || same(first, other));
}
