#include "schemas/crm/expression.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace headwater::crm {
namespace {

using Kind = Syntax::Kind;

/// The tree as text with every operator's operands in parentheses.
std::string shape(const Syntax& node) {
  static const std::map<Kind, std::string> kNames{{Kind::Or, "or"},
                                                  {Kind::And, "and"},
                                                  {Kind::Not, "not"},
                                                  {Kind::Equal, "=="},
                                                  {Kind::NotEqual, "!="},
                                                  {Kind::Less, "<"},
                                                  {Kind::LessEqual, "<="},
                                                  {Kind::Greater, ">"},
                                                  {Kind::GreaterEqual, ">="},
                                                  {Kind::In, "in"},
                                                  {Kind::List, "list"},
                                                  {Kind::Map, "map"},
                                                  {Kind::Null, "null"},
                                                  {Kind::True, "true"},
                                                  {Kind::False, "false"},
                                                  {Kind::Number, "#"},
                                                  {Kind::Variable, "$"}};
  std::string out;
  if (node.kind == Kind::Text) return '"' + node.text + '"';
  out = node.kind == Kind::Path || node.kind == Kind::Call ? node.text : kNames.at(node.kind);
  if (node.children.empty()) return out;
  out += '(';
  for (const auto& child : node.children) {
    if (out.back() != '(') out += ' ';
    out += shape(child);
  }
  return out + ')';
}

std::string parsed(std::string_view text) {
  std::vector<ExpressionProblem> problems;
  const auto expression = Expression::parse(text, problems);
  if (problems.empty()) return shape(expression.root());
  std::string out;
  for (const auto& problem : problems) {
    out += (out.empty() ? "" : "; ") + std::to_string(problem.offset) + ": " + problem.what;
  }
  return out;
}

TEST(Expression, BindsAsTheDocumentSays) {
  EXPECT_EQ(parsed(R"(Email | squeeze == "x")"), R"(==(squeeze(Email) "x"))");
  EXPECT_EQ(parsed("not IsClosed | default(false)"), "not(default(IsClosed false))");
  EXPECT_EQ(parsed("a or b and not c == d"), "or(a and(b not(==(c d))))");
  EXPECT_EQ(parsed("(a or b) and c"), "and(or(a b) c)");
  EXPECT_EQ(parsed("a and b and c or d"), "or(and(a b c) d)");
  EXPECT_EQ(parsed("not not a"), "not(not(a))");
  EXPECT_EQ(parsed("a <= b or c != 1"), "or(<=(a b) !=(c #))");
}

TEST(Expression, PipesPutTheValueFirst) {
  EXPECT_EQ(parsed("a | mul(b) | money(c)"), "money(mul(a b) c)");
  EXPECT_EQ(parsed("a | squeeze()"), "squeeze(a)");
}

TEST(Expression, ReadsPathsAsSentAndQuoted) {
  EXPECT_EQ(parsed("BillingAddress . City"), "BillingAddress.City");
  EXPECT_EQ(parsed("ns__Tier__c"), "ns__Tier__c");
  EXPECT_EQ(parsed("`in`"), "in");
  EXPECT_EQ(parsed("`a b`.`and`"), "a b.and");
  EXPECT_EQ(parsed("lower == 1"), "==(lower #)") << "a name alone is a path, not a function";
}

TEST(Expression, ReadsLiterals) {
  EXPECT_EQ(parsed(R"("a\"\\\/\n\u00e9\ud83d\ude00")"), "\"a\"\\/\n\u00e9\U0001F600\"");
  EXPECT_EQ(parsed("Type in [\"A\", -1.5e3, true, null]"), R"(in(Type list("A" # true null)))");
  EXPECT_EQ(parsed("Type in []"), "in(Type list)");
  EXPECT_EQ(parsed("$org.currency"), "$");
}

TEST(Expression, ListsEveryPathOnce) {
  std::vector<ExpressionProblem> problems;
  const auto expression =
      Expression::parse("if(IsClosed, Name.LastName, coalesce(A__c, IsClosed))", problems);
  EXPECT_EQ(expression.paths(), (std::vector<std::string>{"A__c", "IsClosed", "Name.LastName"}));
  EXPECT_FALSE(expression.is_bare());
  EXPECT_TRUE(Expression::parse("(Name.LastName)", problems).is_bare());
}

TEST(Expression, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(parsed("a < b < c"), "6: comparisons do not chain: write a < b and b < c");
  EXPECT_EQ(parsed("Amount + 1"), "7: there is no infix arithmetic: use add, sub, mul or div");
  EXPECT_EQ(parsed("a == 'x'"), "5: strings stand in double quotes");
  EXPECT_EQ(parsed("a = 1"), "2: = alone means nothing here: equality is ==");
  EXPECT_EQ(parsed("concat(a, "), "10: expected a value, found end");
  EXPECT_EQ(parsed("concat(a b)"), "9: expected , or ) in the arguments, found b");
  EXPECT_EQ(parsed("(a"), "2: expected ), found end");
  EXPECT_EQ(parsed("a b"), "2: unexpected b after the expression");
  EXPECT_EQ(parsed(""), "0: expected a value, found end");
  EXPECT_EQ(parsed("a == \"x"), "5: the string has no closing quote");
  EXPECT_EQ(parsed(R"("\x")"), "1: not an escape of JSON strings");
  EXPECT_EQ(parsed(R"("\ud800")"), "1: half a character");
  EXPECT_EQ(parsed("`a"), "0: the quoted field has no closing `");
  EXPECT_EQ(parsed("01"), "0: a number has no leading zeros");
  EXPECT_EQ(parsed("1e9999"), "0: the number is too large or too small");
  EXPECT_EQ(parsed("in"), "0: in is reserved: write `in` for a field of that name");
  EXPECT_EQ(parsed("a | not"), "4: after | stands a function, found not");
  EXPECT_EQ(parsed("Account__r.Name"),
            "0: Account__r leads to another record: an expression sees one record");
  EXPECT_EQ(parsed("$now.utc"),
            "0: no variable $now.utc: there are $org.name, $org.bu, $org.region, $org.currency, "
            "$meta.commit_ts and $meta.touched_at");
  EXPECT_EQ(parsed("map(a, {\"x\": 1, \"x\": 2})"), "16: the map has this key twice");
  EXPECT_EQ(parsed("a == [1]"), "5: a list fits only after in and as a function's list argument");
}

TEST(Expression, ChecksNamesAndNumbersOfArguments) {
  EXPECT_EQ(parsed("cocat(a, b)"), "0: no function cocat, did you mean concat?");
  EXPECT_EQ(parsed("a | frobnicate"), "4: no function frobnicate");
  EXPECT_EQ(parsed("mul(a)"), "0: mul takes 2 arguments, got 1");
  EXPECT_EQ(parsed("a | squeeze(b)"), "4: squeeze takes 1 argument, got 2");
  EXPECT_EQ(parsed("concat()"), "0: concat takes at least 1 argument, got 0");
  EXPECT_EQ(parsed("person_name(\"x\")"), "0: person_name takes a path, as in person_name(Name)");
}

TEST(Expression, TellsWhatIsNotAvailableYetWithEveryPlace) {
  EXPECT_EQ(parsed("e164(Phone, $org.region)"), "0: function e164 is not available yet");
  EXPECT_EQ(parsed("Email | trim | lower"),
            "15: function lower is not available yet; 8: function trim is not available yet");
  EXPECT_EQ(parsed("map(Type, {\"a\": \"b\"}, \"c\")"), "0: function map is not available yet");
}

TEST(Expression, RecordTypeIsNoPathButReadsTheIdBehindIt) {
  std::vector<ExpressionProblem> problems;
  const auto expression = Expression::parse("RecordType", problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_FALSE(expression.is_bare());
  EXPECT_EQ(expression.paths(), std::vector<std::string>{"RecordTypeId"});
  EXPECT_EQ(parsed("RecordType == \"UK\""), "==($ \"UK\")");
  EXPECT_EQ(parsed("person_name(RecordType)"),
            "0: person_name takes a path, as in person_name(Name)");
}

TEST(Expression, IsBounded) {
  EXPECT_EQ(parsed(std::string(kExpressionBytesMax + 1, 'a')),
            "0: the expression has 4097 bytes, at most 4096 are allowed");
  EXPECT_EQ(parsed(std::string(kExpressionBytesMax, 'a')).size(), kExpressionBytesMax);
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '(') + "a" + std::string(depth, ')');
  };
  EXPECT_EQ(parsed(nested(31)), "a");
  EXPECT_EQ(parsed(nested(2000)), "32: more than 32 levels deep");
  std::string pipes = "a";
  for (int i = 0; i < 31; ++i) pipes += "|squeeze";
  EXPECT_EQ(parsed(pipes).substr(0, 7), "squeeze");
  EXPECT_EQ(parsed(pipes + "|squeeze"), "0: more than 32 levels deep");
}

}  // namespace
}  // namespace headwater::crm
