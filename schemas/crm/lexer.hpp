#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/crm/decimal.hpp"
#include "schemas/crm/expression.hpp"

namespace headwater::crm {

struct Token {
  enum class Kind : std::uint8_t { Name, Quoted, Text, Number, Sign, End };
  Kind kind = Kind::End;
  std::size_t offset = 0;
  std::string text;  ///< name; content of `…`; decoded string; the sign: `(` `==` `|` …
  Decimal number;

  bool is(Kind k, std::string_view t) const { return kind == k && text == t; }
  bool sign(std::string_view t) const { return is(Kind::Sign, t); }
  bool word(std::string_view t) const { return is(Kind::Name, t); }
};

/// Cuts an expression into tokens, the last of which is End. False after the first problem.
bool lex(std::string_view text,
         std::vector<Token>& tokens,
         std::vector<ExpressionProblem>& problems);

}  // namespace headwater::crm
