// Whatever goes in, JSON comes out: UTF-8 that others read back as the same text; numbers that read
// back as the same bits.

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "schemas/model/value.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

void check_text(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  HEADWATER_ASSERT(json.size() <= json_string_room(text.size()) && is_utf8(json));
  HEADWATER_ASSERT(json.size() == json_string_size(text));
  const auto value = fuzz::parsed(json);
  if (is_utf8(text)) HEADWATER_ASSERT(value.as_string() == text);
  // Once it is sound it stays as it is.
  const std::string_view sound(value.as_string().data(), value.as_string().size());
  std::string again;
  append_json_string(again, sound);
  HEADWATER_ASSERT(again == json);
}

void check_number(std::uint64_t bits) {
  const auto real = std::bit_cast<double>(bits);
  std::string json;
  if (std::isfinite(real)) {
    append_json_number(json, real);
    double back = 0;
    const auto end = json.data() + json.size();
    HEADWATER_ASSERT(std::from_chars(json.data(), end, back).ptr == end);
    HEADWATER_ASSERT(back == real && json.size() <= kJsonNumberRoom);
    fuzz::parsed(json);
  }
  const auto whole = static_cast<std::int64_t>(bits);
  json.clear();
  append_json_number(json, whole);
  HEADWATER_ASSERT(fuzz::parsed(json).to_number<std::int64_t>() == whole);
}

}  // namespace

FUZZ_TARGET(json_text) {
  fuzz::Pieces pieces(input);
  check_number(pieces.number(8));
  const fuzz::Exact text(pieces.rest());
  check_text(text.view());
  // Pieces of a multi-select, among them empty ones.
  const auto multi = ValueView::of_text(text.view(), Tag::Multi);
  std::string json;
  append_json_value(json, multi);
  HEADWATER_ASSERT(json.size() <= json_value_size(multi));
  HEADWATER_ASSERT(json_value_size(multi) <= json_value_room(multi));
  HEADWATER_ASSERT(fuzz::parsed(json).is_array());
}
