#include "schemas/crm/evaluate.hpp"

#include <algorithm>
#include <optional>

#include "schemas/core/time.hpp"
#include "schemas/crm/currency.hpp"
#include "schemas/crm/text.hpp"

namespace headwater::crm {

using Kind = Syntax::Kind;

Program::Program(const Expression& expression, const SourceNames& names, const OrgVariables& org)
    : record_types_(org.record_types) {
  nodes_.emplace_back();
  compile(0, expression.root(), names, org);
}

void Program::compile(std::size_t at,
                      const Syntax& syntax,
                      const SourceNames& names,
                      const OrgVariables& org) {
  Node node;
  node.kind = syntax.kind;
  node.function = syntax.function;
  node.variable = syntax.variable;
  const auto text = [](std::string_view t) {
    return Datum::of(t.empty() ? ValueView::null() : ValueView::of_text(t));
  };
  switch (syntax.kind) {
    case Kind::True:
      node.constant = Datum::of(ValueView::boolean(true));
      break;
    case Kind::False:
      node.constant = Datum::of(ValueView::boolean(false));
      break;
    case Kind::Number:
      node.constant = Datum::of(syntax.number);
      break;
    case Kind::Text:
      node.constant = Datum::of(ValueView::of_text(syntax.text));
      break;
    case Kind::Path:
      node.path = static_cast<std::uint32_t>(paths_.size());
      paths_.push_back(SourcePath::resolve(names, syntax.text));
      break;
    case Kind::Variable:
      if (syntax.variable == Variable::OrgName) node.constant = text(org.name);
      if (syntax.variable == Variable::OrgBu) node.constant = text(org.bu);
      if (syntax.variable == Variable::OrgRegion) node.constant = text(org.region);
      if (syntax.variable == Variable::OrgCurrency) node.constant = text(org.currency);
      if (syntax.variable == Variable::RecordType) {
        node.path = static_cast<std::uint32_t>(paths_.size());
        paths_.push_back(SourcePath::resolve(names, kRecordTypeId));
      }
      break;
    default:
      break;
  }
  node.first = static_cast<std::uint32_t>(nodes_.size());
  node.count = static_cast<std::uint32_t>(syntax.children.size());
  nodes_.resize(nodes_.size() + node.count);
  nodes_[at] = node;
  for (std::size_t i = 0; i < node.count; ++i) {
    compile(node.first + i, syntax.children[i], names, org);
  }
}

/// One run of a program. An error sets failed_ and reads as null from there on.
class Evaluation {
 public:
  Evaluation(const Program& program, const EvaluationInput& input)
      : program_(program), input_(input) {}

  Datum eval(std::size_t at) {
    const Program::Node& node = program_.nodes_[at];
    switch (node.kind) {
      case Kind::Path:
        return path(node);
      case Kind::Variable:
        return variable(node);
      case Kind::Call:
        return call(node);
      case Kind::Or:
        return connect(node, true);
      case Kind::And:
        return connect(node, false);
      case Kind::Not:
        return negate(node);
      case Kind::Equal:
      case Kind::NotEqual:
      case Kind::Less:
      case Kind::LessEqual:
      case Kind::Greater:
      case Kind::GreaterEqual:
        return comparison(node);
      case Kind::In:
        return membership(node);
      default:
        return node.constant;
    }
  }
  bool failed() const { return failed_; }

 private:
  using Node = Program::Node;

  Datum fail() {
    failed_ = true;
    return {};
  }
  Datum argument(const Node& node, std::size_t i) { return eval(node.first + i); }

  Datum path(const Node& node) {
    const SourcePath& source = program_.paths_[node.path];
    const ValueView& value = slot(input_.raw, source.self);
    if (!nothing(value)) return Datum::of(value);
    if (source.any_child(input_.raw)) return fail();  // a compound as a whole fits nowhere here
    return {};
  }

  Datum variable(const Node& node) {
    if (node.variable == Variable::RecordType) return record_type(node);
    if (node.variable == Variable::MetaCommitTs) {
      return Datum::of(ValueView::of_number(input_.facts.commit_ts, Tag::DateTime));
    }
    if (node.variable == Variable::MetaTouchedAt) {
      if (input_.facts.touched_at == 0) return {};
      return Datum::of(ValueView::of_number(input_.facts.touched_at, Tag::DateTime));
    }
    return node.constant;
  }

  /// Null while the org has not told the name: the record is projected again once it has.
  Datum record_type(const Node& node) {
    const ValueView& id = slot(input_.raw, program_.paths_[node.path].self);
    if (nothing(id)) return {};
    if (!id.holds_text()) return fail();
    if (program_.record_types_ != nullptr) {
      const auto known = program_.record_types_->find(id.text);
      if (known != program_.record_types_->end()) return result(known->second);
    }
    if (input_.record_type_unknown != nullptr) *input_.record_type_unknown = id.text;
    return {};
  }

  /// Nothing for null; an error if it is no boolean.
  std::optional<bool> truth(const Datum& datum) {
    if (datum.is_null()) return std::nullopt;
    if (datum.exact || !datum.value.is_bool()) {
      failed_ = true;
      return std::nullopt;
    }
    return datum.value.tag == Tag::True;
  }

  /// `and`, `or`: three-valued, and they stop at the operand that decides.
  Datum connect(const Node& node, bool deciding) {
    bool unknown = false;
    for (std::size_t i = 0; i < node.count; ++i) {
      const auto operand = truth(argument(node, i));
      if (failed_) return {};
      if (operand == deciding) return Datum::of(ValueView::boolean(deciding));
      if (!operand) unknown = true;
    }
    return unknown ? Datum{} : Datum::of(ValueView::boolean(!deciding));
  }

  Datum negate(const Node& node) {
    const auto operand = truth(argument(node, 0));
    return operand ? Datum::of(ValueView::boolean(!*operand)) : Datum{};
  }

  static std::optional<Decimal> number(const Datum& datum) {
    if (datum.exact) return datum.number;
    if (datum.value.tag == Tag::Int) return Decimal(datum.value.number);
    if (datum.value.tag == Tag::Double) return Decimal::from_double(datum.value.real);
    return std::nullopt;
  }
  static std::optional<std::string_view> text(const Datum& datum) {
    const Tag tag = datum.value.tag;
    if (datum.exact || (tag != Tag::Text && tag != Tag::Ref && tag != Tag::Multi)) {
      return std::nullopt;
    }
    return datum.value.text;
  }
  static std::optional<EpochMs> instant(const Datum& datum) {
    if (datum.exact) return std::nullopt;
    if (datum.value.tag == Tag::DateTime) return datum.value.number;
    if (datum.value.tag == Tag::Date) return datum.value.number * kMsPerDay;
    return std::nullopt;
  }

  /// Nothing if the two cannot be compared.
  static std::optional<std::strong_ordering> order(const Datum& a, const Datum& b) {
    if (const auto left = text(a), right = text(b); left && right) {
      return left->compare(*right) <=> 0;
    }
    if (const auto left = instant(a), right = instant(b); left && right) return *left <=> *right;
    if (!a.exact && !b.exact && a.value.tag == Tag::Time && b.value.tag == Tag::Time) {
      return a.value.number <=> b.value.number;
    }
    if (const auto left = number(a), right = number(b); left && right) return *left <=> *right;
    return std::nullopt;
  }
  static std::optional<bool> equal(const Datum& a, const Datum& b) {
    if (!a.exact && !b.exact && a.value.is_bool() && b.value.is_bool()) {
      return a.value.tag == b.value.tag;
    }
    const auto ordering = order(a, b);
    if (!ordering) return std::nullopt;
    return *ordering == 0;
  }

  Datum comparison(const Node& node) {
    const Datum left = argument(node, 0);
    const Datum right = argument(node, 1);
    if (failed_ || left.is_null() || right.is_null()) return {};
    if (node.kind == Kind::Equal || node.kind == Kind::NotEqual) {
      const auto same = equal(left, right);
      if (!same) return fail();
      return Datum::of(ValueView::boolean(*same == (node.kind == Kind::Equal)));
    }
    const auto ordering = order(left, right);
    if (!ordering) return fail();
    switch (node.kind) {
      case Kind::Less:
        return Datum::of(ValueView::boolean(*ordering < 0));
      case Kind::LessEqual:
        return Datum::of(ValueView::boolean(*ordering <= 0));
      case Kind::Greater:
        return Datum::of(ValueView::boolean(*ordering > 0));
      default:
        return Datum::of(ValueView::boolean(*ordering >= 0));
    }
  }

  /// `x in [literals]` or `x in A_Multi_Picklist__c`.
  Datum membership(const Node& node) {
    const Datum item = argument(node, 0);
    if (failed_ || item.is_null()) return {};
    const Node& right = program_.nodes_[node.first + 1];
    if (right.kind == Kind::List) {
      for (std::size_t i = 0; i < right.count; ++i) {
        const Datum candidate = argument(right, i);
        if (candidate.is_null()) continue;
        const auto same = equal(item, candidate);
        if (!same) return fail();
        if (*same) return Datum::of(ValueView::boolean(true));
      }
      return Datum::of(ValueView::boolean(false));
    }
    const Datum list = eval(node.first + 1);
    if (failed_ || list.is_null()) return {};
    const auto wanted = text(item);
    if (list.exact || list.value.tag != Tag::Multi || !wanted) return fail();
    std::string_view rest = list.value.text;
    for (;;) {
      const auto end = rest.find(';');
      if (rest.substr(0, end) == *wanted) return Datum::of(ValueView::boolean(true));
      if (end == std::string_view::npos) return Datum::of(ValueView::boolean(false));
      rest.remove_prefix(end + 1);
    }
  }

  Datum call(const Node& node) {
    switch (node.function) {
      case Function::If:
        return choose(node);
      case Function::Coalesce:
      case Function::Default:
        return first_known(node);
      case Function::IsNull:
        return is_null(node);
      case Function::Concat:
        return concat(node);
      case Function::Squeeze:
        return squeeze(node);
      case Function::PersonName:
        return person_name(node);
      case Function::Timestamp:
        return timestamp(node);
      case Function::DateAddMin:
        return date_add_min(node);
      case Function::Mul:
        return multiply(node);
      case Function::Money:
        return money(node);
      case Function::Domain:
        return domain(node);
    }
    return fail();
  }

  Datum choose(const Node& node) {
    const auto condition = truth(argument(node, 0));
    if (!condition) return {};
    return argument(node, *condition ? 1 : 2);
  }

  Datum first_known(const Node& node) {
    for (std::size_t i = 0; i < node.count; ++i) {
      const Datum datum = argument(node, i);
      if (failed_) return {};
      if (!datum.is_null()) return datum;
    }
    return {};
  }

  Datum is_null(const Node& node) {
    const Node& of = program_.nodes_[node.first];
    if (of.kind == Kind::Path) {  // here a compound fits as a whole
      const SourcePath& source = program_.paths_[of.path];
      const bool known = !nothing(slot(input_.raw, source.self)) || source.any_child(input_.raw);
      return Datum::of(ValueView::boolean(!known));
    }
    const Datum datum = argument(node, 0);
    return failed_ ? Datum{} : Datum::of(ValueView::boolean(datum.is_null()));
  }

  /// No function returns empty text: it returns null.
  Datum result(std::string_view made) {
    if (made.empty()) return {};
    return Datum::of(ValueView::of_text(keep(input_.arena, made)));
  }

  Datum concat(const Node& node) {
    std::string_view sum;  // in the arena: the arguments may need the scratch string themselves
    for (std::size_t i = 0; i < node.count; ++i) {
      const Datum datum = argument(node, i);
      if (failed_) return {};
      if (datum.is_null()) continue;
      const auto part = text(datum);
      if (!part) return fail();
      if (!part->empty()) sum = sum.empty() ? *part : joined(sum, *part);
    }
    return sum.empty() ? Datum{} : Datum::of(ValueView::of_text(sum));
  }
  std::string_view joined(std::string_view a, std::string_view b) {
    auto* made = static_cast<char*>(input_.arena.allocate(a.size() + b.size(), 1));
    a.copy(made, a.size());
    b.copy(made + a.size(), b.size());
    return {made, a.size() + b.size()};
  }

  Datum squeeze(const Node& node) {
    const Datum datum = argument(node, 0);
    if (failed_ || datum.is_null()) return {};
    const auto source = text(datum);
    if (!source) return fail();
    input_.scratch.clear();
    append_squeezed(input_.scratch, *source);
    if (input_.scratch == *source) return source->empty() ? Datum{} : datum;
    return result(input_.scratch);
  }

  Datum person_name(const Node& node) {
    input_.scratch.clear();
    const Node& of = program_.nodes_[node.first];
    append_person_name(input_.scratch, input_.raw, program_.paths_[of.path]);
    return result(input_.scratch);
  }

  Datum timestamp(const Node& node) {
    const Datum datum = argument(node, 0);
    if (failed_ || datum.is_null()) return {};
    if (const auto at = instant(datum)) {
      return Datum::of(ValueView::of_number(*at, Tag::DateTime));
    }
    const auto written = text(datum);
    if (!written) return fail();
    if (const auto at = parse_datetime(*written)) {
      return Datum::of(ValueView::of_number(*at, Tag::DateTime));
    }
    const auto day = parse_date(*written);
    if (!day) return fail();
    return Datum::of(ValueView::of_number(*day * kMsPerDay, Tag::DateTime));
  }

  Datum date_add_min(const Node& node) {
    const Datum at = argument(node, 0);
    const Datum minutes = argument(node, 1);
    if (failed_ || at.is_null() || minutes.is_null()) return {};
    const auto from = instant(at);
    const auto count = number(minutes);
    const auto whole = count ? count->to_integer() : std::nullopt;
    if (!from || !whole) return fail();
    std::int64_t ms = 0;
    if (__builtin_mul_overflow(*whole, 60'000, &ms) || __builtin_add_overflow(*from, ms, &ms)) {
      return fail();
    }
    return Datum::of(ValueView::of_number(ms, Tag::DateTime));
  }

  Datum multiply(const Node& node) {
    const Datum a = argument(node, 0);
    const Datum b = argument(node, 1);
    if (failed_ || a.is_null() || b.is_null()) return {};
    const auto left = number(a);
    const auto right = number(b);
    if (!left || !right) return fail();
    const auto product = Decimal::multiply(*left, *right);
    return product ? Datum::of(*product) : fail();
  }

  Datum money(const Node& node) {
    const Datum amount = argument(node, 0);
    const Datum currency = argument(node, 1);
    if (failed_ || amount.is_null() || currency.is_null()) return {};
    const auto value = number(amount);
    const auto iso = text(currency);
    if (!value || !iso) return fail();
    return Datum::of(value->rounded(currency_digits(*iso)));
  }

  Datum domain(const Node& node) {
    const Datum datum = argument(node, 0);
    if (failed_ || datum.is_null()) return {};
    const auto address = text(datum);
    if (!address) return fail();
    return result(input_.domains.find(*address));
  }

  const Program& program_;
  const EvaluationInput& input_;
  bool failed_ = false;
};

bool Program::reads_meta() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return node.kind == Syntax::Kind::Variable &&
           (node.variable == Variable::MetaCommitTs || node.variable == Variable::MetaTouchedAt);
  });
}

Program::Outcome Program::run(const EvaluationInput& input) const {
  Evaluation evaluation(*this, input);
  Outcome out;
  out.datum = evaluation.eval(0);
  out.failed = evaluation.failed();
  if (out.failed) out.datum = {};
  return out;
}

}  // namespace headwater::crm
