#include "schemas/model/entry.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "schemas/model/render.hpp"
#include "tests/support/example_event.hpp"

namespace headwater {
namespace {

struct Tables : NameTables {
  std::map<std::string, NameTable> by_object;
  NameTable& names(std::string_view org, std::string_view object) override {
    return by_object[std::string(org) + ":" + std::string(object)];
  }
};

struct Fixture {
  Tables tables;
  std::array<std::vector<Member>, kSections> members;
  EntryView entry;
  std::vector<NameId> changed;

  Fixture() {
    NameTable& names = tables.names("emea", "Contact");
    members[0] = {{names.intern("email"), ValueView::of_text("a@b.example")},
                  {names.intern("name"), ValueView::of_text("Ann")}};
    members[1] = {{names.intern("Score__c"), ValueView::decimal(1.5)}};
    members[3] = {{names.intern("account"), ValueView::of_text("emea:Account:0015f00002JUXA8AAP")}};
    changed = {names.intern("Email")};
    entry.rkey = "emea:Contact:0035f00000ABCDeAAP";
    entry.entity = "contact";
    entry.bu = entry.before_bu = "emea";
    entry.op = Op::Update;
    entry.meta = {Rev{5}, {1, 2, 3, 4000}, 4000, 77, 1, true, false, {}, {}};
    entry.before = {Rev{4}, {1, 1, 1, 3000}, 3000, 76, 1, true, false, {}, {}};
    entry.has_before = true;
    entry.ts_ms = 12345;
    entry.sort_at = 99;
    entry.after.names = entry.old.names = &names;
    for (std::size_t s = 0; s < kSections; ++s) entry.after.sections[s] = members[s];
    entry.old.sections[0] = std::span(members[0]).first(1);
    entry.changed_source = changed;
    entry.origin.type = ChangeType::Update;
    entry.origin.transaction_key = "tx";
    entry.origin.replay_id = std::string_view("\0\1\2", 3);
  }
};

TEST(Entry, ReadsWhatItWrites) {
  Fixture f;
  std::string bytes;
  put_entry(bytes, f.entry);
  EntryBatch batch;
  ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
  ASSERT_EQ(batch.entries().size(), 1U);
  const EntryView& read = batch.entries()[0];
  EXPECT_EQ(read.object, "Contact");
  EXPECT_EQ(read.id, "0035f00000ABCDeAAP");
  EXPECT_EQ(read.before.rev, Rev{4});
  EXPECT_EQ(read.sort_at, 99);
  EXPECT_FALSE(read.before_sort_at);
  // The envelope shows every other member; the same bytes mean the same entry.
  EntryView original = f.entry;
  original.org = "emea";
  original.object = "Contact";
  original.id = "0035f00000ABCDeAAP";
  EnvelopeWriter writer;
  std::string want, got;
  writer.append(want, original, {"1", "00D"});
  writer.append(got, read, {"1", "00D"});
  EXPECT_EQ(got, want);
  std::string again;
  put_entry(again, read);
  EXPECT_EQ(again, bytes);
}

TEST(Entry, EachMarkIsReadAsItsOwn) {
  using Mark = bool& (*)(EntryView&);
  static constexpr std::array<Mark, 6> kMarks{
      [](EntryView& e) -> bool& { return e.late; },
      [](EntryView& e) -> bool& { return e.purge; },
      [](EntryView& e) -> bool& { return e.meta.complete; },
      [](EntryView& e) -> bool& { return e.meta.deleted; },
      [](EntryView& e) -> bool& { return e.before.complete; },
      [](EntryView& e) -> bool& { return e.before.deleted; },
  };
  for (std::size_t set = 0; set < kMarks.size(); ++set) {
    Fixture f;
    for (std::size_t i = 0; i < kMarks.size(); ++i) kMarks[i](f.entry) = i == set;
    std::string bytes;
    put_entry(bytes, f.entry);
    EntryBatch batch;
    ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
    EntryView read = batch.entries()[0];
    for (std::size_t i = 0; i < kMarks.size(); ++i)
      EXPECT_EQ(kMarks[i](read), i == set) << "mark " << i << " where only " << set << " was set";
  }
}

TEST(Entry, AWinnerSaysOfWhomItIsMade) {
  Fixture f;
  f.entry.merged_from = "0035f00000ABCDeAAP0035f00000ABCDfAAP";
  f.entry.origin.type = ChangeType::Merge;
  std::string bytes;
  put_entry(bytes, f.entry);
  EntryBatch batch;
  ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
  std::string envelope;
  EnvelopeWriter().append(envelope, batch.entries()[0], {"1", "00D"});
  EXPECT_TRUE(envelope.ends_with(R"("merged_from":["0035f00000ABCDeAAP","0035f00000ABCDfAAP"]})"))
      << envelope;
  EXPECT_EQ(event_verb(batch.entries()[0]), "merged");
}

TEST(Entry, ViolationsCostNoByteWhereThereAreNone) {
  Fixture f;
  NameTable& names = f.tables.names("emea", "Contact");
  std::string plain, bytes, violations;
  put_entry(plain, f.entry);
  EXPECT_EQ(plain[0], 1) << "what builds before them read";
  put_varint(violations, names.intern("email"));
  f.entry.meta.violations = violations;
  put_entry(bytes, f.entry);
  EXPECT_EQ(bytes.size(), plain.size() + 1 + violations.size());
  EntryBatch batch;
  ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
  std::string envelope;
  EnvelopeWriter().append(envelope, batch.entries()[0], {"1", "00D"});
  const std::string listed = R"("violations":[{"field":"email","rule":"transform_error"}]}})";
  EXPECT_NE(envelope.find(listed + R"(,"changed":)"), std::string::npos) << envelope;
  EXPECT_EQ(envelope.find(listed), envelope.rfind(listed)) << "the image before had none";

  f.entry.before.violations = violations;
  f.entry.meta.violations = {};
  bytes.clear();
  put_entry(bytes, f.entry);
  ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
  envelope.clear();
  EnvelopeWriter().append(envelope, batch.entries()[1], {"1", "00D"});
  EXPECT_NE(envelope.find(listed + R"(,"after":)"), std::string::npos) << envelope;
  EXPECT_EQ(envelope.find(listed), envelope.rfind(listed));
  std::string again;
  put_entry(again, batch.entries()[1]);
  EXPECT_EQ(again, bytes);
}

TEST(Entry, RetiredFieldsCostNoByteWhereThereAreNone) {
  Fixture f;
  NameTable& names = f.tables.names("emea", "Contact");
  std::string plain, bytes, retired, violations;
  put_entry(plain, f.entry);
  put_varint(retired, names.intern("Region__c"));
  put_varint(retired, names.intern("Tier__c"));
  put_varint(violations, names.intern("email"));
  f.entry.meta.retired = retired;
  put_entry(bytes, f.entry);
  EXPECT_EQ(bytes[0], 4) << "builds before them refuse it";
  EXPECT_EQ(bytes.size(), plain.size() + 1 + retired.size());
  f.entry.meta.violations = f.entry.before.violations = violations;
  bytes.clear();
  put_entry(bytes, f.entry);
  EntryBatch batch;
  ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
  std::string envelope, again;
  EnvelopeWriter().append(envelope, batch.entries()[0], {"1", "00D"});
  const std::string listed =
      R"("rule":"transform_error"}],"retired":["Region__c","Tier__c"]}},"changed":)";
  EXPECT_NE(envelope.find(listed), std::string::npos) << envelope;
  EXPECT_EQ(envelope.find("retired"), envelope.rfind("retired")) << "the image before had none";
  put_entry(again, batch.entries()[0]);
  EXPECT_EQ(again, bytes);

  f.entry.before.retired = retired;
  f.entry.meta.retired = {};
  bytes.clear();
  put_entry(bytes, f.entry);
  ASSERT_TRUE(batch.add(Rev{5}, bytes, f.tables));
  EXPECT_EQ(batch.entries()[1].before.retired, retired);
  EXPECT_EQ(batch.entries()[1].meta.retired, "");
}

TEST(Entry, RefusesDamagedBytes) {
  Fixture f;
  std::string bytes;
  put_entry(bytes, f.entry);
  EntryBatch batch;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(batch.add(Rev{5}, std::string_view(bytes).substr(0, size), f.tables)) << size;
  }
  EXPECT_FALSE(batch.add(Rev{5}, bytes + "x", f.tables));
  std::mt19937 random(7);
  for (int i = 0; i < 20'000;
       ++i) {  // whatever a byte becomes, it is read or refused, never run past
    std::string damaged = bytes;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    (void)batch.add(Rev{5}, damaged, f.tables).ok();
    if (i % 1000 == 0) batch.clear();
  }
}

TEST(Entry, BytesThatSayWhatNoEntrySaysAreRefused) {
  const auto accepted = [](auto spoil) {
    Fixture f;
    spoil(f.entry, f.members);
    std::string bytes;
    put_entry(bytes, f.entry);
    EntryBatch batch;
    return batch.add(Rev{5}, bytes, f.tables).ok();
  };
  EXPECT_TRUE(accepted([](EntryView&, auto&) {}));
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.op = Op::Delete; }))
      << "with an image after it";
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.op = static_cast<Op>('x'); }));
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.kind = static_cast<EntryKind>(4); }));
  EXPECT_FALSE(accepted([](EntryView&, auto& m) { m[1][0].value.real = std::nan(""); }));
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.meta.violations = "\x7f"; })) << "no name";
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.meta.violations = "\x80"; })) << "no number";
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.meta.retired = "\x7f"; })) << "no name";
  EXPECT_FALSE(accepted([](EntryView& e, auto&) { e.before.retired = "\x7f"; }));
  EXPECT_FALSE(accepted([](EntryView&, auto& m) { m[0][1].value = {Tag::Absent, 0, 0, {}}; }));
}

TEST(Entry, ANameThatTheTableDoesNotKnowIsRefused) {
  Fixture f;
  f.entry.after = f.entry.old = {};
  const auto next = static_cast<NameId>(f.tables.names("emea", "Contact").size());
  for (const auto& [name, known] : {std::pair{next - 1, true}, std::pair{next, false}}) {
    f.changed = {static_cast<NameId>(name)};
    f.entry.changed_source = f.changed;
    std::string bytes;
    put_entry(bytes, f.entry);
    EntryBatch batch;
    EXPECT_EQ(batch.add(Rev{5}, bytes, f.tables).ok(), known) << name << " of " << next;
  }
}

TEST(Entry, APlatformEventIsReadAsItWasWritten) {
  Tables tables;
  std::string bytes, again;
  EntryView want = test::example_event();
  want.origin.replay_id = std::string_view("\0\0\x17\x90", 4);
  put_entry(bytes, want);
  EntryBatch batch;
  ASSERT_TRUE(batch.add(Rev{8}, bytes, tables));
  const EntryView& read = batch.entries()[0];
  EXPECT_EQ(read.kind, EntryKind::Event);
  EXPECT_EQ(read.meta.rev, Rev{8});
  EXPECT_EQ(read.org, want.org);
  EXPECT_EQ(read.object, want.object);
  EXPECT_EQ(read.topic, want.topic);
  EXPECT_EQ(read.ts_ms, want.ts_ms);
  EXPECT_EQ(read.meta.commit_ts, want.meta.commit_ts);
  EXPECT_EQ(read.origin.commit_user, want.origin.commit_user);
  EXPECT_EQ(read.origin.replay_id, want.origin.replay_id);
  EXPECT_EQ(read.origin.event_uuid, want.origin.event_uuid);
  EXPECT_EQ(read.row, want.row);
  put_entry(again, read);
  EXPECT_EQ(again, bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(batch.add(Rev{8}, std::string_view(bytes).substr(0, size), tables)) << size;
  }
}

TEST(Entry, APlatformEventHasAFormatThatOlderBuildsRefuseByName) {
  Tables tables;
  std::string bytes;
  put_entry(bytes, test::example_event());
  EXPECT_EQ(bytes.front(), 2) << "format 1 is what a build without platform events reads";
  EntryBatch batch;
  bytes.front() = 1;
  EXPECT_FALSE(batch.add(Rev{8}, bytes, tables)) << "a kind that format 1 does not have";
  bytes.front() = 2;
  bytes[1] = 0;
  EXPECT_FALSE(batch.add(Rev{8}, bytes, tables)) << "no record has format 2";
}

TEST(Entry, ARefusedFormatNamesTheEntry) {
  Fixture f;
  EntryBatch batch;
  const auto result = batch.add(Rev{9}, "\x7f", f.tables);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message,
            "journal entry 9: unknown format; it was written by a newer build or is damaged");
}

}  // namespace
}  // namespace headwater
