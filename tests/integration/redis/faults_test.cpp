#include <chrono>

#include "connectors/redis/client.hpp"
#include "tests/integration/redis/sink_fixture.hpp"

namespace headwater::redis {
namespace {

using ::testing::HasSubstr;

class RedisFaults : public RedisSinkTest {
 protected:
  static EntrySpec entry(std::uint64_t rev) { return {.op = Op::Create, .rev = rev}; }
};

TEST_F(RedisFaults, TheCursorMovesWithTheNextBatch) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  EXPECT_EQ(cursor_rev(), "nil");
  must(write(sink, {entry(8)}));
  EXPECT_EQ(cursor_rev(), "7");
  must(sink.idle());
  EXPECT_EQ(cursor_rev(), "8");
  auto cursor = server_.hash("crm:cursor:emea");
  EXPECT_EQ(cursor["ledger"], "LEDGER1");
  EXPECT_EQ(cursor["commit_ts"], "1700000000000");
  EXPECT_FALSE(cursor["updated_at"].empty());
}

TEST_F(RedisFaults, ACleanCloseLeavesNothingOwed) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  sink.close();
  EXPECT_EQ(cursor_rev(), "7");
}

TEST_F(RedisFaults, ATouchMovesTheCursorAtOnce) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  const CursorMove move{"emea", Rev(12), 0};
  must(sink.write({{}, {&move, 1}, Mode::Follow}));
  EXPECT_EQ(cursor_rev(), "12");
}

TEST_F(RedisFaults, KilledBetweenTwoBatchesTheSecondIsRepeatedInPeace) {
  {
    RedisSink sink(config_of(server_), holder());
    open(sink);
    must(write(sink, {entry(7)}));
    must(write(sink, {{.rev = 8, .fields = {{"name", "x"}}}}));
  }  // gone without close(): batch 8 is in, its cursor is not
  RedisSink sink(config_of(server_), holder());
  const auto cursors = open(sink);
  EXPECT_EQ(cursors.at(0).rev, Rev(7));
  EXPECT_EQ(cursors.at(0).ledger, "LEDGER1");
  EXPECT_EQ(cursors.at(0).epoch, 2U);
  must(write(sink, {{.rev = 8, .fields = {{"name", "x"}}}}));
  must(sink.idle());
  EXPECT_EQ(cursor_rev(), "8");
  EXPECT_EQ(server_.run({"XLEN", "crm:feed"}), "2");
}

TEST_F(RedisFaults, AClaimIsRefusedWhileAnotherHolderIsFresh) {
  RedisSink ours(config_of(server_), holder("one:/state"));
  open(ours);
  RedisSink rival(config_of(server_), holder("two:/state", "LEDGER2"));
  const std::array<std::string, 1> orgs{"emea"};
  const auto refused = rival.open(orgs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_THAT(refused.error().message, HasSubstr("held by another daemon (one:/state)"));
  must(write(ours, {entry(7)}));
}

TEST_F(RedisFaults, AHolderThatWritesStaysFresh) {
  RedisSink ours(config_of(server_), holder("one:/state"));
  open(ours);
  server_.run({"HSET", "crm:cursor:emea", "updated_at", "1000"});  // it claimed long ago
  must(write(ours, {entry(7)}));
  must(ours.idle());
  RedisSink rival(config_of(server_), holder("two:/state", "LEDGER2"));
  const std::array<std::string, 1> orgs{"emea"};
  const auto refused = rival.open(orgs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
}

TEST_F(RedisFaults, ASilentHolderIsTakenOverAndThenFenced) {
  RedisSink ours(config_of(server_), holder("one:/state"));
  open(ours);
  must(write(ours, {entry(7)}));
  must(ours.idle());
  server_.run({"HSET", "crm:cursor:emea", "updated_at", "1000"});  // long ago
  RedisSink rival(config_of(server_), holder("two:/state", "LEDGER2"));
  const auto cursors = open(rival);
  EXPECT_EQ(cursors.at(0).ledger, "LEDGER1");  // a claim changes neither ledger nor rev
  EXPECT_EQ(cursors.at(0).rev, Rev(7));
  EXPECT_EQ(cursors.at(0).epoch, 2U);
  EXPECT_EQ(server_.hash("crm:cursor:emea")["ledger"], "LEDGER1");

  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto fenced = write(ours, {entry(8)});
    ASSERT_FALSE(fenced);
    EXPECT_EQ(fenced.error().kind, ErrorKind::Fatal);
    EXPECT_EQ(fenced.error().code, "FENCED");
    EXPECT_THAT(fenced.error().message, HasSubstr("holder two:/state"));
  }
  EXPECT_EQ(cursor_rev(), "7");
}

TEST_F(RedisFaults, ATakeoverIsToldThoughARecordIsRefusedAsWell) {
  RedisSink ours(config_of(server_), holder("one:/state"));
  open(ours);
  server_.run({"HSET", "crm:cursor:emea", "updated_at", "1000"});  // long ago
  RedisSink rival(config_of(server_), holder("two:/state", "LEDGER2"));
  open(rival);
  server_.run({"SET", kAnnKey, "mine"});
  const auto fenced = write(ours, {entry(8)});
  ASSERT_FALSE(fenced);
  EXPECT_EQ(fenced.error().kind, ErrorKind::Fatal) << fenced.error().message;
}

TEST_F(RedisFaults, AnotherHolderOfTheSameEpochIsATakeover) {
  RedisSink ours(config_of(server_), holder("one:/state"));
  open(ours);
  // An older copy of the server came back, where another claims the epoch that we had.
  server_.run({"HSET", "crm:cursor:emea", "holder", "two:/state"});
  const auto fenced = write(ours, {entry(8)});
  ASSERT_FALSE(fenced);
  EXPECT_EQ(fenced.error().code, "FENCED");
}

TEST_F(RedisFaults, AClaimIsFreeOnceItsHolderWasSilentForTheWait) {
  RedisSink ours(config_of(server_), holder("one:/state"));
  open(ours);
  const auto wait = std::chrono::duration_cast<std::chrono::seconds>(config_of(server_).claim_wait);
  const auto since = SystemClock().now_ms() / 1000 - wait.count() - 1;
  server_.run({"HSET", "crm:cursor:emea", "updated_at", std::to_string(since)});
  RedisSink rival(config_of(server_), holder("two:/state"));
  EXPECT_EQ(open(rival).size(), 1U);
}

TEST_F(RedisFaults, TheFirstMaterializedBatchMakesTheCursorOurs) {
  server_.run({"HSET",
               "crm:cursor:emea",
               "ledger",
               "OTHER",
               "holder",
               "gone:/x",
               "epoch",
               "4",
               "rev",
               "5000",
               "updated_at",
               "1000"});
  RedisSink sink(config_of(server_), holder());
  const auto cursors = open(sink);
  EXPECT_EQ(cursors.at(0).ledger, "OTHER");
  EXPECT_EQ(cursors.at(0).rev, Rev(5000));
  EXPECT_EQ(cursors.at(0).epoch, 5U);
  must(write(sink, {{.op = Op::Read, .rev = 6000}}, Mode::Materialize));
  must(sink.idle());
  EXPECT_EQ(server_.hash("crm:cursor:emea")["ledger"], "LEDGER1");
  EXPECT_EQ(cursor_rev(), "6000");
}

TEST_F(RedisFaults, AFlushedServerIsSeenByTheNextWriteAndHeals) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  must(write(sink, {{.rev = 8}}));
  server_.run({"FLUSHALL"});
  const auto lost = write(sink, {{.rev = 9}});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::Transient);
  EXPECT_EQ(lost.error().code, "CURSOR");
  const auto cursors = open(sink);
  EXPECT_EQ(cursors.at(0).rev, Rev(0));
  EXPECT_EQ(cursors.at(0).ledger, "");
  must(write(sink, {{.op = Op::Read, .rev = 9, .refs = {{"account", kAcme}}}}, Mode::Materialize));
  EXPECT_EQ(server_.hash(kAnnKey)["j@"], "9");
}

TEST_F(RedisFaults, AnOlderCopyIsSeenAndReadOnFromItsOwnCursor) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  must(sink.idle());
  server_.run({"SAVE"});
  server_.keep_dump();
  must(write(sink, {{.rev = 8}}));
  must(sink.idle());
  server_.kill();
  server_.restore_dump();
  const auto dead = write(sink, {{.rev = 9}});
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().kind, ErrorKind::Transient);
  server_.start();
  const auto cursors = open(sink);
  EXPECT_EQ(cursors.at(0).rev, Rev(7));
  must(write(sink, {{.rev = 8}, {.rev = 9}}));
  must(sink.idle());
  EXPECT_EQ(cursor_rev(), "9");
}

TEST_F(RedisFaults, ACursorThatWentBackUnderALiveConnectionIsSeen) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  must(sink.idle());
  server_.run({"HSET", "crm:cursor:emea", "rev", "3"});  // as a failover behind a proxy would
  const auto back = write(sink, {{.rev = 8}});
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, "CURSOR");
  EXPECT_EQ(open(sink).at(0).rev, Rev(3));
}

TEST_F(RedisFaults, ALostWriteIsSeenThoughTheCursorStandsWhereItStood) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  must(sink.idle());
  must(write(sink, {{.rev = 8}}));
  server_.run({"HSET", "crm:cursor:emea", "highest", "7"});  // a failover to before that write
  const auto back = write(sink, {{.rev = 9}});
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, "CURSOR");
  EXPECT_EQ(open(sink).at(0).rev, Rev(7)) << "so it is written again";
}

TEST_F(RedisFaults, RecordsThatAFencedOneLeftBehindAreSeenByTheNextWrite) {
  RedisSink loser(config_of(server_), holder("one"));
  open(loser);
  server_.run({"HSET", "crm:cursor:emea", "updated_at", "1000"});
  RedisSink winner(config_of(server_), holder("two"));
  EXPECT_EQ(open(winner).at(0).highest, Rev(0));
  must(write(winner, {{.rev = 5}}));
  const auto late = write(loser, {{.rev = 9}});
  EXPECT_EQ(late.error().code, "FENCED");
  ASSERT_EQ(server_.hash(kAnnKey)["j@"], "9");
  const auto seen = write(winner, {{.rev = 6}});
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, "CURSOR");
  EXPECT_EQ(open(winner).at(0).highest, Rev(9));
  must(write(winner, {{.rev = 10}}));
}

TEST_F(RedisFaults, AFullServerIsTransientAndLosesNothing) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  must(write(sink, {entry(7)}));
  server_.run({"CONFIG", "SET", "maxmemory", "1"});
  const auto full = write(sink, {{.rev = 8}});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::Transient);
  EXPECT_EQ(full.error().code, "OOM");
  server_.run({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(cursor_rev(), "nil");
  must(write(sink, {{.rev = 8}}));
  must(sink.idle());
  EXPECT_EQ(cursor_rev(), "8");
}

TEST_F(RedisFaults, LostFunctionsComeBackByReopening) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  server_.run({"FUNCTION", "FLUSH"});
  const auto lost = write(sink, {entry(7)});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::Transient);
  open(sink);
  must(write(sink, {entry(7)}));
}

TEST_F(RedisFaults, AForeignKeyInTheWayRejectsItsRecordAlone) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  server_.run({"SET", kAnnKey, "mine"});
  const auto refused = write(sink, {entry(7)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Rejected);
  EXPECT_THAT(refused.error().message, HasSubstr("headwater_put: WRONGTYPE"));
  must(write(sink, {{.op = Op::Create, .id = "0035f00000ABCDfAAP", .rev = 8}}));
}

TEST_F(RedisFaults, AForeignKeyInTheFeedsPlaceIsToldAsAFailure) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  server_.run({"SET", "crm:feed", "mine"});
  const auto untold = write(sink, {entry(7)});
  ASSERT_FALSE(untold);
  EXPECT_THAT(untold.error().message, HasSubstr("headwater_feed: WRONGTYPE"));
}

TEST_F(RedisFaults, ADeadServerIsTransientWithItsAddress) {
  RedisSink sink(config_of(server_), holder());
  open(sink);
  server_.kill();
  const auto dead = write(sink, {entry(7)});
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().kind, ErrorKind::Transient);
  const std::array<std::string, 1> orgs{"emea"};
  const auto refused = sink.open(orgs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Transient);
  EXPECT_EQ(refused.error().message,
            "redis 127.0.0.1:" + std::to_string(server_.port()) +
                ": connect: Connection refused; reconnecting");
}

TEST_F(RedisFaults, ASilentServerIsGivenUpAtTheTimeout) {
  auto config = config_of(server_);
  config.timeout = Millis(200);
  RedisSink sink(config, holder());
  open(sink);
  server_.run({"CLIENT", "PAUSE", "60000", "ALL"});
  const auto silent = write(sink, {entry(7)});
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().kind, ErrorKind::Transient);
  EXPECT_THAT(silent.error().message, HasSubstr("no answer within the timeout"));
}

TEST_F(RedisFaults, EachCallHasTheWholeTimeoutHoweverOldTheConnectionIs) {
  const Millis timeout{500};
  auto client = Client::connect(config_of(server_).endpoint, timeout);
  ASSERT_TRUE(client);
  const auto now = [] { return SystemClock().monotonic_ms(); };
  const std::int64_t opened = now();
  std::int64_t asked = opened;
  while (asked <= opened + timeout.count()) {
    asked = now();
    const auto reply = client->run({"PING"});
    if (reply) continue;
    // Given up: only after all of the time, as on a machine that stood still.
    ASSERT_GE(now() - asked, timeout.count()) << reply.error().message;
    break;
  }
}

TEST_F(RedisFaults, EveryOrgHasACursorOfItsOwn) {
  RedisSink sink(config_of(server_), holder());
  const std::array<std::string, 2> orgs{"emea", "apac"};
  ASSERT_TRUE(sink.open(orgs));
  const std::array<CursorMove, 2> moves{CursorMove{"emea", Rev(5), 0},
                                        CursorMove{"apac", Rev(9), 0}};
  must(sink.write({{}, moves, Mode::Follow}));
  must(write(sink, {entry(10)}));  // emea alone
  must(sink.idle());
  EXPECT_EQ(cursor_rev(), "10");
  EXPECT_EQ(server_.run({"HGET", "crm:cursor:apac", "rev"}), "9");
}

TEST(RedisCluster, NoCallSpansTwoSlots) {
  RedisServer server({"--cluster-enabled", "yes"});
  server.run({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  RedisConfig config;
  config.endpoint = Endpoint::parse(server.url()).value();
  RedisSink sink(config, {"LEDGER1", "machine:/state"});
  const std::array<std::string, 1> orgs{"emea"};
  // A new cluster is down for a moment: the sink would back off and try again, and so do we.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto cursors = sink.open(orgs);
  while (!cursors && cursors.error().kind == ErrorKind::Transient &&
         std::chrono::steady_clock::now() < deadline) {
    cursors = sink.open(orgs);
  }
  ASSERT_TRUE(cursors) << cursors.error().message;
  EntryMaker maker;
  for (const auto* id : {"0035f00000ABCDeAAP", "0035f00000ABCDfAAP", "0035f00000ABCDgAAP"}) {
    maker.add({.op = Op::Create,
               .id = id,
               .rev = static_cast<std::uint64_t>(maker.entries().size()) + 1,
               .refs = {{"account", kAcme}, {"reports_to", kBolt}}});
  }
  const CursorMove move{"emea", Rev(3), 0};
  const auto written = sink.write({maker.entries(), {&move, 1}, Mode::Materialize});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_TRUE(sink.idle());
  EXPECT_EQ(server.run({"ZCARD", "crm:{" + kAcme + "}:rel:account"}), "3");
}

class RedisPassword : public ::testing::Test {
 protected:
  RedisPassword() : server_({"--requirepass", "right"}) {}
  void password(const std::string& text) {
    const auto path = server_.folder() / "password";
    std::ofstream(path) << text << "\n";
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  RedisServer server_;
};

TEST_F(RedisPassword, WrongMissingAndThenRight) {
  RedisConfig config;
  config.endpoint = Endpoint::parse(server_.url()).value();
  const std::array<std::string, 1> orgs{"emea"};
  {
    RedisSink sink(config, {"LEDGER1", "machine:/state"});
    const auto none = sink.open(orgs);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::Blocked);
    EXPECT_THAT(none.error().message, HasSubstr("NOAUTH"));
    EXPECT_THAT(none.error().message, HasSubstr("set password_file"));
  }
  config.password_file = (server_.folder() / "password").string();
  RedisSink sink(config, {"LEDGER1", "machine:/state"});
  EXPECT_EQ(sink.open(orgs).error().kind, ErrorKind::Blocked);  // no such file
  password("wrong");
  const auto wrong = sink.open(orgs);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(wrong.error().code, "WRONGPASS");
  password("right");  // read again, no restart
  EXPECT_TRUE(sink.open(orgs));
}

}  // namespace
}  // namespace headwater::redis
