// The bytes of a record's state: refused, or a state that keeps its promises, is written and read
// back the same.

#include "daemon/ledger/record.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;
using ledger::RecordCodec;
using ledger::RecordState;

FUZZ_TARGET(record_state) {
  const fuzz::Exact bytes(input);
  RecordCodec codec;
  RecordState state, again;
  if (!codec.decode(bytes.view(), state)) return;
  HEADWATER_ASSERT(state.known && RecordCodec::rev_of(bytes.view()) == state.meta.rev);
  for (std::size_t i = 1; i < state.src.size(); ++i)
    HEADWATER_ASSERT(state.src[i - 1].name < state.src[i].name);
  for (std::size_t i = 1; i < state.fv.size(); ++i)
    HEADWATER_ASSERT(state.fv[i - 1].name < state.fv[i].name);
  for (const auto& member : state.src) (void)state.field_version(member.name);

  std::string written, rewritten;
  codec.encode(state, written);
  HEADWATER_ASSERT(codec.decode(written, again));
  HEADWATER_ASSERT(again.src.size() == state.src.size() && again.fv.size() == state.fv.size());
  for (std::size_t i = 0; i < state.src.size(); ++i)
    HEADWATER_ASSERT(again.src[i].name == state.src[i].name &&
                     again.src[i].value == state.src[i].value);
  codec.encode(again, rewritten);
  HEADWATER_ASSERT(written == rewritten);
}
