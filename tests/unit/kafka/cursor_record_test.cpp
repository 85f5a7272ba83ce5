#include "connectors/kafka/cursor_record.hpp"

#include <gtest/gtest.h>

namespace headwater::kafka {
namespace {

CursorRecord sample() {
  CursorRecord record;
  record.ledger = "01J0";
  record.holder = "m1:/var/lib/headwater";
  record.epoch = 3;
  record.claim = 77;
  record.rev = Rev(1769904000123456);
  record.highest = Rev(1769904000999999);
  record.commit_ts = 1772366400000;
  record.updated_at = 1772366400310;
  record.ends = {{"crm.changes.contact", {12, 0, 7}}, {"crm.quarantine", {}}};
  return record;
}

TEST(KafkaCursorRecord, IsOneLineOfJson) {
  std::string out;
  append_cursor_json(out, sample());
  EXPECT_EQ(
      out,
      R"({"ledger":"01J0","holder":"m1:/var/lib/headwater","epoch":3,"claim":77,"rev":1769904000123456,)"
      R"("highest":1769904000999999,"commit_ts":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.310Z",)"
      R"("ends":{"crm.changes.contact":[12,0,7],"crm.quarantine":[]}})");
}

TEST(KafkaCursorRecord, ComesBackAsItWasWritten) {
  std::string out;
  append_cursor_json(out, sample());
  const auto back = parse_cursor_json(out);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->ledger, sample().ledger);
  EXPECT_EQ(back->holder, sample().holder);
  EXPECT_EQ(back->epoch, 3U);
  EXPECT_EQ(back->claim, 77U);
  EXPECT_EQ(back->rev, sample().rev);
  EXPECT_EQ(back->highest, sample().highest);
  EXPECT_EQ(back->commit_ts, sample().commit_ts);
  EXPECT_EQ(back->updated_at, sample().updated_at);
  EXPECT_EQ(back->ends, sample().ends);
}

TEST(KafkaCursorRecord, AnUnknownCommitTimeIsNull) {
  CursorRecord record = sample();
  record.commit_ts = 0;
  std::string out;
  append_cursor_json(out, record);
  EXPECT_NE(out.find(R"("commit_ts":null)"), std::string::npos);
  EXPECT_EQ(parse_cursor_json(out)->commit_ts, 0);
}

TEST(KafkaCursorRecord, TheHighestRevIsAtLeastTheCursors) {
  EXPECT_EQ(parse_cursor_json(R"({"epoch":1,"rev":7,"ends":{}})")->highest, Rev(7));
  EXPECT_EQ(parse_cursor_json(R"({"epoch":1,"rev":7,"highest":2,"ends":{}})")->highest, Rev(7));
}

TEST(KafkaCursorRecord, UnknownMembersAreIgnored) {
  EXPECT_TRUE(parse_cursor_json(R"({"epoch":1,"rev":2,"ends":{},"later":[1]})").has_value());
}

TEST(KafkaCursorRecord, AnythingElseIsRefused) {
  for (const char* text : {"",
                           "null",
                           "[]",
                           "{",
                           R"({"epoch":1,"rev":2})",
                           R"({"epoch":1,"rev":-2,"ends":{}})",
                           R"({"epoch":"1","rev":2,"ends":{}})",
                           R"({"epoch":1,"rev":2,"ends":{"t":3}})",
                           R"({"epoch":1,"rev":2,"ends":{"t":[-1]}})",
                           R"({"epoch":1,"rev":2,"ends":{"t":["x"]}})"}) {
    EXPECT_FALSE(parse_cursor_json(text).has_value()) << text;
  }
}

TEST(KafkaCursorRecord, ItsKeyIsSinkAndOrg) {
  EXPECT_EQ(cursor_key("kafka", "emea"), "kafka:emea");
}

}  // namespace
}  // namespace headwater::kafka
