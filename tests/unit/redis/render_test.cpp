#include "connectors/redis/render.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connectors/redis/library.hpp"
#include "tests/support/entry_maker.hpp"

namespace headwater::redis {
namespace {

using test::EntryMaker;
using test::EntrySpec;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kAcme = "emea:Account:0015f00002JUXA8AAP";
const std::string kBolt = "emea:Account:0015f00002JUXB9AAP";
const std::string kCore = "emea:Account:0015f00002JUXCAAA5";
const std::string kAnn = "emea:Contact:0035f00000ABCDeAAP";

/// The pipeline's commands as words, joined by spaces; a record's `j` stands as <json>.
std::vector<std::string> words(const Pipeline& pipeline) {
  std::vector<std::string> out;
  std::string_view rest = pipeline.bytes();
  const auto number = [&rest](char type) {
    EXPECT_EQ(rest.front(), type);
    const auto end = rest.find("\r\n");
    const auto value = std::stoul(std::string(rest.substr(1, end - 1)));
    rest.remove_prefix(end + 2);
    return value;
  };
  while (!rest.empty()) {
    std::string line;
    const auto count = number('*');
    for (std::size_t i = 0; i < count; ++i) {
      const auto size = number('$');
      const auto word = rest.substr(0, size);
      line +=
          (i == 0 ? "" : " ") + (word.starts_with('{') && size > 40 ? "<json>" : std::string(word));
      EXPECT_EQ(rest.substr(size, 2), "\r\n");
      rest.remove_prefix(size + 2);
    }
    out.push_back(line);
  }
  EXPECT_EQ(out.size(), pipeline.calls().size());
  return out;
}

class RedisRender : public ::testing::Test {
 protected:
  std::vector<std::string> render(Mode mode = Mode::Follow) {
    Batch batch{maker_.entries(), {}, mode};
    renderer_.coalesce(batch);
    return write();
  }
  /// All groups; those that held() was not called for find no keys.
  std::vector<std::string> write() {
    pipeline_.clear();
    while (renderer_.next_group()) renderer_.write(pipeline_);
    return words(pipeline_);
  }
  std::vector<std::string> ask(Mode mode = Mode::Follow) {
    Batch batch{maker_.entries(), {}, mode};
    renderer_.coalesce(batch);
    EXPECT_TRUE(renderer_.next_group());
    renderer_.ask(pipeline_);
    auto out = words(pipeline_);
    pipeline_.clear();
    return out;
  }
  std::vector<std::string> write_group() {
    renderer_.write(pipeline_);
    return words(pipeline_);
  }
  std::vector<std::string> ask_seams() {
    EXPECT_TRUE(renderer_.ask_seams(pipeline_));
    auto out = words(pipeline_);
    pipeline_.clear();
    return out;
  }
  bool has_seams() { return renderer_.ask_seams(pipeline_); }
  static std::string add(const std::string& target,
                         std::string_view rev,
                         std::string_view score = "1000") {
    return "FCALL headwater_rel 2 crm:{" + target + "}:rel:account crm:{" + target +
           "}:relv:account 345600000 add " + kAnn + " " + std::string(score) + " " +
           std::string(rev);
  }
  static std::string hset(std::string_view rev, std::string_view rest = " del 0 bu uk") {
    return "HSET crm:{" + kAnn + "}:rec j <json> j@ " + std::string(rev) + std::string(rest);
  }
  static inline const std::string kBegin = "MULTI", kEnd = "EXEC";

  EntryMaker maker_;
  Renderer renderer_{RenderOptions{}};
  Pipeline pipeline_;
};

TEST_F(RedisRender, CreateWritesRelationsBeforeTheRecord) {
  maker_.add({.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}});
  EXPECT_THAT(render(), ElementsAre(add(kAcme, "7"), kBegin, hset("7"), kEnd));
}

TEST_F(RedisRender, OwnerMakesNoSet) {
  maker_.add({.op = Op::Create, .rev = 7, .refs = {{"owner", "emea:User:0055f000005mc66AAA"}}});
  EXPECT_THAT(render(), ElementsAre(kBegin, hset("7"), kEnd));
}

TEST_F(RedisRender, UpdateOfAPlainFieldLeavesRelationsAlone) {
  maker_.add({.rev = 8, .refs = {{"account", kAcme}}});
  EXPECT_THAT(render(), ElementsAre(kBegin, hset("8"), kEnd));
}

TEST_F(RedisRender, AnotherSortTimeWritesTheSetsAgain) {
  maker_.add({.rev = 8, .refs = {{"account", kAcme}}, .sort_at = 2'000});
  EXPECT_THAT(render(), ElementsAre(add(kAcme, "8", "2000"), kBegin, hset("8"), kEnd));
}

TEST_F(RedisRender, OnlyTheChangedRelationIsWritten) {
  maker_.add({.rev = 8,
              .refs = {{"account", kBolt}, {"reports_to", kCore}},
              .old_refs = {{"account", kAcme}}});
  const auto move = "FCALL headwater_rel 4 crm:{" + kAcme + "}:rel:account crm:{" + kAcme +
                    "}:relv:account crm:{" + kBolt + "}:rel:account crm:{" + kBolt +
                    "}:relv:account 345600000 rem " + kAnn + " 0 8 add " + kAnn + " 1000 8";
  EXPECT_THAT(render(), ElementsAre(move, kBegin, hset("8"), kEnd));
}

TEST_F(RedisRender, ARunIsWrittenOnceAndLeavesEveryTargetItPassed) {
  // Acme -> Bolt -> Core in one batch. An earlier attempt may have stopped at Bolt, so Bolt is left
  // too.
  maker_.add({.rev = 8, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}});
  maker_.add({.rev = 9, .refs = {{"account", kCore}}, .old_refs = {{"account", kBolt}}});
  const auto out = render();
  ASSERT_EQ(out.size(), 4U);
  EXPECT_THAT(out[0],
              ::testing::HasSubstr("rem " + kAnn + " 0 9 rem " + kAnn + " 0 9 add " + kAnn));
  EXPECT_EQ(out[2], hset("9"));
}

TEST_F(RedisRender, ThereAndBackAgainEndsWhereItBegan) {
  maker_.add({.rev = 8, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}});
  maker_.add({.rev = 9, .refs = {{"account", kAcme}}, .old_refs = {{"account", kBolt}}});
  const auto out = render();
  ASSERT_EQ(out.size(), 4U);
  EXPECT_THAT(out[0], ::testing::EndsWith("rem " + kAnn + " 0 9 add " + kAnn + " 1000 9"));
}

TEST_F(RedisRender, DeleteLeavesAllTargetsAndKeepsATombstone) {
  maker_.add({.op = Op::Delete, .rev = 9, .old_refs = {{"account", kAcme}}});
  const auto out = render();
  ASSERT_EQ(out.size(), 5U);
  EXPECT_THAT(out[0], ::testing::EndsWith("345600000 rem " + kAnn + " 0 9"));
  EXPECT_EQ(out[2], hset("9", " del 1 bu uk"));
  EXPECT_EQ(out[3], "PEXPIRE crm:{" + kAnn + "}:rec 345600000");
}

TEST_F(RedisRender, PurgeRemovesTheKeyAndAsksForItsOldRelations) {
  maker_.add({.op = Op::Delete, .rev = 9, .purge = true});
  EXPECT_THAT(
      ask(),
      ElementsAre(
          "UNWATCH", "WATCH crm:{" + kAnn + "}:rec", "HMGET crm:{" + kAnn + "}:rec j@ del j"));
  const std::string j = R"({"x":1,"refs":{"account":")" + kAcme + R"("},"meta":{}})";
  renderer_.held(0, {8, false, j});
  const auto out = write_group();
  ASSERT_EQ(out.size(), 3U);
  EXPECT_THAT(out[0], ::testing::EndsWith("345600000 purge " + kAnn + " 0 9"));
  EXPECT_EQ(out[1], "UNWATCH");
  EXPECT_EQ(out[2], "FCALL headwater_purge 1 crm:{" + kAnn + "}:rec 9");
}

TEST_F(RedisRender, ANewerHeldRecordIsLeftAlone) {
  maker_.add({.op = Op::Read, .rev = 9});
  ask(Mode::Materialize);
  const std::string j = R"({"x":1,"refs":{"account":")" + kAcme + R"("},"meta":{}})";
  renderer_.held(0, {9, false, j});
  EXPECT_THAT(write_group(), ElementsAre("UNWATCH"));
}

TEST_F(RedisRender, AReadWithABeforeNeedsOnlyTheRev) {
  maker_.add({.op = Op::Read, .rev = 9, .has_before = true});
  EXPECT_EQ(ask().back(), "HMGET crm:{" + kAnn + "}:rec j@ del");
}

TEST_F(RedisRender, WhatTheKeyHoldsAlreadyIsNotWrittenAgain) {
  maker_.add({.rev = 9, .before_rev = 8});
  ask();
  renderer_.held(0, {8, false, {}});
  EXPECT_FALSE(has_seams());
  EXPECT_THAT(write_group(), ElementsAre(kBegin, hset("9", ""), kEnd));
}

TEST_F(RedisRender, AnUndeletedRecordLosesItsLifetime) {
  maker_.add({.op = Op::Create, .rev = 9});
  ask();
  renderer_.held(0, {8, true, {}});
  EXPECT_THAT(write_group(),
              ElementsAre(kBegin, hset("9"), "PERSIST crm:{" + kAnn + "}:rec", kEnd));
}

TEST_F(RedisRender, ARecordThatLacksWhatTheEntryBuildsOnIsReadAndWrittenWhole) {
  maker_.add({.rev = 9, .refs = {{"account", kBolt}}, .before_rev = 8});
  for (const std::optional<std::uint64_t> rev : {std::optional<std::uint64_t>(7), {}}) {
    ask();
    renderer_.held(0, {rev, false, {}});
    EXPECT_THAT(ask_seams(), ElementsAre("HMGET crm:{" + kAnn + "}:rec j@ del j"));
    const std::string j = R"({"x":1,"refs":{"account":")" + kAcme + R"("},"meta":{}})";
    renderer_.held(0, {rev, false, rev ? j : std::string_view()});
    EXPECT_FALSE(has_seams());
    const auto out = write_group();
    EXPECT_THAT(out[0], ::testing::EndsWith("add " + kAnn + " 1000 9"));
    EXPECT_EQ(out[0].find(kAcme) != std::string::npos, rev.has_value());
    pipeline_.clear();
  }
}

TEST_F(RedisRender, HolesAndQuarantineAreNotForRedis) {
  maker_.add({.rev = 9, .kind = EntryKind::Hole});
  maker_.add({.rev = 10, .kind = EntryKind::Quarantine});
  EXPECT_THAT(render(), IsEmpty());
}

TEST_F(RedisRender, CallsHoldAtMostTheirNumberOfRecords) {
  for (std::uint64_t i = 0; i < 5; ++i)
    maker_.add({.op = Op::Delete,
                .id = "0035f00000ABCD" + std::to_string(i) + "AAP",
                .rev = i + 1,
                .purge = true});
  renderer_.set_call_items_max(2);
  EXPECT_EQ(render().size(), 4U);  // UNWATCH and three calls
}

TEST_F(RedisRender, OnAClusterEachRecordIsAGroup) {
  maker_.add({.id = "0035f00000ABCDeAAP", .rev = 1});
  maker_.add({.id = "0035f00000ABCDfAAP", .rev = 2});
  renderer_.set_call_items_max(1);
  EXPECT_EQ(render().size(), 6U);  // two transactions
}

TEST_F(RedisRender, FeedTellsEachRecordOnceInRevOrder) {
  Renderer renderer({.feed_key = "crm:feed"});
  maker_.add({.rev = 1});
  maker_.add({.op = Op::Create, .id = "0035f00000ABCDfAAP", .rev = 2});
  maker_.add({.rev = 3});
  renderer.coalesce({maker_.entries(), {}, Mode::Follow});
  ASSERT_TRUE(renderer.next_group());
  renderer.write(pipeline_);
  const auto out = words(pipeline_);
  ASSERT_GE(out.size(), 2U);
  EXPECT_EQ(
      out[out.size() - 2],
      "XADD crm:feed 2-0 key emea:Contact:0035f00000ABCDfAAP entity contact op c rev 2 bu uk");
  EXPECT_EQ(out.back(),
            "XADD crm:feed MAXLEN ~ 100000 3-0 key " + kAnn + " entity contact op u rev 3 bu uk");
}

TEST_F(RedisRender, WholeStatesAreOneResetOnTheFeed) {
  Renderer renderer({.feed_key = "crm:feed", .call_items_max = 1});
  maker_.add({.op = Op::Read, .rev = 1});
  maker_.add({.op = Op::Read, .id = "0035f00000ABCDfAAP", .rev = 2});
  renderer.coalesce({maker_.entries(), {}, Mode::Materialize});
  while (renderer.next_group()) renderer.write(pipeline_);
  const auto out = words(pipeline_);
  EXPECT_EQ(out.back(), "FCALL headwater_reset 1 crm:feed 100000 2");
  EXPECT_EQ(out.size(), 7U);  // two transactions before it
}

TEST(RedisRelations, AreReadFromTheRecordsOwnRefs) {
  std::vector<Relation> out;
  const std::string j =
      R"({"key":"k","fields":{"json":{"a":1,"refs":{"x":"y"}},"t":",\"refs\":{\"evil\":\"z\"}"},)"
      R"("extra":{},"raw":{},"refs":{"account":"emea:Account:1","owner":"emea:User:2","who":"emea:Lead:3"},"meta":{"rev":1}})";
  parse_relations(j, out);
  EXPECT_THAT(out,
              ElementsAre(Relation{"account", "emea:Account:1"}, Relation{"who", "emea:Lead:3"}));
}

TEST(RedisRelations, OfBrokenTextAreWhatCanBeRead) {
  for (const auto* j : {"",
                        "{}",
                        R"(,"refs":{)",
                        R"(,"refs":{"a)",
                        R"(,"refs":{"a":)",
                        R"(,"refs":{"a":"b)",
                        R"(,"refs":{"a\"":"b"})"}) {
    std::vector<Relation> out;
    parse_relations(j, out);
    EXPECT_THAT(out, IsEmpty()) << j;
  }
}

TEST(RedisLibrary, KnowsItsVersion) {
  EXPECT_TRUE(kLibraryCode.starts_with("#!lua name=headwater\n"));
  EXPECT_EQ(library_version(kLibraryCode), 2U);
  EXPECT_EQ(library_version("#!lua name=headwater\n-- version: 12\n"), 12U);
  EXPECT_EQ(library_version("#!lua name=other\n"), 0U);
}

}  // namespace
}  // namespace headwater::redis
