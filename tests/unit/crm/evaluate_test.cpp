#include "schemas/crm/evaluate.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "schemas/crm/expression.hpp"

namespace headwater::crm {
namespace {

/// A record of all kinds of values, and expressions over it.
class Evaluate : public ::testing::Test {
 protected:
  Evaluate() {
    set("Text", ValueView::of_text("b"));
    set("Empty", ValueView::of_text(""));
    set("Padded", ValueView::of_text("  a   b "));
    set("Int", ValueView::integer(3));
    set("Double", ValueView::decimal(0.1));
    set("Yes", ValueView::boolean(true));
    set("No", ValueView::boolean(false));
    set("Null", ValueView::null());
    set("Day", ValueView::of_number(20'000, Tag::Date));
    set("Instant", ValueView::of_number(20'000 * kMsPerDay + 1, Tag::DateTime));
    set("Picks", ValueView::of_text("Golf;Wine", Tag::Multi));
    set("Nan", ValueView::decimal(std::nan("")));
    set("Site", ValueView::of_text("https://www.acme.co.uk/"));
    set("Name.FirstName", ValueView::of_text(" Ann"));
    set("Name.MiddleName", ValueView::null());
    set("Name.LastName", ValueView::of_text("van  Lee"));
    set("Name.Suffix", ValueView::of_text("Jr."));
    set("Address.City", ValueView::null());
    set("Title", ValueView::of_text("Ms  B "));
  }
  void set(std::string_view path, ValueView value) {
    const NameId id = names_.intern(path);
    if (raw_.size() <= id) raw_.resize(id + 1, ValueView{Tag::Absent, 0, 0, {}});
    raw_[id] = value;
  }
  /// The result as JSON, `error`, or the first problem of the text.
  std::string run(std::string_view text) {
    std::vector<ExpressionProblem> problems;
    const auto expression = Expression::parse(text, problems);
    if (!problems.empty()) return problems[0].what;
    const Program program(expression, SourceNames(names_), {"emea", "uk", "DE", ""});
    std::pmr::monotonic_buffer_resource arena;
    std::string scratch;
    const auto outcome = program.run({raw_, facts_, arena, scratch, domains_});
    if (outcome.failed) return "error";
    if (outcome.datum.is_null()) return "null";
    std::string out;
    append_json_value(out,
                      outcome.datum.exact ? ValueView::decimal(outcome.datum.number.to_double())
                                          : outcome.datum.value);
    return out;
  }

  NameTable names_;
  DomainMemo domains_;
  RawSlots raw_;
  StateFacts facts_{"0035f00000ABCDeAAP", 1'772'366'400'000, 0};
};

TEST_F(Evaluate, ComparesNothingWithNull) {
  for (const auto* sign : {"==", "!=", "<", "<=", ">", ">="}) {
    EXPECT_EQ(run(std::string("Null ") + sign + " 1"), "null") << sign;
    EXPECT_EQ(run(std::string("1 ") + sign + " Unseen"), "null") << sign;
  }
  EXPECT_EQ(run("Null in [1]"), "null");
  EXPECT_EQ(run("\"Golf\" in Null"), "null");
}

TEST_F(Evaluate, ComparesTextByBytesAndNumbersAsDecimals) {
  EXPECT_EQ(run("Text == \"b\""), "true");
  EXPECT_EQ(run("\"Z\" < Text"), "true");
  EXPECT_EQ(run("Text < \"\u00e9\""), "true");
  EXPECT_EQ(run("Int == 3.0"), "true");
  EXPECT_EQ(run("Double == 0.1"), "true");
  EXPECT_EQ(run("Int >= 3.5"), "false");
  EXPECT_EQ(run("Yes == true"), "true");
  EXPECT_EQ(run("Yes != No"), "true");
}

TEST_F(Evaluate, ComparesDatesByTime) {
  EXPECT_EQ(run("Day < Instant"), "true");
  EXPECT_EQ(run("timestamp(Day) == Day"), "true");
}

TEST_F(Evaluate, RefusesMixedTypes) {
  EXPECT_EQ(run("Text == 1"), "error");
  EXPECT_EQ(run("Yes < No"), "error");
  EXPECT_EQ(run("Day == \"2024-10-04\""), "error");
  EXPECT_EQ(run("Int in [\"3\"]"), "error");
  EXPECT_EQ(run("Text and true"), "error");
  EXPECT_EQ(run("not Int"), "error");
  EXPECT_EQ(run("concat(Int)"), "error");
  EXPECT_EQ(run("Nan == 1"), "error");
}

TEST_F(Evaluate, FindsItemsInListsAndPicklists) {
  EXPECT_EQ(run("Text in [\"a\", \"b\"]"), "true");
  EXPECT_EQ(run("Text in [\"a\", null]"), "false");
  EXPECT_EQ(run("Text in []"), "false");
  EXPECT_EQ(run("\"Wine\" in Picks"), "true");
  EXPECT_EQ(run("\"Win\" in Picks"), "false");
}

TEST_F(Evaluate, ConnectsByThreeValues) {
  EXPECT_EQ(run("false and null"), "false");
  EXPECT_EQ(run("null and false"), "false");
  EXPECT_EQ(run("true and null"), "null");
  EXPECT_EQ(run("true or null"), "true");
  EXPECT_EQ(run("null or true"), "true");
  EXPECT_EQ(run("false or null"), "null");
  EXPECT_EQ(run("not null"), "null");
  EXPECT_EQ(run("not No"), "true");
}

TEST_F(Evaluate, LooksOnlyAtWhatItNeeds) {
  EXPECT_EQ(run("if(Yes, 1, mul(Text, 1))"), "1");
  EXPECT_EQ(run("coalesce(Null, 2, mul(Text, 1))"), "2");
  EXPECT_EQ(run("No and Text"), "false");
  EXPECT_EQ(run("Yes or Text"), "true");
  EXPECT_EQ(run("if(No, 1, mul(Text, 1))"), "error");
}

TEST_F(Evaluate, LeavesAnUnknownConditionUnknown) {
  EXPECT_EQ(run("if(Null, 1, 2)"), "null");
  EXPECT_EQ(run("if(Null | default(false), 1, 2)"), "2");
}

TEST_F(Evaluate, TakesTheFirstThatIsNotNull) {
  EXPECT_EQ(run("coalesce(Null, Unseen, Text)"), "\"b\"");
  EXPECT_EQ(run("coalesce(Null, Unseen)"), "null");
  EXPECT_EQ(run("Null | default(0)"), "0");
  EXPECT_EQ(run("Int | default(0)"), "3");
}

TEST_F(Evaluate, KnowsNullFromUnknownNowhere) {
  EXPECT_EQ(run("is_null(Null)"), "true");
  EXPECT_EQ(run("is_null(Unseen)"), "true");
  EXPECT_EQ(run("is_null(Empty)"), "false");
  EXPECT_EQ(run("is_null(mul(Int, Null))"), "true");
}

TEST_F(Evaluate, TakesACompoundAsAWholeInTwoFunctionsOnly) {
  EXPECT_EQ(run("is_null(Name)"), "false");
  EXPECT_EQ(run("is_null(Address)"), "true");
  EXPECT_EQ(run("person_name(Name)"), "\"Ann van  Lee Jr.\"");
  EXPECT_EQ(run("person_name(Title)"), "\"Ms  B \"")
      << "a business account's name is its text, as it is";
  EXPECT_EQ(run("person_name(Address)"), "null");
  EXPECT_EQ(run("concat(Name)"), "error");
  EXPECT_EQ(run("concat(Address)"), "null");
}

TEST_F(Evaluate, ConcatCountsNullAsNothing) {
  EXPECT_EQ(run("concat(Text, \"-\", Null, Text)"), "\"b-b\"");
  EXPECT_EQ(run("concat(Null, Unseen)"), "null");
  EXPECT_EQ(run("concat(Empty, \"\")"), "null") << "no function returns empty text";
}

TEST_F(Evaluate, GivesNullForNull) {
  for (const auto* call : {"squeeze(Null)",
                           "timestamp(Null)",
                           "date_add_min(Null, 1)",
                           "mul(Null, 2)",
                           "date_add_min(Instant, Null)",
                           "mul(2, Null)",
                           "money(Null, \"EUR\")",
                           "money(1, Null)",
                           "domain(Null)"}) {
    EXPECT_EQ(run(call), "null") << call;
  }
}

TEST_F(Evaluate, SqueezesToNullRatherThanToEmptyText) {
  EXPECT_EQ(run("Padded | squeeze"), "\"a b\"");
  EXPECT_EQ(run("squeeze(Empty)"), "null");
  EXPECT_EQ(run("squeeze(\"  \")"), "null");
}

TEST_F(Evaluate, AddsMinutesToInstants) {
  EXPECT_EQ(run("timestamp(Day)"), "\"2024-10-04T00:00:00.000Z\"");
  EXPECT_EQ(run("timestamp(\"2024-04-26T18:38:23.000+0000\")"), "\"2024-04-26T18:38:23.000Z\"");
  EXPECT_EQ(run("timestamp(\"2024-04-26\")"), "\"2024-04-26T00:00:00.000Z\"");
  EXPECT_EQ(run("timestamp(Text)"), "error");
  EXPECT_EQ(run("date_add_min(Instant, 90)"), "\"2024-10-04T01:30:00.001Z\"");
  EXPECT_EQ(run("date_add_min(Instant, -1.0)"), "\"2024-10-03T23:59:00.001Z\"");
  EXPECT_EQ(run("date_add_min(Instant, 0.5)"), "error");
  EXPECT_EQ(run("date_add_min(Instant, 9e18)"), "error");
}

TEST_F(Evaluate, ComputesInDecimals) {
  EXPECT_EQ(run("mul(Double, Int)"), "0.3");
  EXPECT_EQ(run("mul(Double, Int) == 0.3"), "true");
  EXPECT_EQ(run("money(2.345, \"EUR\")"), "2.34");
  EXPECT_EQ(run("money(2.5, \"JPY\")"), "2");
  EXPECT_EQ(run("mul(1.005, 1) | money(\"KWD\")"), "1.005");
  EXPECT_EQ(run("mul(Text, 2)"), "error");
  EXPECT_EQ(run("mul(Nan, 2)"), "error");
}

TEST_F(Evaluate, FindsDomains) {
  EXPECT_EQ(run("domain(Site)"), "\"acme.co.uk\"");
  EXPECT_EQ(run("domain(\"localhost\")"), "null");
}

TEST_F(Evaluate, KnowsTheOrgAndTheState) {
  EXPECT_EQ(run("concat($org.name, \"/\", $org.bu, \"/\", $org.region)"), "\"emea/uk/DE\"");
  EXPECT_EQ(run("$org.currency"), "null") << "not configured";
  EXPECT_EQ(run("$meta.commit_ts"), "\"2026-03-01T12:00:00.000Z\"");
  EXPECT_EQ(run("$meta.touched_at"), "null");
  facts_.touched_at = 1'772'366'400'001;
  EXPECT_EQ(run("$meta.touched_at > $meta.commit_ts"), "true");
}

}  // namespace
}  // namespace headwater::crm
