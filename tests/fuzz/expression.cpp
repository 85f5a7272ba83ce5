// A mapping's expression: refused at one of its bytes, or evaluated over records of every kind of
// value, twice the same. Few texts are expressions: after the byte 1 the rest chooses among what
// the grammar allows. Such a one must be understood, and mean the same said in another way.

#include "schemas/crm/expression.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "schemas/crm/evaluate.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

constexpr std::array<const char*, 6> kPaths{
    "A__c", "B__c", "C__c", "D__c", "Name", "Name.LastName"};
constexpr char kMade = 1;
constexpr int kLevels = 4;

/// Writes an expression as the bytes choose, in brackets wherever it stands in another.
class Phrase {
 public:
  explicit Phrase(fuzz::Pieces& choices) : choices_(choices) {}

  std::string value(int levels) {
    if (levels == 0 || choices_.empty()) return leaf();
    const auto part = [&] { return value(levels - 1); };
    switch (choices_.byte() % 16) {
      case 0:
        return "concat(" + part() + ", " + part() + ", " + part() + ")";
      case 1:
        return "(" + part() + " | squeeze)";
      case 2:
        return "if(" + part() + ", " + part() + ", " + part() + ")";
      case 3:
        return "(" + part() + " | default(" + part() + "))";
      case 4:
        return "is_null(" + part() + ")";
      case 5:
        return "mul(" + part() + ", " + part() + ")";
      case 6:
        return "money(" + part() + ", " + part() + ")";
      case 7:
        return "date_add_min(" + part() + ", " + part() + ")";
      case 8:
        return "timestamp(" + part() + ")";
      case 9:
        return "domain(" + part() + ")";
      case 10:
        return "person_name(" + path() + ")";
      case 11:
        return "(" + part() + one_of({" == ", " != ", " < ", " <= ", " > ", " >= "}) + part() + ")";
      case 12:
        return "(" + part() + " in [" + literal() + ", " + literal() + "])";
      case 13:
        return "(" + part() + " in " + path() + ")";
      case 14:
        return "(" + part() + one_of({" and ", " or "}) + part() + ")";
      default:
        return "(not " + part() + ")";
    }
  }

 private:
  std::string one_of(std::initializer_list<const char*> of) {
    return of.begin()[choices_.byte() % of.size()];
  }
  std::string path() { return kPaths[choices_.byte() % kPaths.size()]; }
  std::string literal() {
    return one_of({"null",
                   "true",
                   "false",
                   "0",
                   "-7",
                   "0.1",
                   "1.5e3",
                   "99999999999",
                   R"("")",
                   R"("a b")",
                   R"("x@www.a.com")",
                   R"("EUR")",
                   R"("2026-03-01")",
                   R"("2026-03-01T12:00:00Z")"});
  }
  std::string leaf() {
    switch (choices_.byte() % 4) {
      case 0:
        return literal();
      case 1:
        return one_of({"$org.name",
                       "$org.bu",
                       "$org.region",
                       "$org.currency",
                       "$meta.commit_ts",
                       "$meta.touched_at"});
      default:
        return path();
    }
  }
  fuzz::Pieces& choices_;
};

/// Two ways to say one thing: of two and of three values.
std::pair<std::string, std::string> said_twice(fuzz::Pieces& choices) {
  const auto way = choices.byte() % 7;
  Phrase phrase(choices);
  const std::string a = phrase.value(kLevels);
  // Often the same: equal values hardly come by chance.
  const std::string b = choices.byte() % 4 == 0 ? a : phrase.value(kLevels);
  switch (way) {
    case 0:
      return {"not (" + a + " and " + b + ")", "not " + a + " or not " + b};
    case 1:
      return {"not (" + a + " or " + b + ")", "not " + a + " and not " + b};
    case 2:
      return {a + " != " + b, "not (" + a + " == " + b + ")"};
    case 3:
      return {a + " <= " + b, b + " >= " + a};
    case 4:
      return {a + " < " + b, b + " > " + a};
    case 5:
      return {a + " | default(" + b + ")", "if(is_null(" + a + "), " + b + ", " + a + ")"};
    default:
      return {"if(" + phrase.value(1) + " == 1, " + a + ", " + b + ")", {}};
  }
}

/// The expression's result as JSON. `raw` are the values of A__c, B__c, ….
std::string evaluated(const crm::Program& program, const crm::RawSlots& raw) {
  static crm::DomainMemo domains;
  std::pmr::monotonic_buffer_resource arena;
  std::string scratch;
  const crm::StateFacts facts{"a015f00002JUXA8AAP", 1'772'366'400'000, 0};
  const auto outcome = program.run({raw, facts, arena, scratch, domains});
  if (outcome.failed) return "failed";
  if (outcome.datum.is_null()) return "null";
  const auto value = outcome.datum.exact ? ValueView::decimal(outcome.datum.number.to_double())
                                         : outcome.datum.value;
  if (!std::isfinite(value.real)) return "beyond a double";
  std::string json;
  append_json_value(json, value);
  HEADWATER_ASSERT(is_utf8(json));
  fuzz::parsed(json);
  return json;
}

/// What the expression says of each record, in which every path has a value of every kind by turns;
/// nothing if it was refused.
std::vector<std::string> over_records(std::string_view given,
                                      std::int64_t number,
                                      std::string_view value_text) {
  const fuzz::Exact text(given);
  std::vector<crm::ExpressionProblem> problems;
  const auto expression = crm::Expression::parse(text.view(), problems);
  for (const auto& problem : problems)
    HEADWATER_ASSERT(problem.offset <= text.view().size() && !problem.what.empty());
  if (!problems.empty()) return {};
  HEADWATER_ASSERT(text.view().size() <= crm::kExpressionBytesMax);
  HEADWATER_ASSERT(expression.root().levels <= crm::kExpressionLevelsMax);
  HEADWATER_ASSERT(std::is_sorted(expression.paths().begin(), expression.paths().end()));

  static const NameTable* const names = [] {
    static NameTable table;
    for (const char* name : kPaths) table.intern(name);
    return &table;
  }();
  const crm::Program program(expression, crm::SourceNames(*names), {"emea", "uk", "DE", ""});
  const std::array<ValueView, 9> values{ValueView::of_text(value_text),
                                        ValueView::integer(number),
                                        ValueView::decimal(static_cast<double>(number) / 7),
                                        ValueView::of_number(number, Tag::DateTime),
                                        ValueView::null(),
                                        ValueView::of_text(value_text),
                                        ValueView::boolean(number % 2 == 0),
                                        ValueView::of_text("a;b;x", Tag::Multi),
                                        ValueView::of_number(number % 100'000, Tag::Date)};
  std::vector<std::string> out;
  for (std::size_t turn = 0; turn < values.size(); ++turn) {
    crm::RawSlots raw;
    for (std::size_t i = 0; i < kPaths.size(); ++i)
      raw.push_back(values[(i + turn) % values.size()]);
    out.push_back(evaluated(program, raw));
    HEADWATER_ASSERT(evaluated(program, raw) == out.back());
  }
  return out;
}

}  // namespace

FUZZ_TARGET(expression) {
  fuzz::Pieces pieces(input);
  const auto number = static_cast<std::int64_t>(pieces.number(5));
  const auto value_text = pieces.text();
  const auto text = pieces.rest();
  if (text.empty() || text.front() != kMade) {
    over_records(text, number, value_text);
    return;
  }
  fuzz::Pieces choices(text.substr(1));
  const auto [one, other] = said_twice(choices);
  if (std::max(one.size(), other.size()) > crm::kExpressionBytesMax) return;
  const auto said = over_records(one, number, value_text);
  HEADWATER_ASSERT(!said.empty());  // what the grammar allows is understood
  if (!other.empty()) HEADWATER_ASSERT(over_records(other, number, value_text) == said);
}
