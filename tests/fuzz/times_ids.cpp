// Times, ids and keys as the org prints them: refused, or printed again the same.

#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

namespace {

/// What our four-digit years can say.
constexpr EpochMs kFirstMs = -62'167'219'200'000, kLastMs = 253'402'300'799'999;

void check_times(std::string_view text) {
  std::string out;
  if (const auto ms = parse_datetime(text)) {
    HEADWATER_ASSERT(*ms >= kFirstMs - 5 * kMsPerDay && *ms <= kLastMs + 5 * kMsPerDay);
    out = format_datetime(*ms);
    if (*ms >= kFirstMs && *ms <= kLastMs) HEADWATER_ASSERT(parse_datetime(out) == ms);
  }
  if (const auto days = parse_date(text)) {
    out.clear();
    append_date(out, *days);
    HEADWATER_ASSERT(out == text);
  }
  if (const auto ms = parse_time_of_day(text)) {
    HEADWATER_ASSERT(*ms >= 0 && *ms < kMsPerDay);
    out.clear();
    append_time(out, *ms);
    HEADWATER_ASSERT(parse_time_of_day(out) == ms);
  }
}

}  // namespace

FUZZ_TARGET(times_ids) {
  fuzz::Pieces pieces(input);
  std::string any;
  append_datetime(any, static_cast<EpochMs>(pieces.number(8)));
  HEADWATER_ASSERT(any.size() <= kTimeTextRoom);
  const fuzz::Exact exact(pieces.rest());
  const auto text = exact.view();
  check_times(text);
  if (const auto id = RecordId::parse(text)) {
    HEADWATER_ASSERT(id->view().substr(0, 15) == text.substr(0, 15));
    HEADWATER_ASSERT(RecordId::parse(id->view()).ok() && *RecordId::parse(id->view()) == *id);
  }
  if (const auto key = RecordKey::parse(text)) {
    const auto again = RecordKey::parse(key->str());
    HEADWATER_ASSERT(again && *again == *key);
  }
  if (const auto org = OrgName::parse(text)) HEADWATER_ASSERT(org->str() == text);
}
