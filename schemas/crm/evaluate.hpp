#pragma once

#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/crm/decimal.hpp"
#include "schemas/crm/expression.hpp"
#include "schemas/crm/source.hpp"
#include "schemas/crm/text.hpp"

namespace headwater::crm {

/// A value while an expression computes: a source value, or a number that is no double yet.
struct Datum {
  ValueView value;
  bool exact = false;  ///< `number` holds it, not `value`
  Decimal number;

  static Datum of(const ValueView& v) { return {v, false, {}}; }
  static Datum of(const Decimal& d) { return {{}, true, d}; }
  bool is_null() const { return !exact && nothing(value); }
};

/// What `$org.…` and `RecordType` stand for. Empty texts are null.
struct OrgVariables {
  std::string_view name, bu, region, currency;
  const RecordTypes* record_types = nullptr;  ///< nullptr: none is known
};

/// The record at hand and where results may live. `scratch` is only memory that is reused,
/// `domains` what was found before. `record_type_unknown`, if any, is told of an id without a name.
struct EvaluationInput {
  const RawSlots& raw;
  const StateFacts& facts;
  std::pmr::memory_resource& arena;
  std::string& scratch;
  DomainMemo& domains;
  std::string_view* record_type_unknown = nullptr;
};

/// An expression compiled against the name table of one object: paths are slots. Borrows texts from
/// the expression and the org's variables. Immutable; any thread.
class Program {
 public:
  Program(const Expression& expression, const SourceNames& names, const OrgVariables& org);

  struct Outcome {
    Datum datum;
    bool failed = false;  ///< an error: the field is null, and what was read stays in `raw`
  };
  Outcome run(const EvaluationInput& input) const;
  /// True if it reads StateFacts other than the id, which change without any field doing so.
  bool reads_meta() const;

 private:
  friend class Evaluation;
  struct Node {
    Syntax::Kind kind = Syntax::Kind::Null;
    Function function = Function::If;
    Variable variable = Variable::OrgName;
    std::uint32_t first = 0, count = 0;  // children in nodes_
    std::uint32_t path = 0;              // in paths_; of RecordType: its id's
    Datum constant;
  };
  void compile(std::size_t at,
               const Syntax& syntax,
               const SourceNames& names,
               const OrgVariables& org);

  std::vector<Node> nodes_;  // the root first, the children of a node side by side
  std::vector<SourcePath> paths_;
  const RecordTypes* record_types_;
};

}  // namespace headwater::crm
