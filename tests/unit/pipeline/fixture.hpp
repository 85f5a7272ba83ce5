#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/mapping_file.hpp"
#include "connectors/salesforce/event_source.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/memory_store.hpp"
#include "daemon/observe/health.hpp"
#include "daemon/observe/metrics.hpp"
#include "tests/unit/avro/builder.hpp"

namespace headwater::test {

/// Time stands still unless a test moves it.
class ManualClock final : public Clock {
 public:
  std::int64_t now_us() const override { return ms * 1000; }
  std::int64_t monotonic_ms() const override { return ms; }
  std::int64_t ms = 1'772'366'400'000;  // 2026-03-01T12:00:00Z
};

inline const std::string kTopic = "/data/AccountChangeEvent";

inline std::string account(int number) {
  char base[16];
  std::snprintf(base, sizeof base, "0015f0000%06d", number);
  char suffix[3];
  id_suffix(base, suffix);
  return std::string(base) + std::string(suffix, 3);
}

/// An event of Account, which has two fields here.
struct AccountEvent {
  std::string id = account(1);
  std::int64_t number = 1;  ///< commit number; the commit is so many seconds after 12:00
  std::string name = "Acme";
  bool create = true;
};

inline std::string account_schema() {
  std::string text =
      avro::test::event_schema(R"({"name":"Name","type":["null","string"],"default":null},)"
                               R"({"name":"Industry","type":["null","string"],"default":null})");
  static constexpr std::string_view kName = "TestChangeEvent";
  return text.replace(text.find(kName), kName.size(), "AccountChangeEvent");
}

inline std::string encode(const AccountEvent& event) {
  avro::test::Bytes bytes;
  bytes.text("Account").texts({event.id}).number(event.create ? 0 : 1).text("").text("tx");
  bytes.number(1).number(1'772'366'400'000 + event.number * 1000).number(event.number);
  bytes.text("0055f000000000AAAA").texts({}).texts({});
  if (event.create) {
    bytes.texts({});
  } else {
    bytes.texts({"0x02"});  // Name
  }
  bytes.number(1).text(event.name).number(0);
  return bytes.out;
}

/// Says what the test wrote down, in order; then nothing.
class FakeSource final : public salesforce::EventSource {
 public:
  struct Event {
    std::string payload, replay_id;
    std::string schema_id = "schema-1";
  };
  struct Said {
    salesforce::Fetched::What what = salesforce::Fetched::What::Response;
    std::vector<Event> events = {};
    std::string latest = {};
    Error end = {};
  };
  struct Subscribed {
    salesforce::Start start;
    std::string position;
    std::size_t credit;
  };

  Result<void> subscribe(salesforce::Start start,
                         const ReplayId& position,
                         std::size_t credit) override {
    subscribed.push_back({start, position.bytes(), credit});
    asked = credit;
    if (refusal) return *refusal;
    return {};
  }
  void request(std::size_t events) override { asked += events; }
  void next(std::int64_t, salesforce::Fetched& out) override {
    out = {};
    if (script.empty()) return;
    now_ = std::move(script.front());
    script.pop_front();
    out.what = now_.what;
    out.latest_replay_id = now_.latest;
    out.end = now_.end;
    for (const Event& event : now_.events)
      out.events.push_back({event.payload, event.schema_id, event.replay_id, "uuid"});
    asked -= std::min(asked, now_.events.size());
  }
  void wake() override { ++woken; }
  void cancel() override { ++cancelled; }
  Result<std::string> fetch_schema(std::string_view) override {
    ++schema_calls;
    return schema;
  }

  void say(std::vector<Event> events) { script.push_back({.events = std::move(events)}); }
  void keep_alive(std::string latest) { script.push_back({.latest = std::move(latest)}); }
  void end(Error error) {
    script.push_back({.what = salesforce::Fetched::What::Ended, .end = std::move(error)});
  }

  std::deque<Said> script;
  std::vector<Subscribed> subscribed;
  std::size_t asked = 0;  ///< outstanding, as the server counts
  std::optional<Error> refusal;
  Result<std::string> schema = account_schema();
  int schema_calls = 0, cancelled = 0, woken = 0;

 private:
  Said now_;
};

/// A ledger in memory, a clock, and what every part reports to.
class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    ledger.reset();
    config::Problems problems;
    auto opened = ledger::Ledger::open(
        ledger::open_memory_store(disk), options, config::load_mapping({}, problems), clock);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger = std::move(*opened);
  }

  /// Puts changes of accounts into the ledger, each an entry.
  void apply(const std::vector<AccountEvent>& events, const std::string& org = "emea") {
    NameTable& names = ledger->names(org, "Account");
    std::deque<std::string_view> ids;
    std::deque<Member> fields;
    std::vector<EventView> views;
    for (const AccountEvent& event : events) {
      EventView view;
      view.type = event.create ? ChangeType::Create : ChangeType::Update;
      view.entity = "Account";
      view.record_ids = {&ids.emplace_back(event.id), 1};
      view.version.commit_number = event.number;
      view.version.sequence = 1;
      view.commit_ts = 1'772'366'400'000 + event.number * 1000;
      view.fields = {&fields.emplace_back(names.intern("Name"), ValueView::of_text(event.name)), 1};
      views.push_back(view);
    }
    ledger::IngestBatch batch;
    batch.stream = {org, kTopic};
    batch.events = views;
    const auto applied = ledger->apply(batch);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  /// As many new accounts, one entry each.
  void create_accounts(int from, int to, const std::string& org = "emea") {
    std::vector<AccountEvent> events;
    for (int i = from; i <= to; ++i) events.push_back({account(i), i, "N" + std::to_string(i)});
    apply(events, org);
  }

  ManualClock clock;
  std::shared_ptr<ledger::MemoryDisk> disk = std::make_shared<ledger::MemoryDisk>();
  ledger::LedgerOptions options;
  std::unique_ptr<ledger::Ledger> ledger;
  observe::Metrics metrics;
  observe::Health health{clock};
};

}  // namespace headwater::test
