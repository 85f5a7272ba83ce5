#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schemas/crm/decimal.hpp"

namespace headwater::crm {

/// Bounds of one expression (unified-model.md section 9).
inline constexpr std::size_t kExpressionBytesMax = 4096;
inline constexpr int kExpressionLevelsMax = 32;

/// Functions that an expression may call in this build.
enum class Function : std::uint8_t {
  If,
  Coalesce,
  Default,
  IsNull,
  Concat,
  Squeeze,
  PersonName,
  Timestamp,
  DateAddMin,
  Mul,
  Money,
  Domain
};

enum class Variable : std::uint8_t {
  OrgName,
  OrgBu,
  OrgRegion,
  OrgCurrency,
  MetaCommitTs,
  MetaTouchedAt,
  RecordType,  ///< written as a path
};

/// The source path behind `RecordType`, the developer name of a record's type.
inline constexpr std::string_view kRecordTypeId = "RecordTypeId";

/// A node of the syntax tree. `x | f(a)` is the call f(x, a).
struct Syntax {
  enum class Kind : std::uint8_t {
    Null,
    True,
    False,
    Number,
    Text,  // literals
    List,
    Map,
    Path,
    Variable,
    Call,
    Or,
    And,
    Not,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In
  };
  Kind kind = Kind::Null;
  std::size_t offset = 0;            ///< where it begins in the expression's text
  int levels = 1;                    ///< height of the tree below and with this node
  std::string text;                  ///< Text: the string; Path: `Name.FirstName`; Call: its name
  Decimal number;                    ///< Number
  Function function = Function::If;  ///< Call
  Variable variable = Variable::OrgName;
  std::vector<Syntax> children;  ///< operands, arguments, items; of a map key, value, key, value …
};

/// Something wrong with an expression's text, at a byte of it.
struct ExpressionProblem {
  std::size_t offset = 0;
  std::string what;
};

/// One expression of a mapping file: parsed, and checked for names, arguments and bounds.
/// Immutable.
class Expression {
 public:
  /// All problems found go to `problems`; the expression is usable only if there was none. Lexing
  /// and parsing stop at their first problem, checking finds all.
  static Expression parse(std::string_view text, std::vector<ExpressionProblem>& problems);

  const Syntax& root() const { return root_; }
  /// Source paths that it reads, each once, sorted.
  const std::vector<std::string>& paths() const { return paths_; }
  /// True for a lone path: the field is the source's value, converted by its type alone.
  bool is_bare() const { return root_.kind == Syntax::Kind::Path; }

 private:
  Syntax root_;
  std::vector<std::string> paths_;
};

}  // namespace headwater::crm
