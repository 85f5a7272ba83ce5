#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/postgres/sink.hpp"
#include "tests/support/postgres_server.hpp"

namespace headwater::postgres {

using Values = std::vector<std::pair<std::string, ValueView>>;

inline ValueView text(std::string_view value) { return ValueView::of_text(value); }

inline const std::string kAnn = "0035f00000ABCDeAAP";
inline const std::string kBob = "0035f00000FGHIjAAP";
inline const std::string kAcme = "0015f00002JUXA8AAP";
inline const std::string kBolt = "0015f00002JUXB1AAP";

/// What a test says of an entry; the rest is made up.
struct EntrySpec {
  Op op = Op::Create;
  std::string id = kAnn;
  std::uint64_t rev = 1;
  Values fields = {};
  Values extra = {};
  Values refs = {};
  Values old_refs = {};
  std::optional<EpochMs> sort_at = 0;
  std::optional<EpochMs> before_sort_at = 0;
  bool purge = false;
  std::string org = "emea";
  std::string object = "Contact";
  std::string entity = "contact";
  EpochMs commit_ts = 1'772'366'400'000;  ///< 2026-03-01T12:00:00Z
};

/// A contact table with a column of each type, an invoice table, and the rest in custom_record.
inline std::vector<TablePlan> some_plans() {
  return {{"contact",
           "contact",
           {{"email", ColumnType::Text, "email", true},
            {"account_id", ColumnType::Id, "account_id", true},
            {"birthdate", ColumnType::Date, "birthdate", false},
            {"mailing_address", ColumnType::Jsonb, "mailing_address", false},
            {"do_not_call", ColumnType::Bool, "do_not_call", false},
            {"visits", ColumnType::Bigint, "visits", false},
            {"score", ColumnType::Numeric, "score", false},
            {"seen_at", ColumnType::Timestamp, "seen_at", false},
            {"call_time", ColumnType::Time, "call_time", false},
            {"x_interests", ColumnType::TextArray, "interests", false}}},
          {"custom:Invoice__c",
           "custom_invoice__c",
           {{"x_total", ColumnType::Numeric, "total", false}}},
          custom_record_plan()};
}

/// A server and sinks on it. Tests write entries and read the tables back as a user would.
class SinkTest : public testing::Test {
 protected:
  std::unique_ptr<PostgresSink> make_sink(
      const std::string& holder = "machine-1:/var/lib/headwater",
      const std::string& ledger = "01LEDGERA") {
    return std::make_unique<PostgresSink>(config_, Holder{ledger, holder}, "postgres", plans_);
  }
  /// A sink that has opened; its cursors must be as a fresh schema or an own one gives them.
  std::unique_ptr<PostgresSink> open_sink(
      const std::string& holder = "machine-1:/var/lib/headwater",
      const std::string& ledger = "01LEDGERA") {
    auto sink = make_sink(holder, ledger);
    const auto cursors = sink->open(orgs_);
    EXPECT_TRUE(cursors.ok()) << (cursors.ok() ? "" : cursors.error().message);
    return sink;
  }

  const EntryView& entry(const EntrySpec& spec) {
    EntryView& e = views_.emplace_back();
    e.op = spec.op;
    e.rkey = keep(spec.org + ':' + spec.object + ':' + spec.id);
    e.org = keep(spec.org);
    e.object = keep(spec.object);
    e.id = keep(spec.id);
    e.entity = keep(spec.entity);
    e.bu = "uk";
    e.meta.rev = Rev{spec.rev};
    e.meta.version = {1, static_cast<std::int64_t>(spec.rev), 3, 0};
    e.meta.hash = 0x5b0e6f0c7d1a2e43;
    e.meta.mapping_rev = 7;
    e.meta.commit_ts = spec.commit_ts;
    e.meta.complete = true;
    e.meta.deleted = spec.op == Op::Delete;
    e.purge = spec.purge;
    e.sort_at = spec.sort_at;
    e.has_before = spec.op == Op::Update || spec.op == Op::Delete;
    e.before_sort_at = spec.before_sort_at;
    ImageView& image = spec.op == Op::Delete ? e.old : e.after;
    image = {&names_, {members(spec.fields), members(spec.extra), {}, members(spec.refs)}};
    if (spec.op == Op::Delete) {
      e.deleted_at = spec.commit_ts;
      e.delete_reason = "delete";
    } else {
      e.old = {&names_, {std::span<const Member>{}, {}, {}, members(spec.old_refs)}};
    }
    return e;
  }

  Result<void> write(PostgresSink& sink, std::vector<EntrySpec> specs, Mode mode = Mode::Follow) {
    std::vector<EntryView> entries;
    for (const EntrySpec& spec : specs) entries.push_back(entry(spec));
    const CursorMove move{"emea", entries.back().meta.rev, entries.back().meta.commit_ts};
    return sink.write({entries, {&move, 1}, mode});
  }
  void must_write(PostgresSink& sink, std::vector<EntrySpec> specs, Mode mode = Mode::Follow) {
    const auto done = write(sink, std::move(specs), mode);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  Result<void> touch(PostgresSink& sink, std::uint64_t rev, Mode mode = Mode::Follow) {
    const CursorMove move{"emea", Rev{rev}, 0};
    return sink.write({{}, {&move, 1}, mode});
  }

  std::string sql(const std::string& statement) const { return server_.run(statement); }
  std::string_view keep(std::string value) { return texts_.emplace_back(std::move(value)); }
  std::span<const Member> members(const Values& values) {
    auto& list = members_.emplace_back();
    for (const auto& [name, value] : values) {
      ValueView copy = value;
      copy.text = keep(std::string(value.text));
      list.push_back({names_.intern(name), copy});
    }
    return list;
  }

  test::PostgresServer server_;
  PostgresConfig config_ = [&] {
    PostgresConfig config;
    config.url = server_.url();
    return config;
  }();
  std::vector<TablePlan> plans_ = some_plans();
  std::vector<std::string> orgs_{"emea"};

 private:
  NameTable names_;
  std::deque<EntryView> views_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Member>> members_;
};

}  // namespace headwater::postgres
