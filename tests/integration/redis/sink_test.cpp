#include "connectors/redis/library.hpp"
#include "schemas/core/json_text.hpp"
#include "tests/integration/redis/sink_fixture.hpp"

namespace headwater::redis {
namespace {

using ::testing::HasSubstr;

TEST_F(RedisSinkTest, AnEmptyServerHasNoCursorAndOurClaim) {
  RedisSink sink(config_of(server_), holder());
  const auto cursors = open(sink);
  ASSERT_EQ(cursors.size(), 1U);
  EXPECT_EQ(cursors[0].org, "emea");
  EXPECT_EQ(cursors[0].ledger, "");
  EXPECT_EQ(cursors[0].rev, Rev(0));
  EXPECT_EQ(cursors[0].epoch, 1U);
  EXPECT_EQ(server_.run({"HGET", "crm:cursor:emea", "holder"}), "machine:/state");
}

TEST_F(RedisSinkTest, ARecordIsWrittenWithItsRevAndUnit) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .fields = {{"name", "Ann"}}}}));
  auto record = server_.hash(kAnnKey);
  EXPECT_THAT(record["j"], HasSubstr(R"("fields":{"name":"Ann"})"));
  EXPECT_EQ(record["j@"], "7");
  EXPECT_EQ(record["del"], "0");
  EXPECT_EQ(record["bu"], "uk");
  EXPECT_EQ(server_.run({"PTTL", kAnnKey}), "-1");
}

TEST_F(RedisSinkTest, AnOlderOrRepeatedEntryChangesNothing) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink,
             {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}},
              {.rev = 9, .fields = {{"name", "new"}}, .refs = {{"account", kAcme}}}}));
  const auto before = server_.run({"DEBUG", "DIGEST-VALUE", kAnnKey});
  must(write(sink, {{.rev = 8, .fields = {{"name", "late"}}}}));
  must(write(sink, {{.rev = 9, .fields = {{"name", "again"}}}}));
  EXPECT_EQ(server_.run({"DEBUG", "DIGEST-VALUE", kAnnKey}), before);
}

TEST_F(RedisSinkTest, RevsNearTwoToThe53CompareExactly) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 9'007'199'254'740'990}}));
  must(write(sink, {{.rev = 9'007'199'254'740'991}}));
  must(write(sink, {{.rev = 9'007'199'254'740'990}}));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "9007199254740991");
}

TEST_F(RedisSinkTest, ADeletedRecordStaysAsAMarkWithALifetime) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(
      sink,
      {{.op = Op::Create, .rev = 7, .fields = {{"name", "Ann"}}, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Delete, .rev = 8, .old_refs = {{"account", kAcme}}}}));
  auto record = server_.hash(kAnnKey);
  EXPECT_EQ(record["del"], "1");
  EXPECT_EQ(record["j"].find("Ann"), std::string::npos);
  const auto ttl = std::stoll(server_.run({"PTTL", kAnnKey}));
  EXPECT_GT(ttl, 95LL * 3'600'000);
  EXPECT_LE(ttl, 96LL * 3'600'000);
  EXPECT_EQ(members(kAcme), "[]");
  // A late write loses against the mark.
  must(write(sink, {{.rev = 7, .refs = {{"account", kAcme}}, .old_refs = {{"account", ""}}}}));
  EXPECT_EQ(server_.hash(kAnnKey)["del"], "1");
  EXPECT_EQ(members(kAcme), "[]");
}

TEST_F(RedisSinkTest, AnUndeletedRecordLivesForEverAgain) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Delete, .rev = 8, .old_refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Create, .rev = 9, .refs = {{"account", kAcme}}}}));
  EXPECT_EQ(server_.hash(kAnnKey)["del"], "0");
  EXPECT_EQ(server_.run({"PTTL", kAnnKey}), "-1");
  EXPECT_EQ(members(kAcme), "[" + kAnn + ", 1000]");
  EXPECT_EQ(server_.run({"PTTL", "crm:{" + kAcme + "}:relv:account"}), "-1");
}

TEST_F(RedisSinkTest, AMovedRecordLeavesItsOldParent) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.rev = 8, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}}}));
  EXPECT_EQ(members(kAcme), "[]");
  EXPECT_EQ(members(kBolt), "[" + kAnn + ", 1000]");
  EXPECT_EQ(server_.hash("crm:{" + kAcme + "}:relv:account")[kAnn], "-8");
  EXPECT_EQ(server_.hash("crm:{" + kBolt + "}:relv:account")[kAnn], "8");
}

TEST_F(RedisSinkTest, TheMarksOfASetThatIsNotEmptyLiveForEver) {
  const std::string bob = "0035f00000FGHIjAAP";
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink,
             {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}},
              {.op = Op::Create, .id = bob, .rev = 8, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.rev = 9, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}}}));
  EXPECT_EQ(server_.run({"PTTL", "crm:{" + kAcme + "}:relv:account"}), "-1");
  must(write(
      sink,
      {{.id = bob, .rev = 10, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}}}));
  EXPECT_NE(server_.run({"PTTL", "crm:{" + kAcme + "}:relv:account"}), "-1");
}

TEST_F(RedisSinkTest, ARepeatCutDifferentlyEndsTheSame) {
  const EntrySpec create{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}};
  const EntrySpec move{.rev = 8, .refs = {{"account", kBolt}}, .old_refs = {{"account", kAcme}}};
  const EntrySpec back{.rev = 9, .refs = {{"account", kAcme}}, .old_refs = {{"account", kBolt}}};
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {create, move}));  // a crash here: the cursor has not moved
  must(write(sink, {create, move, back}));
  EXPECT_EQ(members(kAcme), "[" + kAnn + ", 1000]");
  EXPECT_EQ(members(kBolt), "[]");
  must(write(sink, {create}));
  must(write(sink, {move}));
  must(write(sink, {back}));
  EXPECT_EQ(members(kAcme), "[" + kAnn + ", 1000]");
  EXPECT_EQ(members(kBolt), "[]");
}

TEST_F(RedisSinkTest, RelationListsAreOrderedBySortTime) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  const std::string first = "0035f00000ABCDfAAP", second = "0035f00000ABCDgAAP";
  must(write(
      sink,
      {{.op = Op::Create, .id = second, .rev = 7, .refs = {{"account", kAcme}}, .sort_at = 20},
       {.op = Op::Create, .id = first, .rev = 8, .refs = {{"account", kAcme}}, .sort_at = 10}}));
  EXPECT_EQ(members(kAcme), "[emea:Contact:" + first + ", 10, emea:Contact:" + second + ", 20]");
  must(write(sink,
             {{.id = first,
               .rev = 9,
               .refs = {{"account", kAcme}},
               .sort_at = 30,
               .before_sort_at = 10}}));
  EXPECT_EQ(members(kAcme), "[emea:Contact:" + second + ", 20, emea:Contact:" + first + ", 30]");
}

TEST_F(RedisSinkTest, MaterializingReplacesRelationsThatNoEntryNames) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Read, .rev = 9, .refs = {{"account", kBolt}}}}, Mode::Materialize));
  EXPECT_EQ(members(kAcme), "[]");
  EXPECT_EQ(members(kBolt), "[" + kAnn + ", 1000]");
}

TEST_F(RedisSinkTest, ARecordChangedWhileStatesWereWrittenGetsAllItsRelations) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  // An older state is there. The record moved at rev 50, which the materialization skips because it
  // changed again.
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Read, .id = "0035f00000ABCDfAAP", .rev = 60}}, Mode::Materialize));
  must(write(sink, {{.rev = 70, .refs = {{"account", kBolt}}, .before_rev = 50}}));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "70");
  EXPECT_EQ(members(kAcme), "[]");
  EXPECT_EQ(members(kBolt), "[" + kAnn + ", 1000]");
  EXPECT_THAT(server_.run({"XREVRANGE", "crm:feed", "+", "-", "COUNT", "1"}),
              HasSubstr("op, reset, rev, 70"));
}

TEST_F(RedisSinkTest, ARecordThatStandsOneRevBelowWhatItsEntryBuildsOnIsReadFirst) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.rev = 9, .refs = {{"account", kBolt}}, .before_rev = 8}}));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "9");
  EXPECT_EQ(members(kAcme), "[]");
}

TEST_F(RedisSinkTest, ARecordOfTheSecondCallThatLacksItsGroundIsReadAndWritten) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  std::vector<EntrySpec> specs;
  for (std::uint64_t i = 0; i < kCallItemsMax + 20; ++i) {
    specs.push_back({.op = Op::Create, .id = "0035f00000" + std::to_string(10'000 + i) + "AAA"});
    specs.back().rev = 100 + i;
  }
  specs.push_back({.rev = 900, .refs = {{"account", kBolt}}, .before_rev = 50});
  must(write(sink, specs));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "900");
  EXPECT_EQ(members(kAcme), "[]");
}

TEST_F(RedisSinkTest, ARecordThatHoldsWhatItsEntryBuildsOnIsWrittenInOneRoundTrip) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7}, {.rev = 8, .before_rev = 7}}));
  must(write(sink, {{.rev = 8, .before_rev = 7}, {.rev = 9, .before_rev = 8}}));  // cut differently
  must(write(sink, {{.op = Op::Delete, .rev = 10, .before_rev = 9}}));
  must(write(sink, {{.op = Op::Create, .rev = 11}}));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "11");
  EXPECT_EQ(server_.run({"XREVRANGE", "crm:feed", "+", "-", "COUNT", "1"}).find("reset"),
            std::string::npos);
}

TEST_F(RedisSinkTest, MaterializingADeletionRemovesRelations) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Delete, .rev = 9, .has_before = false}}, Mode::Materialize));
  EXPECT_EQ(members(kAcme), "[]");
  EXPECT_EQ(server_.hash(kAnnKey)["del"], "1");
}

TEST_F(RedisSinkTest, APurgeLeavesNoTraceOfTheRecord) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Delete, .rev = 8, .purge = true}}));
  EXPECT_EQ(server_.run({"KEYS", "crm:{*"}), "[]");
}

TEST_F(RedisSinkTest, APurgeSparesWhatCameAfterIt) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 9, .refs = {{"account", kAcme}}}}));
  must(write(sink, {{.op = Op::Delete, .rev = 8, .purge = true}}));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "9");
  EXPECT_EQ(members(kAcme), "[" + kAnn + ", 1000]");
}

TEST_F(RedisSinkTest, TheFeedTellsEachChangeOnce) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7}}));
  must(write(sink, {{.op = Op::Create, .rev = 7}}));
  must(write(sink, {{.rev = 8}}));
  EXPECT_EQ(server_.run({"XRANGE", "crm:feed", "-", "+"}),
            "[[7-0, [key, " + kAnn + ", entity, contact, op, c, rev, 7, bu, uk]], [8-0, [key, " +
                kAnn + ", entity, contact, op, u, rev, 8, bu, uk]]]");
}

TEST_F(RedisSinkTest, AMaterializationIsOneResetOnTheFeed) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {{.op = Op::Read, .rev = 7}}, Mode::Materialize));
  must(write(sink, {{.op = Op::Read, .id = "0035f00000ABCDfAAP", .rev = 8}}, Mode::Materialize));
  must(write(sink, {{.op = Op::Read, .id = "0035f00000ABCDfAAP", .rev = 8}}, Mode::Materialize));
  EXPECT_EQ(server_.run({"XRANGE", "crm:feed", "-", "+"}),
            "[[8-1, [key, , entity, , op, reset, rev, 8, bu, ]]]");
}

TEST_F(RedisSinkTest, WithoutAFeedThereIsNoStream) {
  auto config = config_of(server_);
  config.feed = false;
  RedisSink sink(config, holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7}}));
  EXPECT_EQ(server_.run({"EXISTS", "crm:feed"}), "0");
}

TEST_F(RedisSinkTest, HostileKeysAndValuesArriveAsTheyAre) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  const std::vector<std::string> hostile = {"\r\n*1\r\n$8\r\nFLUSHALL\r\n",
                                            std::string("nul\0nul", 7),
                                            "{}{}{",
                                            "]] return redis.call('FLUSHALL') --[[",
                                            "\"refs\":{\"account\":\"x\"}",
                                            "\xE2\x80\xAE"
                                            "rtl",
                                            "\xF0\x9F\x92\xA9",
                                            std::string(100'000, 'x'),
                                            "%s%n%d",
                                            "-OK",
                                            ":1"};
  std::uint64_t rev = 1;
  for (const auto& text : hostile) {
    EntrySpec spec{
        .op = Op::Create, .rev = rev++, .fields = {{"name", text}}, .refs = {{"account", kAcme}}};
    spec.object = "O" + text;
    spec.entity = text;
    must(write(sink, {spec}));
    std::string escaped;
    append_json_string(escaped, text);
    const auto key = "crm:{emea:O" + text + ":" + spec.id + "}:rec";
    EXPECT_THAT(server_.hash(key)["j"], HasSubstr("\"fields\":{\"name\":" + escaped + "}"));
  }
  EXPECT_EQ(server_.run({"ZCARD", "crm:{" + kAcme + "}:rel:account"}),
            std::to_string(hostile.size()));
  EXPECT_EQ(server_.run({"XLEN", "crm:feed"}), std::to_string(hostile.size()));
}

TEST_F(RedisSinkTest, ASocketFileWorksAsWell) {
  auto config = config_of(server_);
  config.endpoint = Endpoint::parse("unix://" + server_.socket() + "?db=3").value();
  RedisSink sink(config, holder());
  open(sink);
  must(write(sink, {{.op = Op::Create, .rev = 7}}));
  EXPECT_EQ(server_.run({"EXISTS", kAnnKey}), "0");  // another database
  EXPECT_THAT(server_.run({"INFO", "keyspace"}), HasSubstr("db3:keys=3"));
}

TEST_F(RedisSinkTest, AnUnchangedLibraryIsNotLoadedAgainAndAnOtherIsReplaced) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  EXPECT_THAT(server_.run({"FUNCTION", "LIST"}), HasSubstr("headwater_put"));
  server_.run(
      {"FUNCTION",
       "LOAD",
       "REPLACE",
       "#!lua name=headwater\nredis.register_function('headwater_old', function() return 1 end)"});
  open(sink);
  EXPECT_THAT(server_.run({"FUNCTION", "LIST"}), HasSubstr("headwater_put"));
  server_.run({"CONFIG", "RESETSTAT"});
  open(sink);
  EXPECT_EQ(server_.run({"INFO", "commandstats"}).find("function|load"), std::string::npos);
}

TEST_F(RedisSinkTest, ANewerLibraryIsNotReplaced) {
  server_.run({"FUNCTION",
               "LOAD",
               "#!lua name=headwater\n-- version: 99\nredis.register_function('headwater_put', "
               "function() return 1 end)"});
  RedisSink sink(config_of(server_), holder());
  const std::array<std::string, 1> orgs{"emea"};
  const auto cursors = sink.open(orgs);
  ASSERT_FALSE(cursors);
  EXPECT_EQ(cursors.error().kind, ErrorKind::Fatal);
  EXPECT_THAT(
      cursors.error().message,
      HasSubstr(
          "holds version 99 of our function library, this daemon brings 2; upgrade this daemon"));
}

TEST_F(RedisSinkTest, AnEvictingServerIsAWarning) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  EXPECT_TRUE(sink.warnings().empty());
  server_.run({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  open(sink);
  ASSERT_EQ(sink.warnings().size(), 1U);
  EXPECT_THAT(sink.warnings()[0], HasSubstr("maxmemory-policy is allkeys-lru"));
}

TEST_F(RedisSinkTest, ADeleteOfWhatItsLedgerNeverSawTakesTheRelationsAlong) {
  RedisSink first(config_of(server_), holder());
  open(first);
  must(write(first, {{.op = Op::Create, .rev = 5, .refs = {{"account", kAcme}}}}));
  EXPECT_NE(members(kAcme), "[]");
  first.close();
  // A ledger born anew has never seen it, and tells that it is gone.
  RedisSink second(config_of(server_), holder("machine:/state", "LEDGER2"));
  open(second);
  must(write(second, {{.op = Op::Delete, .rev = 900, .has_before = true}}));
  EXPECT_EQ(server_.run({"HGET", kAnnKey, "del"}), "1");
  EXPECT_EQ(members(kAcme), "[]");
}

}  // namespace
}  // namespace headwater::redis
