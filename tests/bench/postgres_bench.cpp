// What a batch costs: rendering alone, and whole writes through the sink, against COPY of the same
// rows on the same server (the rate that no upsert can reach). Read ratios, not rates.
//
//   postgres_bench --benchmark_counters_tabular=true
//
// client_us: CPU time of this thread per entry, libpq included; server_us: of the server's process
// for this connection.

#include <benchmark/benchmark.h>
#include <libpq-fe.h>
#include <time.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <memory>
#include <random>

#include "connectors/postgres/render.hpp"
#include "connectors/postgres/sink.hpp"
#include "schemas/core/assert.hpp"
#include "tests/support/postgres_server.hpp"

namespace headwater::postgres {
namespace {

constexpr std::size_t kRecords = 100'000;

double thread_cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// CPU time of the server's process that serves the sink.
double backend_cpu_us(const test::PostgresServer& server) {
  const std::string pid =
      server.run("select pid from pg_stat_activity where application_name = 'headwater'");
  std::ifstream file("/proc/" + pid + "/stat");
  std::string word;
  double ticks = 0;
  for (int i = 1; file >> word; ++i) {
    if (i == 14 || i == 15)
      ticks += std::stod(word);  // user, system; the name in field 2 of a backend
  }
  return ticks * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

TablePlan contact_plan() {
  TablePlan plan{"contact", "contact", {}};
  for (const char* name : {"email",
                           "phone",
                           "mobile",
                           "title",
                           "department",
                           "first_name",
                           "last_name",
                           "lead_source"}) {
    plan.columns.push_back({name, ColumnType::Text, name, false});
  }
  plan.columns.push_back({"account_id", ColumnType::Id, "account_id", true});
  plan.columns.push_back({"birthdate", ColumnType::Date, "birthdate", false});
  plan.columns.push_back({"mailing_address", ColumnType::Jsonb, "mailing_address", false});
  plan.columns.push_back({"score", ColumnType::Numeric, "score", false});
  return plan;
}

std::vector<TablePlan> plans() { return {contact_plan(), custom_record_plan()}; }

/// Contacts with 16 fields and 2 lookups, about 700 bytes as JSON, in random key order.
class Contacts {
 public:
  Contacts() {
    std::mt19937_64 random(7);
    for (std::size_t i = 0; i < kRecords; ++i) {
      std::string id = std::to_string(random() % 1'000'000'000'000);
      ids_.push_back("003" + std::string(12 - std::min<std::size_t>(12, id.size()), '0') + id +
                     "AAA");
      rkeys_.push_back("emea:Contact:" + ids_.back());
    }
  }

  const EntryView& entry(std::size_t number, std::uint64_t rev, Op op) {
    const std::size_t i = number % kRecords;
    if (i >= members_.size()) members_.push_back(make_members(i));
    EntryView& e = entry_;
    e.op = op;
    e.rkey = rkeys_[i];
    e.org = "emea";
    e.object = "Contact";
    e.id = ids_[i];
    e.entity = "contact";
    e.bu = "uk";
    e.meta = {Rev{rev},
              {1, static_cast<std::int64_t>(rev), 1, 0},
              1'772'366'400'000,
              rev * 0x9e3779b97f4a7c15,
              7,
              true,
              false,
              {},
              {}};
    e.has_before = op == Op::Update;
    e.sort_at = e.before_sort_at = 1'700'000'000'000;
    e.after = {&names_, {members_[i].fields, members_[i].extra, {}, members_[i].refs}};
    return e;
  }

 private:
  struct Sections {
    std::vector<Member> fields, extra, refs;
  };
  Sections make_members(std::size_t i) {
    const auto member = [&](const char* name, const ValueView& value) {
      return Member{names_.intern(name), value};
    };
    const auto text = [&](std::string value) {
      return ValueView::of_text(texts_.emplace_back(std::move(value)));
    };
    const std::string n = std::to_string(i);
    const std::string account = "0015f00002JU" + std::to_string(100 + i % 800) + "AAP";
    return {
        {member("account_id", text(account)),
         member("birthdate", ValueView::of_number(7'000, Tag::Date)),
         member("created_at", ValueView::of_number(1'700'000'000'000, Tag::DateTime)),
         member("currency", text("GBP")),
         member("department", text("Finance")),
         member("email", text("person" + n + "@company.example")),
         member("first_name", text("Person")),
         member("last_name", text("Number " + n)),
         member("lead_source", text("Web")),
         member(
             "mailing_address",
             ValueView::of_text(
                 texts_.emplace_back(
                     R"({"city":"London","country":"GB","postal_code":"EC1A 1BB","street":"1 High Street"})"),
                 Tag::Json)),
         member("mobile", text("+447700900123")),
         member("name", text("Person Number " + n)),
         member("owner_id", text("0055f000005mc66AAA")),
         member("phone", text("+442079460000")),
         member("score", ValueView::decimal(41.5)),
         member("title", text("Director")),
         member("updated_at", ValueView::of_number(1'772'366'400'000, Tag::DateTime))},
        {member("Region_Code__c", text("EMEA-7")), member("Tier__c", text("Gold"))},
        {member("account", text("emea:Account:" + account)),
         member("owner", text("emea:User:0055f000005mc66AAA"))}};
  }

  NameTable names_;
  std::deque<std::string> texts_;
  std::deque<Sections> members_;
  std::vector<std::string> ids_, rkeys_;
  EntryView entry_;
};

Contacts& contacts() {
  static Contacts all;
  return all;
}

void render(benchmark::State& state) {
  Renderer renderer(plans());
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<EntryView> entries;
  for (std::size_t i = 0; i < size; ++i) entries.push_back(contacts().entry(i, i + 1, Op::Create));
  std::vector<const EntryView*> pointers;
  for (const EntryView& entry : entries) pointers.push_back(&entry);
  for (auto _ : state) benchmark::DoNotOptimize(renderer.render(pointers).ok());
  state.SetItemsProcessed(static_cast<std::int64_t>(size) * state.iterations());
}
BENCHMARK(render)->Arg(1)->Arg(100)->Arg(1000);

/// Writes every contact once per iteration: the first time inserts, then updates.
void upsert(benchmark::State& state, Op op) {
  test::PostgresServer server;
  PostgresConfig config;
  config.url = server.url();
  PostgresSink sink(config, {"01LEDGER", "bench"}, "postgres", plans());
  const std::vector<std::string> orgs{"emea"};
  HEADWATER_ASSERT(sink.open(orgs).ok());
  const auto size = static_cast<std::size_t>(state.range(0));
  std::uint64_t rev = 0;
  std::vector<EntryView> entries;
  double cpu_us = 0;
  const auto write_all = [&](Op with) {
    for (std::size_t from = 0; from < kRecords; from += size) {
      entries.clear();
      for (std::size_t i = 0; i < size; ++i)
        entries.push_back(contacts().entry(from + i, ++rev, with));
      const CursorMove move{"emea", Rev{rev}, 1'772'366'400'000};
      const double before = thread_cpu_us();
      const auto done = sink.write({entries, {&move, 1}, Mode::Follow});
      cpu_us += thread_cpu_us() - before;
      HEADWATER_ASSERT(done.ok());
    }
  };
  if (op == Op::Update) write_all(Op::Create);
  cpu_us = 0;
  const double server_before_us = backend_cpu_us(server);
  for (auto _ : state) write_all(op);
  const auto written = static_cast<double>(kRecords) * static_cast<double>(state.iterations());
  state.counters["client_us"] = cpu_us / written;
  state.counters["server_us"] = (backend_cpu_us(server) - server_before_us) / written;
  state.SetItemsProcessed(static_cast<std::int64_t>(written));
}
BENCHMARK_CAPTURE(upsert, insert, Op::Create)
    ->Arg(100)
    ->Arg(1000)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(upsert, update, Op::Update)
    ->Arg(1000)
    ->Iterations(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// The rival: the same rows, made by the server itself, go out and in again by COPY into a table
/// with the same columns and indexes.
void copy(benchmark::State& state) {
  test::PostgresServer server;
  PostgresConfig config;
  config.url = server.url();
  PostgresSink sink(config, {"01LEDGER", "bench"}, "postgres", plans());
  const std::vector<std::string> orgs{"emea"};
  HEADWATER_ASSERT(sink.open(orgs).ok());
  std::vector<EntryView> entries;
  for (std::size_t i = 0; i < kRecords; ++i)
    entries.push_back(contacts().entry(i, i + 1, Op::Create));
  const CursorMove move{"emea", Rev{kRecords}, 0};
  HEADWATER_ASSERT(sink.write({entries, {&move, 1}, Mode::Follow}).ok());
  sink.close();
  const std::unique_ptr<PGconn, decltype(&PQfinish)> pg(
      PQconnectdb((server.url() + " application_name=headwater").c_str()), &PQfinish);
  const auto run = [&](const char* sql) { PQclear(PQexec(pg.get(), sql)); };
  run("copy crm.contact to stdout (format binary)");
  std::deque<std::string> rows;
  char* data = nullptr;
  for (int size = 0; (size = PQgetCopyData(pg.get(), &data, 0)) > 0; PQfreemem(data)) {
    rows.emplace_back(data, static_cast<std::size_t>(size));
  }
  PQclear(PQgetResult(pg.get()));
  double server_us = 0;
  for (auto _ : state) {
    state.PauseTiming();
    run("truncate crm.contact");
    server_us -= backend_cpu_us(server);
    state.ResumeTiming();
    run("copy crm.contact from stdin (format binary)");
    for (const std::string& row : rows)
      PQputCopyData(pg.get(), row.data(), static_cast<int>(row.size()));
    PQputCopyEnd(pg.get(), nullptr);
    PQclear(PQgetResult(pg.get()));
    PQclear(PQgetResult(pg.get()));
    server_us += backend_cpu_us(server);
  }
  state.counters["server_us"] =
      server_us / (static_cast<double>(kRecords) * static_cast<double>(state.iterations()));
  HEADWATER_ASSERT(server.run("select count(*) from crm.contact") == std::to_string(kRecords));
  state.SetItemsProcessed(static_cast<std::int64_t>(kRecords) * state.iterations());
}
BENCHMARK(copy)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace headwater::postgres
