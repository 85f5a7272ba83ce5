// A cursor record as it stands in the topic: nothing, or a record that is written and read back the
// same.

#include "connectors/kafka/cursor_record.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

FUZZ_TARGET(kafka_cursor) {
  const fuzz::Exact text(input);
  const auto record = kafka::parse_cursor_json(text.view());
  if (!record) return;
  HEADWATER_ASSERT(record->rev.value <= static_cast<std::uint64_t>(INT64_MAX));
  std::string written, again;
  kafka::append_cursor_json(written, *record);
  fuzz::parsed(written);
  const auto back = kafka::parse_cursor_json(written);
  HEADWATER_ASSERT(back && back->epoch == record->epoch && back->rev == record->rev);
  HEADWATER_ASSERT(back->highest == record->highest);
  HEADWATER_ASSERT(back->ends == record->ends && back->ledger == record->ledger);
  kafka::append_cursor_json(again, *back);
  HEADWATER_ASSERT(again == written);
}
