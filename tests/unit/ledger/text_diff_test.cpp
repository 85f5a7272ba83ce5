#include <random>

#include "schemas/core/sha256.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

/// Ten lines; the hash of what a diff makes of them stands in it.
std::string text_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += (out.empty() ? "" : "\r\n") + line;
  return out;
}
std::string diff_of(std::vector<std::string> lines, std::size_t at, const std::string& line) {
  const std::string rows = "-" + lines[at] + "\n+" + line;
  lines[at] = line;
  return "---\n+++ " + sha256_hex(text_of(lines)) + "\n@@ -" + std::to_string(at + 1) + " +1 @@\n" +
         rows;
}
const std::vector<std::string> kLines{"alpha", "beta", "gamma"};

class TextDiffTest : public LedgerTest {
 protected:
  std::string description(const std::string& id = kAcme) {
    EntryBatch batch;
    const auto found = ledger->get({"emea", "Account", *RecordId::parse(id)}, batch);
    EXPECT_TRUE(found && *found);
    const ValueView* value = batch.entries()[0].after.find(Section::Fields, "description");
    return value == nullptr || value->is_null() ? "" : std::string(value->text);
  }
  static Event diffed(std::int64_t number, const std::string& diff) {
    Event event = updated(number, {{"LastModifiedDate", std::to_string(number)}});
    event.diffs = {{"Description", diff}};
    return event;
  }
};

TEST_F(TextDiffTest, ADiffIsAppliedToTheTextItWasMadeFrom) {
  apply({created(1, {{"Name", "A"}, {"Description", text_of(kLines)}})});
  const Rev before = ledger->head();
  apply({diffed(2, diff_of(kLines, 1, "beta two"))});
  EXPECT_EQ(description(), "alpha\r\nbeta two\r\ngamma");
  EXPECT_EQ(ledger->holes_open(), 0U);
  const auto told = entries(before);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].old.find(Section::Fields, "description")->text, text_of(kLines));
  EXPECT_EQ(told[0].changed_source.size(), 2U);
  crash_and_open();
  EXPECT_EQ(description(), "alpha\r\nbeta two\r\ngamma");
}

TEST_F(TextDiffTest, DiffsOfOneBatchBuildUponEachOther) {
  auto second = kLines;
  second[1] = "beta two";
  apply({created(1, {{"Description", text_of(kLines)}}),
         diffed(2, diff_of(kLines, 1, "beta two")),
         diffed(3, diff_of(second, 0, "alpha three"))});
  EXPECT_EQ(description(), "alpha three\r\nbeta two\r\ngamma");
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(TextDiffTest, ADiffForManyRecordsIsProvenForEach) {
  apply({created(1, {{"Description", text_of(kLines)}}),
         created(2, {{"Description", "something else"}}, kOther)});
  Event event = diffed(3, diff_of(kLines, 1, "beta two"));
  event.ids = {kAcme, kOther};
  apply({event});
  EXPECT_EQ(description(), "alpha\r\nbeta two\r\ngamma");
  EXPECT_EQ(description(kOther), "something else");
  const auto holes = ledger->holes();
  ASSERT_EQ(holes.size(), 1U);
  EXPECT_EQ(holes[0].cause + " " + holes[0].id, "diff " + kOther);
}

TEST_F(TextDiffTest, ADiffTwiceOrOlderThanWhatIsKnownIsNoDoubt) {
  const Event late = diffed(2, diff_of(kLines, 1, "beta two"));
  apply({created(1, {{"Description", text_of(kLines)}}), late});
  const Rev before = ledger->head();
  apply({late});
  EXPECT_EQ(ledger->head(), before);
  apply({updated(9, {{"Description", "all new"}})});
  apply({diffed(5, diff_of(kLines, 0, "alpha five"))});
  EXPECT_EQ(description(), "all new");
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(TextDiffTest, ADiffOfATextNeverSeenMakesTheRecordAskedFor) {
  apply({diffed(2, diff_of(kLines, 1, "beta two"))});
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "diff");
  EXPECT_EQ(description(), "");
}

/// A record's texts, one per event, told whole or as a diff of the one before.
struct Life {
  std::vector<Event> events;
  std::string last;
};
Life random_life(const std::string& id, std::mt19937_64& random) {
  Life life;
  auto lines = kLines;
  life.events.push_back(
      created(1, {{"Name", "A"}, {"LastModifiedDate", "1"}, {"Description", text_of(lines)}}, id));
  for (std::int64_t number = 10; number < 60; number += 10) {
    const std::size_t at = random() % lines.size();
    const std::string line = "line " + std::to_string(random() % 3);
    Event event = updated(number, {{"LastModifiedDate", std::to_string(number)}}, id);
    if (random() % 3 == 0) {
      lines[at] = line;
      event.fields["Description"] = text_of(lines);
    } else {
      event.diffs = {{"Description", diff_of(lines, at, line)}};
      lines[at] = line;
    }
    life.events.push_back(std::move(event));
  }
  life.last = text_of(lines);
  return life;
}

TEST_F(TextDiffTest, AnyOrderAndRepetitionEndsInTheLastTextOrInADoubtThatARowSettles) {
  std::size_t settled_by_events = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random(seed);
    const std::string id = kAcme.substr(0, 11) + std::to_string(1'000 + seed);
    const Life life = random_life(id, random);
    std::vector<Event> order = life.events;
    for (std::size_t i = random() % 4; i > 0; --i) {
      order.push_back(life.events[random() % life.events.size()]);
    }
    // Mostly a few places off, as two streams that tell of one record are.
    for (std::size_t i = random() % 4; i > 0; --i) {
      std::swap(order[random() % order.size()], order[random() % order.size()]);
    }
    for (const Event& event : order) apply({event});
    if (ledger->holes_open() == 0) {
      ++settled_by_events;
      ASSERT_EQ(description(id), life.last) << "seed " << seed << ": wrong, and nobody doubts it";
    }
    const auto noted = ledger->note_version("emea");
    ASSERT_TRUE(noted);
    const EpochMs saved = life.events.back().ts;
    apply_rows(
        *noted,
        {{id, {{"Name", "A"}, {"LastModifiedDate", "50"}, {"Description", life.last}}, saved}});
    ASSERT_EQ(description(id), life.last) << "seed " << seed;
    ASSERT_EQ(ledger->holes_open(), 0U) << "seed " << seed;
    for (const Event& event : order) apply({event});
    ASSERT_EQ(description(id), life.last) << "seed " << seed << ": all again";
    ASSERT_EQ(ledger->holes_open(), 0U) << "seed " << seed;
  }
  EXPECT_GT(settled_by_events, 100U);
  EXPECT_LT(settled_by_events, 400U) << "some orders must need the row";
}

}  // namespace
}  // namespace headwater::ledger
