#include "daemon/ledger/record.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace headwater::ledger {
namespace {

RecordState sample() {
  RecordState state;
  state.known = state.complete = state.refetch_owed = true;
  state.base = {1, 100, 1, 1000};
  state.alive = state.base;
  state.newest = {1, 101, 2, 2000};
  state.dead = {1, 99, 1, 500};
  state.deleted_at = 500;
  state.deleted_by = ChangeType::GapDelete;
  state.meta.rev = Rev{1'772'366'400'000'001};
  state.meta.version = state.newest;
  state.meta.commit_ts = 2000;
  state.meta.hash = 0xE7789524CFFF8600;
  state.meta.mapping_rev = 7;
  state.meta.complete = true;
  state.ts_ms = 3000;
  state.bu = "uk";
  state.origin.commit_user = "0055f000005mc66AAA";
  state.origin.replay_id = std::string_view("\0\1\2", 3);
  state.src = {
      {2, ValueView::of_text("Ann")}, {3, ValueView::null()}, {9, ValueView::decimal(41.5)}};
  state.fv = {{3, state.newest}, {9, {1, 90, 1, 100}}};
  return state;
}

TEST(Record, ComesBackFromItsBytes) {
  RecordCodec codec;
  std::string bytes;
  codec.encode(sample(), bytes);
  RecordState back;
  ASSERT_TRUE(codec.decode(bytes, back));
  std::string again;
  codec.encode(back, again);
  EXPECT_EQ(bytes, again);
  EXPECT_EQ(back.src.size(), 3U);
  EXPECT_EQ(back.src[0].value.text, "Ann");
  EXPECT_TRUE(same(back.field_version(3), sample().newest));
  EXPECT_TRUE(same(back.field_version(2), sample().base));
  EXPECT_TRUE(back.field_version(4).none());
  EXPECT_EQ(back.deleted_by, ChangeType::GapDelete);
  EXPECT_EQ(back.origin.replay_id.size(), 3U);
  EXPECT_EQ(RecordCodec::rev_of(bytes), sample().meta.rev);
}

TEST(Record, ToldViolationsComeBackAndCostNoByteWhereThereAreNone) {
  RecordCodec codec;
  std::string plain, bytes;
  codec.encode(sample(), plain);
  EXPECT_EQ(plain[0], 1) << "what builds before them read";
  RecordState state = sample();
  state.meta.violations = "\2\11";
  codec.encode(state, bytes);
  EXPECT_EQ(bytes.size(), plain.size() + 3);
  RecordState back;
  ASSERT_TRUE(codec.decode(bytes, back));
  EXPECT_EQ(back.meta.violations, "\2\11");
  EXPECT_EQ(RecordCodec::rev_of(bytes), state.meta.rev);
  bytes[0] = 1;
  EXPECT_FALSE(codec.decode(bytes, back)) << "its flags are not of its format";
}

TEST(Record, DamagedBytesAreRefusedWhereverTheyAreCut) {
  RecordCodec codec;
  std::string bytes;
  codec.encode(sample(), bytes);
  RecordState back;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(codec.decode(std::string_view(bytes).substr(0, size), back)) << size;
  }
  bytes[0] = 3;
  EXPECT_FALSE(codec.decode(bytes, back)) << "a newer format";
}

TEST(Record, BytesThatBreakWhatLookupsBuildOnAreRefused) {
  const auto accepted = [](auto spoil) {
    RecordState state = sample();
    spoil(state);
    RecordCodec codec;
    std::string bytes;
    codec.encode(state, bytes);
    RecordState back;
    return codec.decode(bytes, back);
  };
  EXPECT_TRUE(accepted([](RecordState&) {}));
  EXPECT_FALSE(accepted([](RecordState& s) { s.src[1].name = s.src[0].name; })) << "twice";
  EXPECT_FALSE(accepted([](RecordState& s) { s.src[1].name = 1; })) << "out of order";
  EXPECT_FALSE(accepted([](RecordState& s) { s.src[2].name = NameTable::kNamesMax; }));
  EXPECT_FALSE(accepted([](RecordState& s) { s.fv[1].name = s.fv[0].name; }));
  EXPECT_FALSE(accepted([](RecordState& s) { s.src[2].value.real = std::nan(""); }));
}

}  // namespace
}  // namespace headwater::ledger
