// A sink loop on a real Postgres that refuses: is the row at fault or the server? The loop's clock
// is the test's, so that sixty seconds take none.

#include "connectors/postgres/sink.hpp"
#include "daemon/pipeline/sink_loop.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using observe::PartState;
using test::account;

class PostgresRefusals : public test::PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    sql("create role writer login; create schema crm authorization writer");
    config.url = server.url_for("writer");
    loop.emplace(
        SinkLoop::Parts{"postgres",
                        {"emea"},
                        [this](const std::string& ledger_id) {
                          return std::make_unique<postgres::PostgresSink>(
                              config,
                              Holder{ledger_id, "machine-1:/var/lib/headwater"},
                              "postgres",
                              std::vector<postgres::TablePlan>{{"account", "account", {}},
                                                               postgres::custom_record_plan()});
                        },
                        *ledger,
                        clock,
                        part,
                        metrics});
    create_accounts(1, 5);
    run();
    ASSERT_EQ(part.state(), PartState::Ok) << part.snapshot().sentence;
  }
  void TearDown() override { loop->stop(); }

  /// Until it waits for longer than a moment. Tells whether it was green on the way.
  bool run() {
    bool green = false;
    for (int i = 0; i < 10'000; ++i) {
      const Step step = loop->step();
      green = green || part.state() == PartState::Ok;
      if (step.next == Step::Next::Again) continue;
      if (step.next == Step::Next::Done || step.until_ms - clock.ms > 1'000) return green;
      clock.ms = step.until_ms;
    }
    ADD_FAILURE() << "the loop does not come to rest";
    return green;
  }
  bool run_a_minute_later() {
    clock.ms += 60'000;
    return run();
  }
  std::string sql(const std::string& text) { return server.run(text); }
  /// The postmaster reads its file when the signal arrives, and passes the signal on before it
  /// serves another connection: once a new one has the value, the sink's has it at its next
  /// statement.
  void set_read_only(bool on) {
    sql(on ? "alter system set default_transaction_read_only = on"
           : "alter system reset default_transaction_read_only");
    sql("select pg_reload_conf()");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (sql("show default_transaction_read_only") != (on ? "on" : "off")) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline)
          << "the server's file is not read again";
    }
  }
  std::string names() { return sql("select count(*) from crm.account"); }
  void expect_red(const std::string& text) {
    EXPECT_EQ(part.state(), PartState::Blocked);
    EXPECT_NE(part.snapshot().sentence.find(text), std::string::npos) << part.snapshot().sentence;
    EXPECT_EQ(ledger->quarantine_open(), 0U);
  }

  test::PostgresServer server;
  postgres::PostgresConfig config;
  observe::Part& part = health.add("sink postgres", Millis(60'000));
  std::optional<SinkLoop> loop;
};

TEST_F(PostgresRefusals, ATableThatRefusesEverythingIsBrokenAndNothingGoesToQuarantine) {
  sql("alter table crm.account add constraint nothing check (false) not valid");
  create_accounts(6, 300);
  run();
  expect_red("a check constraint is violated");
  expect_red(
      "Account records that the target holds already are refused as well, so it is the target and "
      "not the change: mend what refuses them; nothing goes to quarantine, tried again every 60 s");
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(run_a_minute_later()) << "green for a moment at the reopen";
    expect_red("a check constraint is violated");
  }
  sql("alter table crm.account drop constraint nothing");
  run_a_minute_later();
  EXPECT_EQ(part.state(), PartState::Ok);
  EXPECT_EQ(names(), "300");
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

TEST_F(PostgresRefusals, ARunOfRefusedRowsGoesToQuarantineAndComesBackByRetryOrByItself) {
  sql("alter table crm.account add constraint no_n check (name not like 'N6_') not valid");
  create_accounts(6, 100);  // N60 to N69 are refused
  run();
  EXPECT_EQ(part.state(), PartState::Ok);
  EXPECT_EQ(names(), "90");
  ASSERT_EQ(ledger->quarantine_open(), 10U);
  EXPECT_EQ(sql("select count(*) from crm.quarantine"), "10");

  // Refused again, it is counted, and the mirror says so.
  std::string said;
  const auto ask = [&](const ledger::QuarantineRow& row) {
    RetryRequest request{row, "alice", [&](const Result<std::string>& what) {
                           said = what ? *what : what.error().message;
                         }};
    ASSERT_TRUE(loop->try_again(request));
    loop->step();
    run();
  };
  const auto row = ledger->quarantined().at(0);
  ask(row);
  EXPECT_TRUE(said.starts_with("refused again: postgres:")) << said;
  EXPECT_EQ(said.find("N6"), std::string::npos) << "no field value";
  EXPECT_EQ(sql("select attempts from crm.quarantine where record_id = '" + row.id + "'"), "2");

  sql("alter table crm.account drop constraint no_n");
  ask(row);
  EXPECT_TRUE(said.starts_with("postgres accepted rev")) << said;
  EXPECT_EQ(sql("select name like 'N6_' from crm.account where id = '" + row.id + "'"), "t");
  EXPECT_EQ(sql("select count(*) from crm.quarantine"), "9");

  // The others come back with their next change.
  std::vector<test::AccountEvent> changes;
  for (int i = 60; i <= 69; ++i) changes.push_back({account(i), 1'000 + i, "changed", false});
  apply(changes);
  run();
  EXPECT_EQ(names(), "100");
  EXPECT_EQ(ledger->quarantine_open(), 0U);
  EXPECT_EQ(sql("select count(*) from crm.quarantine"), "0");
}

TEST_F(PostgresRefusals, AMissingPrivilegeIsRedWithItsRemedyAndMendsByItself) {
  sql("alter table crm.account owner to postgres");
  create_accounts(6, 10);
  run();
  expect_red("all rights on its tables");
  EXPECT_FALSE(run_a_minute_later()) << "green for a moment at the reopen";
  expect_red("(42501)");
  sql("alter table crm.account owner to writer");
  run_a_minute_later();
  EXPECT_EQ(part.state(), PartState::Ok) << part.snapshot().sentence;
  EXPECT_EQ(names(), "10");
}

TEST_F(PostgresRefusals, AServerThatStaysReadOnlyTurnsRedAndMendsByItself) {
  set_read_only(true);
  create_accounts(6, 10);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(run_a_minute_later());
  expect_red("let url name the primary, or make the server writable");
  set_read_only(false);
  run_a_minute_later();
  EXPECT_EQ(part.state(), PartState::Ok) << part.snapshot().sentence;
  EXPECT_EQ(names(), "10");
}

}  // namespace
}  // namespace headwater
