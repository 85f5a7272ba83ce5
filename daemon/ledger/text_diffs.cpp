#include "daemon/ledger/text_diffs.hpp"

#include <algorithm>

#include "daemon/ledger/publisher.hpp"
#include "schemas/model/text_patch.hpp"

namespace headwater::ledger {

std::span<const Member> TextDiffs::resolve(const RecordState& state,
                                           const Version& version,
                                           std::span<const Member> fields,
                                           std::span<const Member> diffs,
                                           std::pmr::memory_resource& arena) {
  unresolved_ = false;
  if (diffs.empty()) return fields;
  out_.assign(fields.begin(), fields.end());
  for (const Member& diff : diffs) {
    const auto held = std::ranges::lower_bound(state.src, diff.name, {}, &Member::name);
    const bool known = held != state.src.end() && held->name == diff.name;
    if (known && !newer(version, state.field_version(diff.name))) {
      out_.push_back(*held);
      continue;
    }
    const bool texts = known && held->value.tag == Tag::Text && diff.value.tag == Tag::Text;
    const Patched patched =
        texts ? patch_text(held->value.text, diff.value.text, text_) : Patched::Mismatch;
    if (patched == Patched::Already) {
      out_.push_back(*held);
    } else if (patched == Patched::Applied) {
      out_.push_back({diff.name, ValueView::of_text(keep(arena, text_))});
    } else {
      unresolved_ = true;
    }
  }
  std::ranges::sort(out_, {}, &Member::name);
  return out_;
}

}  // namespace headwater::ledger
