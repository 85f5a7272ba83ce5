// Who may write, and what happens when the server does not answer as it should.

#include <filesystem>
#include <fstream>
#include <thread>

#include "connectors/postgres/connection.hpp"
#include "connectors/postgres/session.hpp"
#include "sink_fixture.hpp"

namespace headwater::postgres {
namespace {

using PostgresFence = SinkTest;

const std::string kOurs = "machine-1:/var/lib/headwater";
const std::string kTheirs = "machine-2:/var/lib/headwater";

TEST_F(PostgresFence, AFreshCursorIsEmptyAndOurOwnIsClaimedAgainAtOnce) {
  auto sink = make_sink();
  auto first = sink->open(orgs_);
  ASSERT_TRUE(first.ok()) << first.error().message;
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ((*first)[0].ledger, "");
  EXPECT_EQ((*first)[0].rev, Rev{0});
  EXPECT_EQ((*first)[0].epoch, 1U);
  must_write(*sink, {{.rev = 17}}, Mode::Materialize);

  auto again = make_sink()->open(orgs_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ((*again)[0].ledger, "01LEDGERA");
  EXPECT_EQ((*again)[0].rev, Rev{17});
  EXPECT_EQ((*again)[0].epoch, 2U);
}

TEST_F(PostgresFence, ARivalIsRefusedWhileTheHolderIsAlive) {
  auto ours = open_sink(kOurs);
  auto theirs = make_sink(kTheirs, "01LEDGERB");
  const auto refused = theirs->open(orgs_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_NE(refused.error().message.find("sink postgres, org emea: " + kOurs +
                                         " holds it and touched it "),
            std::string::npos)
      << refused.error().message;
  must_write(*ours, {{.rev = 3}});  // and the holder has not noticed
}

TEST_F(PostgresFence, ARefusalOfOneOrgClaimsNone) {
  auto ours = open_sink(kOurs);
  auto theirs = make_sink(kTheirs);
  const std::vector<std::string> both{"apac", "emea"};
  EXPECT_FALSE(theirs->open(both).ok());
  EXPECT_EQ(sql("select org from crm.cursor"), "emea");
}

TEST_F(PostgresFence, ATakeoverKeepsLedgerAndRevAndFencesTheLoserForGood) {
  auto ours = open_sink(kOurs);
  must_write(*ours, {{.rev = 40, .fields = {{"name", text("Ann")}}}});
  sql("update crm.cursor set updated_at = now() - interval '31 seconds'");
  auto theirs = make_sink(kTheirs, "01LEDGERB");
  auto claimed = theirs->open(orgs_);
  ASSERT_TRUE(claimed.ok()) << claimed.error().message;
  EXPECT_EQ((*claimed)[0].ledger, "01LEDGERA");
  EXPECT_EQ((*claimed)[0].rev, Rev{40});
  EXPECT_EQ((*claimed)[0].epoch, 2U);

  const auto late =
      write(*ours, {{.op = Op::Update, .rev = 41, .fields = {{"name", text("late")}}}});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::Fatal);
  EXPECT_NE(late.error().message.find("fenced: " + kTheirs + " has claimed the cursor"),
            std::string::npos)
      << late.error().message;
  EXPECT_EQ(sql("select name, rev from crm.contact"), "Ann|40");
  EXPECT_EQ(sql("select holder, rev from crm.cursor"), kTheirs + "|40");
  // It never claims again by itself, however long the winner is silent.
  sql("update crm.cursor set updated_at = now() - interval '1 day'");
  EXPECT_EQ(ours->open(orgs_).error().kind, ErrorKind::Fatal);
  EXPECT_EQ(write(*ours, {{.rev = 42}}).error().kind, ErrorKind::Fatal);
}

TEST_F(PostgresFence, ACursorThatIsGoneIsALostTargetAndNoRival) {
  auto ours = open_sink(kOurs);
  must_write(*ours, {{.rev = 40}});
  sql("delete from crm.cursor");
  const auto lost = write(*ours, {{.rev = 41}});
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().kind, ErrorKind::Transient) << lost.error().message;
  EXPECT_NE(lost.error().message.find("org emea is gone from the table cursor"), std::string::npos)
      << lost.error().message;
  const auto again = ours->open(orgs_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ((*again)[0].rev, Rev{0});
}

TEST_F(PostgresFence, AnOlderEpochOfOursIsATargetThatWasPutBack) {
  auto ours = open_sink(kOurs);
  must_write(*ours, {{.rev = 40}});
  ASSERT_TRUE(ours->open(orgs_).ok());  // epoch 2
  sql("update crm.cursor set epoch = 1, rev = 17");
  const auto lost = write(*ours, {{.rev = 41}});
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().kind, ErrorKind::Transient) << lost.error().message;
  const auto again = ours->open(orgs_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ((*again)[0].rev, Rev{17});
}

TEST_F(PostgresFence, AForeignLedgersCursorIsOursOnlyOnceItIsMaterialized) {
  { open_sink(kOurs)->close(); }
  sql("update crm.cursor set ledger = '01LEDGERA', rev = 40");
  auto sink = open_sink(kOurs, "01LEDGERB");
  ASSERT_TRUE(
      touch(*sink, 99).ok());  // silence must not age the cursor, nor make it look like ours
  EXPECT_EQ(sql("select ledger, rev from crm.cursor"), "01LEDGERA|40");
  EXPECT_EQ(write(*sink, {{.rev = 100}}).error().kind, ErrorKind::Fatal);
  must_write(*sink, {{.op = Op::Read, .rev = 90}}, Mode::Materialize);
  EXPECT_EQ(sql("select ledger, rev from crm.cursor"), "01LEDGERB|90");
  must_write(*sink, {{.op = Op::Update, .rev = 100}});
  EXPECT_EQ(sql("select ledger, rev from crm.cursor"), "01LEDGERB|100");
}

TEST_F(PostgresFence, AWrongOrMissingPasswordIsBlockedWithTheRemedy) {
  sql("create role writer login password 'right'; grant create on database postgres to writer");
  server_.require_password("writer");
  config_.url = server_.url_for("writer");
  const auto missing = make_sink()->open(orgs_);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(missing.error().message,
            "postgres: connect: the server wants a password and none is given (28P01); check the "
            "user in url and the "
            "password in password_file");

  config_.password_file = server_.folder() / "password";
  std::ofstream(config_.password_file) << "wrong\n";
  auto sink = make_sink();
  const auto wrong = sink->open(orgs_);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(wrong.error().code, "28P01");
  EXPECT_EQ(wrong.error().message.find("wrong"), std::string::npos) << wrong.error().message;
  // The file is read again: mending it is enough.
  std::ofstream(config_.password_file) << "right\n";
  const auto right = sink->open(orgs_);
  EXPECT_TRUE(right.ok()) << right.error().message;
}

TEST_F(PostgresFence, AMissingDatabaseOrPasswordFileIsBlocked) {
  config_.url = server_.url_for("postgres", "nowhere");
  auto refused = make_sink()->open(orgs_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(refused.error().code, "3D000");
  EXPECT_NE(refused.error().message.find("create the database, or correct url"), std::string::npos);
  config_.password_file = "/nowhere/password";
  EXPECT_EQ(make_sink()->open(orgs_).error().kind, ErrorKind::Blocked);
}

TEST_F(PostgresFence, AKilledServerIsTransientAndReopeningGoesOnWhereItWas) {
  auto sink = open_sink();
  must_write(*sink, {{.rev = 1, .fields = {{"name", text("Ann")}}}});
  server_.kill();
  const std::vector<EntrySpec> next{
      {.op = Op::Update, .rev = 2, .fields = {{"name", text("Ann Lee")}}}};
  EXPECT_EQ(write(*sink, next).error().kind, ErrorKind::Transient);
  EXPECT_EQ(write(*sink, next).error().kind, ErrorKind::Transient);
  EXPECT_EQ(sink->open(orgs_).error().kind, ErrorKind::Transient);
  server_.start();
  const auto cursors = sink->open(orgs_);
  ASSERT_TRUE(cursors.ok()) << cursors.error().message;
  EXPECT_EQ((*cursors)[0].rev, Rev{1});
  must_write(*sink, next);
  EXPECT_EQ(sql("select name, rev from crm.contact"), "Ann Lee|2");
}

TEST_F(PostgresFence, ATerminatedBackendIsTransient) {
  auto sink = open_sink();
  sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = "
      "'headwater'");
  EXPECT_EQ(write(*sink, {{.rev = 1}}).error().kind, ErrorKind::Transient);
}

TEST_F(PostgresFence, ALockThatIsNotGivenIsTransientAndNothingIsWritten) {
  config_.lock_timeout = Millis{50};
  auto sink = open_sink();
  // Someone else's transaction holds the table.
  auto other = Connection::open(server_.url(), Secret{}, Millis{10'000});
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other->run("begin; lock table crm.contact in share mode").ok());
  const auto done = write(*sink, {{.rev = 1}});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Transient);
  EXPECT_EQ(done.error().code, "55P03");
  ASSERT_TRUE(other->run("rollback").ok());
  EXPECT_EQ(sql("select rev from crm.cursor"), "0");
  ASSERT_TRUE(sink->open(orgs_).ok());
  must_write(*sink, {{.rev = 1}});
}

TEST_F(PostgresFence, AHolderThatIsPausedInATransactionKeepsNothingFromOthers) {
  auto sink = open_sink();
  config_.statement_timeout = Millis{100};
  auto paused = open_session(config_);
  ASSERT_TRUE(paused.ok()) << paused.error().message;
  ASSERT_TRUE(paused->run("begin; select from crm.cursor for update").ok());
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto waits = [&] {
    return sql("select count(*) from pg_stat_activity where state like 'idle in transaction%'");
  };
  while (waits() != "0" && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(waits(), "0") << "nobody else could write for as long as it sleeps";
  must_write(*sink, {{.rev = 1}});
}

TEST_F(PostgresFence, AServerThatStopsAnsweringIsTransientWithinTheDeadline) {
  auto connection = Connection::open(server_.url(), Secret{}, Millis{10'000});
  ASSERT_TRUE(connection.ok());
  connection->set_call_timeout(Millis{50});
  const auto asked = connection->query("select pg_sleep(60)");
  ASSERT_FALSE(asked.ok());
  EXPECT_EQ(asked.error().kind, ErrorKind::Transient);
  EXPECT_EQ(asked.error().message, "no answer within 50 ms");
  EXPECT_FALSE(connection->usable());
}

}  // namespace
}  // namespace headwater::postgres
