#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/mapping_file.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/memory_store.hpp"
#include "schemas/model/render.hpp"

namespace headwater::ledger {

class TestClock final : public Clock {
 public:
  std::int64_t now_us() const override { return us; }
  std::int64_t monotonic_ms() const override { return us / 1000; }
  std::int64_t us = 1'772'366'400'000'000;  // 2026-03-01T12:00:00Z
};

inline std::shared_ptr<const crm::Mapping> mapping_of(const std::string& text = {}) {
  config::Problems problems;
  std::vector<config::MappingText> files;
  if (!text.empty()) files.push_back({"mapping.yaml", "version: 1\nmapping_rev: 7\n" + text});
  auto mapping = config::parse_mapping(files, problems);
  EXPECT_EQ(problems.str(), "");
  return mapping;
}

/// Fields by name; nothing = null, `@20000` = the date so many days after 1970-01-01.
using Fields = std::map<std::string, std::optional<std::string>>;

/// An event as a test tells it; owns all that its view borrows.
struct Event {
  ChangeType type = ChangeType::Update;
  std::vector<std::string> ids;
  std::int64_t number = 1;
  EpochMs ts = 1'772'366'400'000;
  Fields fields;
  std::string object = "Account";
  std::uint64_t sequence = 1;
  Fields diffs;
};

inline const std::string kAcme = "0015f00002JUXA8AAP";
inline const std::string kOther = "0015f00002JUXA9AAP";

inline std::vector<Member> members_of(const Fields& fields, NameTable& names) {
  std::vector<Member> out;
  for (const auto& [name, value] : fields) {
    // `…Id` is a lookup, as in Salesforce.
    const bool refers = name.ends_with("Id") && value && value->size() == RecordId::kSize;
    const bool dated = value && value->starts_with('@');
    out.push_back({names.intern(name),
                   !value  ? ValueView::null()
                   : dated ? ValueView::of_number(std::stoll(value->substr(1)), Tag::Date)
                           : ValueView::of_text(*value, refers ? Tag::Ref : Tag::Text)});
  }
  std::ranges::sort(out, {}, &Member::name);
  return out;
}

/// A ledger over a disk that survives it.
class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open(std::shared_ptr<const crm::Mapping> mapping = mapping_of()) {
    ledger.reset();
    auto opened = Ledger::open(open_memory_store(disk), options, std::move(mapping), clock);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger = std::move(*opened);
  }
  void crash_and_open() {
    ledger.reset();
    disk->crash();
    open();
  }

  Result<Applied> try_apply(const std::vector<Event>& events,
                            std::optional<ReplayId> position = std::nullopt) {
    std::deque<std::vector<Member>> members;
    std::deque<std::vector<std::string_view>> ids;
    std::vector<EventView> views;
    for (const Event& event : events) {
      NameTable& names = ledger->names("emea", event.object);
      EventView view;
      view.type = event.type;
      view.entity = event.object;
      view.record_ids = ids.emplace_back(event.ids.begin(), event.ids.end());
      view.version.commit_number = event.number;
      view.version.sequence = event.sequence;
      view.commit_ts = event.ts;
      view.transaction_key = "tx";
      view.fields = members.emplace_back(members_of(event.fields, names));
      view.diffs = members.emplace_back(members_of(event.diffs, names));
      views.push_back(view);
    }
    IngestBatch batch;
    batch.stream = stream;
    batch.events = views;
    batch.position = std::move(position);
    return ledger->apply(batch);
  }
  Applied apply(const std::vector<Event>& events) {
    auto applied = try_apply(events, ReplayId("p"));
    EXPECT_TRUE(applied) << applied.error().message;
    return applied ? *applied : Applied{};
  }

  struct TestRow {
    std::string id;
    Fields fields;
    EpochMs stamp = 1'772'366'400'000;
    bool present = true;
    bool deleted = false;  ///< the org's own word
  };
  Applied apply_rows(const Version& noted,
                     const std::vector<TestRow>& rows,
                     const std::string& object = "Account") {
    std::deque<std::vector<Member>> members;
    std::vector<Row> views;
    NameTable& names = ledger->names("emea", object);
    for (const TestRow& row : rows) {
      Row view;
      view.id = *RecordId::parse(row.id);
      view.present = row.present;
      view.deleted = row.deleted;
      view.stamp = row.stamp;
      view.fields = members.emplace_back(members_of(row.fields, names));
      views.push_back(view);
    }
    RowBatch batch;
    batch.org = "emea";
    batch.object = object;
    batch.noted = noted;
    batch.rows = views;
    auto applied = ledger->apply_rows(batch);
    EXPECT_TRUE(applied) << applied.error().message;
    return applied ? *applied : Applied{};
  }

  /// The journal after a rev.
  std::span<const EntryView> entries(Rev after = {}) {
    entries_.clear();
    const auto ok = ledger->read(after, 1'000'000, 1U << 30, entries_);
    EXPECT_TRUE(ok) << ok.error().message;
    return entries_.entries();
  }
  std::string ops(Rev after = {}) {
    std::string out;
    for (const EntryView& entry : entries(after)) out.push_back(static_cast<char>(entry.op));
    return out;
  }
  /// A canonical field of a record's last entry or state.
  static std::string field(const EntryView& entry, std::string_view name) {
    const ValueView* value = entry.after.find(Section::Fields, name);
    if (value == nullptr) return "(none)";
    std::string out;
    append_json_value(out, *value);
    return out;
  }
  /// The record's JSON without its rev and version, empty if never seen.
  std::string image(const std::string& id, const std::string& object = "Account") {
    EntryBatch batch;
    const auto found = ledger->get({"emea", object, *RecordId::parse(id)}, batch);
    EXPECT_TRUE(found);
    if (!found || !*found) return {};
    const EntryView& entry = batch.entries()[0];
    std::string out = entry.meta.deleted ? "deleted " : "";
    if (entry.meta.complete) out += "complete ";
    append_hash_input(out, entry.bu, entry.meta.deleted ? entry.old : entry.after);
    return out;
  }

  /// Open holes but those of deletions, whose fate nobody asked for here.
  std::size_t doubts() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        ledger->holes(), [](const Hole& hole) { return hole.scope != Hole::Scope::Deletion; }));
  }

  TestClock clock;
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  LedgerOptions options;
  StreamKey stream{"emea", "/data/ChangeEvents"};
  std::unique_ptr<Ledger> ledger;
  EntryBatch entries_;
};

inline Event created(std::int64_t number, Fields fields, std::string id = kAcme) {
  Event event;
  event.type = ChangeType::Create;
  event.ids = {std::move(id)};
  event.number = number;
  event.ts += number * 1000;
  event.fields = std::move(fields);
  return event;
}
inline Event updated(std::int64_t number, Fields fields, std::string id = kAcme) {
  Event event = created(number, std::move(fields), std::move(id));
  event.type = ChangeType::Update;
  return event;
}
inline Event deleted(std::int64_t number, std::string id = kAcme) {
  Event event = created(number, {}, std::move(id));
  event.type = ChangeType::Delete;
  return event;
}

}  // namespace headwater::ledger
