// The small parts of the pipeline: backoff, the second lane, schemas.

#include <set>

#include "daemon/pipeline/backoff.hpp"
#include "daemon/pipeline/row_lane.hpp"
#include "daemon/pipeline/schema_book.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

TEST(Backoff, StaysBetweenHalfOfTheLeastAndTheMost) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(Millis(1'000), Millis(60'000), seed);
    for (int i = 0; i < 80; ++i) {
      const auto wait = backoff.next().count();
      ASSERT_GE(wait, 500);
      ASSERT_LE(wait, std::min<std::int64_t>(60'000, 1'000LL << std::min(i, 20)));
    }
  }
}

TEST(Backoff, SpreadsClientsAndStartsOverAfterSuccess) {
  std::set<std::int64_t> waits;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Backoff backoff(Millis(1'000), Millis(60'000), seed);
    for (int i = 0; i < 10; ++i) backoff.next();
    waits.insert(backoff.next().count());
    backoff.reset();
    EXPECT_LE(backoff.next().count(), 1'000);
  }
  EXPECT_GT(waits.size(), 90U);
}

TEST(RowLane, IsBoundedAndLeavesWhatItRefuses) {
  RowLane lane(1);
  OwnedRows first, second;
  first.batch.object = "first";
  second.batch.object = "second";
  ASSERT_TRUE(lane.try_push(first));
  EXPECT_FALSE(lane.try_push(second));
  EXPECT_EQ(second.batch.object, "second");
  EXPECT_EQ(lane.pop()->batch.object, "first");
  EXPECT_TRUE(lane.try_push(second));
}

TEST(RowLane, WhatItsRowsBorrowMovesWithThem) {
  RowLane lane(1);
  OwnedRows in;
  auto& members = in.members.emplace_back();
  members.push_back({NameId{1}, ValueView::of_text(in.texts.emplace_back("short"))});
  in.rows.emplace_back().fields = members;
  ASSERT_TRUE(lane.try_push(in));
  const auto out = lane.pop();
  EXPECT_EQ(out->rows[0].fields[0].value.text, "short");
}

class SchemaBookTest : public test::PipelineTest {
 protected:
  test::FakeSource source;
};

TEST_F(SchemaBookTest, ASchemaIsFetchedOnceAndKeptInTheLedgerForEver) {
  SchemaBook book("emea", *ledger, source);
  const auto page = book.find("s1");
  ASSERT_TRUE(page);
  EXPECT_EQ((*page)->object, "Account");
  EXPECT_EQ(*book.find("s1"), *page);
  SchemaBook next_start("emea", *ledger, source);
  EXPECT_TRUE(next_start.find("s1"));
  EXPECT_EQ(source.schema_calls, 1);
}

TEST_F(SchemaBookTest, ASchemaOfACustomObjectNamesTheObject) {
  auto text = test::account_schema();
  text.replace(text.find("AccountChangeEvent"), 18, "Invoice__ChangeEvent");
  source.schema = text;
  SchemaBook book("emea", *ledger, source);
  EXPECT_EQ((*book.find("s1"))->object, "Invoice__c");
}

TEST_F(SchemaBookTest, WhatIsNoSchemaOfAChangeEventIsRefusedOnce) {
  for (const char* text : {"{", R"({"type":"record","name":"Other__e","fields":[]})"}) {
    test::FakeSource other;
    other.schema = std::string(text);
    SchemaBook book("emea", *ledger, other);
    const std::string id = std::string("odd ") + text;
    ASSERT_FALSE(book.find(id));
    EXPECT_EQ(book.find(id).error().kind, ErrorKind::Rejected);
    EXPECT_EQ(other.schema_calls, 1);
  }
}

TEST_F(SchemaBookTest, AnUnavailableSchemaIsAskedForAgain) {
  source.schema = transient("GetSchema: unavailable");
  SchemaBook book("emea", *ledger, source);
  EXPECT_EQ(book.find("s1").error().kind, ErrorKind::Transient);
  source.schema = test::account_schema();
  EXPECT_TRUE(book.find("s1"));
}

}  // namespace
}  // namespace headwater
