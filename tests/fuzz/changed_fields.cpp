// Bitmap strings name leaves of the schema, each once, whatever the case of their digits; many
// together name what each of them names. A cached answer is the answer.

#include "schemas/avro/changed_fields.hpp"

#include <array>
#include <set>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/schemas.hpp"

using namespace headwater;

namespace {

using Bitmaps = std::vector<std::string_view>;

std::set<std::uint32_t> united(const avro::Plan& plan, const Bitmaps& bitmaps) {
  std::set<std::uint32_t> out;
  for (const auto bitmap : bitmaps) {
    const auto one = avro::decode_masks(plan, {&bitmap, 1});
    HEADWATER_ASSERT(one.ok());
    out.insert(one->begin(), one->end());
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

void check_selection(const avro::Selection& selection, std::size_t leaves) {
  std::set<NameId> seen;
  for (const auto* picks : {&selection.fields, &selection.diffs}) {
    for (std::size_t i = 0; i < picks->size(); ++i) {
      HEADWATER_ASSERT((*picks)[i].leaf < leaves);
      HEADWATER_ASSERT(i == 0 || (*picks)[i - 1].name < (*picks)[i].name);
      HEADWATER_ASSERT(seen.insert((*picks)[i].name).second);
    }
  }
}

void check_cache(const avro::Plan& plan, const Bitmaps& bitmaps) {
  std::vector<NameId> names(plan.leaves().size());
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = static_cast<NameId>(names.size() - i);
  avro::SelectionCache cache(plan, names);
  // A third each: changed, nulled, diffed.
  std::array<avro::test::Bytes, 3> lists;
  for (std::size_t list = 0; list < lists.size(); ++list) {
    for (std::size_t i = list; i < bitmaps.size(); i += 3) lists[list].number(1).text(bitmaps[i]);
    lists[list].number(0);
  }
  avro::Header header;
  header.changed_fields = lists[0].out;
  header.nulled_fields = lists[1].out;
  header.diff_fields = lists[2].out;
  const auto first = cache.find(header);
  if (!first) {
    HEADWATER_ASSERT(first.error().kind == ErrorKind::Rejected);
    return;
  }
  check_selection(**first, names.size());
  const std::size_t fields = (*first)->fields.size(), diffs = (*first)->diffs.size();
  const auto second = cache.find(header);
  HEADWATER_ASSERT(second && (*second)->fields.size() == fields &&
                   (*second)->diffs.size() == diffs);
}

}  // namespace

FUZZ_TARGET(changed_fields) {
  fuzz::Pieces pieces(input);
  const auto& plan = fuzz::picked_plan(pieces.byte());
  const std::string text(pieces.rest());
  Bitmaps bitmaps;
  for (fuzz::Pieces lines(text); !lines.empty();) bitmaps.push_back(lines.until(' '));
  check_cache(plan, bitmaps);

  const auto mask = avro::decode_masks(plan, bitmaps);
  if (!mask) {
    HEADWATER_ASSERT(mask.error().kind == ErrorKind::Rejected &&
                     mask.error().code == "undecodable");
    return;
  }
  for (std::size_t i = 0; i < mask->size(); ++i) {
    HEADWATER_ASSERT((*mask)[i] < plan.leaves().size());
    HEADWATER_ASSERT(i == 0 || (*mask)[i - 1] < (*mask)[i]);
  }
  const auto all = united(plan, bitmaps);
  HEADWATER_ASSERT(std::equal(mask->begin(), mask->end(), all.begin(), all.end()));
  Bitmaps shouted;
  const std::string loud = upper(text);
  for (fuzz::Pieces lines(loud); !lines.empty();) shouted.push_back(lines.until(' '));
  const auto same = avro::decode_masks(plan, shouted);
  HEADWATER_ASSERT(same && *same == *mask);
}
