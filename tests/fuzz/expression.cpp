// A mapping's expression: refused at one of its bytes, or evaluated over any values, twice the
// same.

#include "schemas/crm/expression.hpp"

#include <algorithm>
#include <cmath>

#include "schemas/crm/evaluate.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

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
  HEADWATER_ASSERT(fuzz::is_utf8(json));
  fuzz::parsed(json);
  return json;
}

}  // namespace

FUZZ_TARGET(expression) {
  fuzz::Pieces pieces(input);
  const auto number = static_cast<std::int64_t>(pieces.number(5));
  const auto value_text = pieces.text();
  const fuzz::Exact text(pieces.rest());

  std::vector<crm::ExpressionProblem> problems;
  const auto expression = crm::Expression::parse(text.view(), problems);
  for (const auto& problem : problems)
    HEADWATER_ASSERT(problem.offset <= text.view().size() && !problem.what.empty());
  if (!problems.empty()) return;
  HEADWATER_ASSERT(text.view().size() <= crm::kExpressionBytesMax);
  HEADWATER_ASSERT(expression.root().levels <= crm::kExpressionLevelsMax);
  HEADWATER_ASSERT(std::is_sorted(expression.paths().begin(), expression.paths().end()));

  NameTable names;
  for (const char* name : {"A__c", "B__c", "C__c", "D__c", "Name", "Name.LastName"})
    names.intern(name);
  const crm::RawSlots raw{ValueView::of_text(value_text),
                          ValueView::integer(number),
                          ValueView::decimal(static_cast<double>(number) / 7),
                          ValueView::of_number(number, Tag::DateTime),
                          ValueView::null(),
                          ValueView::of_text(value_text)};
  const crm::Program program(expression, crm::SourceNames(names), {"emea", "uk", "DE", ""});
  HEADWATER_ASSERT(evaluated(program, raw) == evaluated(program, raw));
}
