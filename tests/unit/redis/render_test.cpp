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
    pipeline_.clear();
    renderer_.write(pipeline_);
    return words(pipeline_);
  }
  static std::string add(const std::string& target,
                         std::string_view rev,
                         std::string_view score = "1000") {
    return "FCALL headwater_rel 2 crm:{" + target + "}:rel:account crm:{" + target +
           "}:relv:account 345600000 add " + kAnn + " " + std::string(score) + " " +
           std::string(rev);
  }
  static std::string put(std::string_view rev, std::string_view since = "0") {
    return "FCALL headwater_put 1 crm:{" + kAnn + "}:rec " + std::string(rev) + " " +
           std::string(since) + " 0 0 uk <json>";
  }

  EntryMaker maker_;
  Renderer renderer_{RenderOptions{}};
  Pipeline pipeline_;
};

TEST_F(RedisRender, CreateWritesRelationsBeforeTheRecord) {
  maker_.add({.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}});
  EXPECT_THAT(render(), ElementsAre(add(kAcme, "7"), put("7", "-7")));
}

TEST_F(RedisRender, OwnerMakesNoSet) {
  maker_.add({.op = Op::Create, .rev = 7, .refs = {{"owner", "emea:User:0055f000005mc66AAA"}}});
  EXPECT_THAT(render(), ElementsAre(put("7", "-7")));
}

TEST_F(RedisRender, UpdateOfAPlainFieldLeavesRelationsAlone) {
  maker_.add({.rev = 8, .refs = {{"account", kAcme}}});
  EXPECT_THAT(render(), ElementsAre(put("8")));
}

TEST_F(RedisRender, AnotherSortTimeWritesTheSetsAgain) {
  maker_.add({.rev = 8, .refs = {{"account", kAcme}}, .sort_at = 2'000});
  EXPECT_THAT(render(), ElementsAre(add(kAcme, "8", "2000"), put("8")));
}

TEST_F(RedisRender, OnlyTheChangedRelationIsWritten) {
  maker_.add({.rev = 8,
              .refs = {{"account", kBolt}, {"reports_to", kCore}},
              .old_refs = {{"account", kAcme}}});
  const auto move = "FCALL headwater_rel 4 crm:{" + kAcme + "}:rel:account crm:{" + kAcme +
                    "}:relv:account crm:{" + kBolt + "}:rel:account crm:{" + kBolt +
                    "}:relv:account 345600000 rem " + kAnn + " 0 8 add " + kAnn + " 1000 8";
  EXPECT_THAT(render(), ElementsAre(move, put("8")));
}

TEST_F(RedisRender, ARunIsWrittenOnceAndLeavesEveryTargetItPassed) {
  // Acme -> Bolt -> Core in one batch. An earlier attempt may have stopped at Bolt, so Bolt is left
  // too.
  maker_.add({.rev = 8, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}});
  maker_.add({.rev = 9, .refs = {{"account", kCore}}, .old_refs = {{"account", kBolt}}});
  const auto out = render();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_THAT(out[0],
              ::testing::HasSubstr("rem " + kAnn + " 0 9 rem " + kAnn + " 0 9 add " + kAnn));
  EXPECT_EQ(out[1], put("9"));
}

TEST_F(RedisRender, ThereAndBackAgainEndsWhereItBegan) {
  maker_.add({.rev = 8, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}});
  maker_.add({.rev = 9, .refs = {{"account", kAcme}}, .old_refs = {{"account", kBolt}}});
  const auto out = render();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_THAT(out[0], ::testing::EndsWith("rem " + kAnn + " 0 9 add " + kAnn + " 1000 9"));
}

TEST_F(RedisRender, DeleteLeavesAllTargetsAndKeepsATombstone) {
  maker_.add({.op = Op::Delete, .rev = 9, .old_refs = {{"account", kAcme}}, .before_rev = 4});
  const auto out = render();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_THAT(out[0], ::testing::EndsWith("345600000 rem " + kAnn + " 0 9"));
  EXPECT_EQ(out[1], "FCALL headwater_put 1 crm:{" + kAnn + "}:rec 9 4 345600000 1 uk <json>");
}

TEST_F(RedisRender, ADeleteOfWhatWasNeverSeenBuildsOnNothingAlive) {
  maker_.add({.op = Op::Delete, .rev = 9});
  EXPECT_EQ(render()[0], "FCALL headwater_put 1 crm:{" + kAnn + "}:rec 9 -9 345600000 1 uk <json>");
}

TEST_F(RedisRender, AReadWithoutABeforeLeavesWhatTheRecordHeldThere) {
  maker_.add({.op = Op::Read, .rev = 9, .refs = {{"account", kAcme}}});
  renderer_.coalesce({maker_.entries(), {}, Mode::Follow});
  ASSERT_THAT(renderer_.needs_held(), ElementsAre(0));
  const std::string left = "emea:Account:0015f00000LEFTAAAA";
  const std::string stored = R"({"x":1,"refs":{"account":")" + left + R"("},"meta":{}})";
  renderer_.held(0, 8, stored);
  renderer_.write(pipeline_);
  EXPECT_NE(words(pipeline_)[0].find("crm:{" + left + "}:rel:account"), std::string::npos);
}

TEST_F(RedisRender, ARunThatBeginsWithAReadAsksForWhatTheRecordHeldThere) {
  maker_.add({.op = Op::Read, .rev = 9, .refs = {{"account", kAcme}}});
  maker_.add({.rev = 10, .refs = {{"account", kAcme}}, .before_rev = 9});
  renderer_.coalesce({maker_.entries(), {}, Mode::Follow});
  EXPECT_THAT(renderer_.needs_held(), ElementsAre(0));
}

TEST_F(RedisRender, ARunBuildsOnWhatStoodBeforeItsFirstEntry) {
  maker_.add({.rev = 7, .before_rev = 4});
  maker_.add({.rev = 9, .before_rev = 7});
  EXPECT_EQ(render()[0], put("9", "4"));
  maker_.clear();
  maker_.add({.op = Op::Create, .rev = 17});
  maker_.add({.rev = 19, .before_rev = 17});
  EXPECT_EQ(render()[0], put("19", "-17"));
}

TEST_F(RedisRender, WhatIsWrittenAgainIsNoNewsForTheFeed) {
  maker_.add({.op = Op::Read, .rev = 7});
  Renderer renderer{RenderOptions{.feed_key = "crm:feed"}};
  for (const Mode mode : {Mode::Rewrite, Mode::Follow}) {
    pipeline_.clear();
    renderer.coalesce({maker_.entries(), {}, mode});
    renderer.write(pipeline_);
    const auto out = words(pipeline_);
    EXPECT_EQ(out.back().starts_with("FCALL headwater_feed"), mode == Mode::Follow);
  }
}

TEST_F(RedisRender, PurgeRemovesTheKeyAndAsksForItsOldRelations) {
  maker_.add({.op = Op::Delete, .rev = 9, .purge = true});
  renderer_.coalesce({maker_.entries(), {}, Mode::Follow});
  ASSERT_THAT(renderer_.needs_held(), ElementsAre(0));
  renderer_.ask_held(pipeline_);
  EXPECT_THAT(words(pipeline_), ElementsAre("HMGET crm:{" + kAnn + "}:rec j@ j"));
  const std::string j = R"({"x":1,"refs":{"account":")" + kAcme + R"("},"meta":{}})";
  renderer_.held(0, 8, j);
  pipeline_.clear();
  renderer_.write(pipeline_);
  const auto out = words(pipeline_);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_THAT(out[0], ::testing::EndsWith("345600000 purge " + kAnn + " 0 9"));
  EXPECT_EQ(out[1], "FCALL headwater_purge 1 crm:{" + kAnn + "}:rec 9");
}

TEST_F(RedisRender, ANewerHeldRecordKeepsItsRelations) {
  maker_.add({.op = Op::Read, .rev = 9});
  renderer_.coalesce({maker_.entries(), {}, Mode::Materialize});
  const std::string j = R"({"x":1,"refs":{"account":")" + kAcme + R"("},"meta":{}})";
  renderer_.held(0, 9, j);
  renderer_.write(pipeline_);
  EXPECT_THAT(words(pipeline_), ElementsAre(put("9")));
}

TEST_F(RedisRender, AReadWithABeforeNeedsNoLookUp) {
  maker_.add({.op = Op::Read, .rev = 9, .has_before = true});
  renderer_.coalesce({maker_.entries(), {}, Mode::Follow});
  EXPECT_THAT(renderer_.needs_held(), IsEmpty());
}

TEST_F(RedisRender, HolesAndQuarantineAreNotForRedis) {
  maker_.add({.rev = 9, .kind = EntryKind::Hole});
  maker_.add({.rev = 10, .kind = EntryKind::Quarantine});
  EXPECT_THAT(render(), IsEmpty());
}

TEST_F(RedisRender, CallsHoldAtMostTheirNumberOfRecords) {
  for (std::uint64_t i = 0; i < 5; ++i)
    maker_.add({.id = "0035f00000ABCD" + std::to_string(i) + "AAP", .rev = i + 1});
  renderer_.set_call_items_max(2);
  EXPECT_EQ(render().size(), 3U);
}

TEST_F(RedisRender, FeedTellsEachRecordOnceInRevOrder) {
  Renderer renderer({.feed_key = "crm:feed"});
  maker_.add({.rev = 1});
  maker_.add({.op = Op::Create, .id = "0035f00000ABCDfAAP", .rev = 2});
  maker_.add({.rev = 3});
  renderer.coalesce({maker_.entries(), {}, Mode::Follow});
  renderer.write(pipeline_);
  EXPECT_EQ(
      words(pipeline_).back(),
      "FCALL headwater_feed 1 crm:feed 100000 emea:Contact:0035f00000ABCDfAAP contact c 2 uk " +
          kAnn + " contact u 3 uk");
}

TEST_F(RedisRender, WholeStatesAreOneResetOnTheFeed) {
  Renderer renderer({.feed_key = "crm:feed"});
  maker_.add({.op = Op::Read, .rev = 1});
  maker_.add({.op = Op::Read, .id = "0035f00000ABCDfAAP", .rev = 2});
  renderer.coalesce({maker_.entries(), {}, Mode::Materialize});
  renderer.write(pipeline_);
  EXPECT_EQ(words(pipeline_).back(), "FCALL headwater_feed 1 crm:feed 100000   reset 2 ");
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
