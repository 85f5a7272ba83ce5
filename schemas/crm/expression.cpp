#include "schemas/crm/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "schemas/crm/functions.hpp"
#include "schemas/crm/lexer.hpp"

namespace headwater::crm {
namespace {

using Kind = Syntax::Kind;

constexpr std::array<std::string_view, 7> kReserved{
    "and", "or", "not", "in", "true", "false", "null"};

bool reserved(std::string_view name) {
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

/// Recursive descent over section 9's grammar: one function per rule. A rule gives nothing after a
/// problem, and then so do all above it.
class Parser {
 public:
  Parser(const std::vector<Token>& tokens, std::vector<ExpressionProblem>& problems)
      : tokens_(tokens), problems_(problems) {}

  std::optional<Syntax> run() {
    auto out = expr();
    if (out && now().kind != Token::Kind::End) {
      return fail(now().offset, fmt::format("unexpected {} after the expression", shown(now())));
    }
    return out;
  }

 private:
  using Parsed = std::optional<Syntax>;

  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool take(std::string_view sign) {
    if (!now().sign(sign)) return false;
    ++at_;
    return true;
  }
  Parsed fail(std::size_t offset, std::string what) {
    problems_.push_back({offset, std::move(what)});
    return std::nullopt;
  }
  static std::string shown(const Token& token) {
    switch (token.kind) {
      case Token::Kind::Name:
      case Token::Kind::Sign:
        return token.text;
      case Token::Kind::Quoted:
        return "`" + token.text + "`";
      case Token::Kind::Text:
        return "a string";
      case Token::Kind::Number:
        return "a number";
      case Token::Kind::End:
        return "end";
    }
    return {};
  }
  static Syntax node(Kind kind, std::size_t offset, std::vector<Syntax> children = {}) {
    Syntax out;
    out.kind = kind;
    out.offset = offset;
    for (const auto& child : children) out.levels = std::max(out.levels, child.levels + 1);
    out.children = std::move(children);
    return out;
  }

  Parsed expr() {
    if (++depth_ > kExpressionLevelsMax) {
      return fail(now().offset, fmt::format("more than {} levels deep", kExpressionLevelsMax));
    }
    auto out = chain(Kind::Or, "or", &Parser::conjunction);
    --depth_;
    return out;
  }
  Parsed conjunction() { return chain(Kind::And, "and", &Parser::negation); }

  Parsed chain(Kind kind, std::string_view word, Parsed (Parser::*operand)()) {
    const std::size_t offset = now().offset;
    auto first = (this->*operand)();
    if (!first || !now().word(word)) return first;
    std::vector<Syntax> operands;
    operands.push_back(std::move(*first));
    while (now().word(word)) {
      ++at_;
      auto more = (this->*operand)();
      if (!more) return std::nullopt;
      operands.push_back(std::move(*more));
    }
    return node(kind, offset, std::move(operands));
  }

  Parsed negation() {
    std::vector<std::size_t> nots;
    for (; now().word("not"); ++at_) nots.push_back(now().offset);
    auto out = comparison();
    for (; out && !nots.empty(); nots.pop_back()) {
      std::vector<Syntax> operand;
      operand.push_back(std::move(*out));
      out = node(Kind::Not, nots.back(), std::move(operand));
    }
    return out;
  }

  std::optional<Kind> comparison_sign() const {
    static constexpr std::pair<std::string_view, Kind> kSigns[] = {{"==", Kind::Equal},
                                                                   {"!=", Kind::NotEqual},
                                                                   {"<", Kind::Less},
                                                                   {"<=", Kind::LessEqual},
                                                                   {">", Kind::Greater},
                                                                   {">=", Kind::GreaterEqual}};
    for (const auto& [sign, kind] : kSigns) {
      if (now().sign(sign)) return kind;
    }
    if (now().word("in")) return Kind::In;
    return std::nullopt;
  }

  Parsed comparison() {
    const std::size_t offset = now().offset;
    auto left = pipe();
    if (!left) return std::nullopt;
    const auto kind = comparison_sign();
    if (!kind) return left;
    ++at_;
    auto right = pipe();
    if (!right) return std::nullopt;
    if (comparison_sign()) {
      return fail(now().offset, "comparisons do not chain: write a < b and b < c");
    }
    std::vector<Syntax> sides;
    sides.push_back(std::move(*left));
    sides.push_back(std::move(*right));
    return node(*kind, offset, std::move(sides));
  }

  Parsed pipe() {
    auto out = value();
    while (out && take("|")) {
      const Token& name = now();
      if (name.kind != Token::Kind::Name || reserved(name.text)) {
        return fail(name.offset, fmt::format("after | stands a function, found {}", shown(name)));
      }
      ++at_;
      std::vector<Syntax> arguments;
      arguments.push_back(std::move(*out));
      if (take("(") && !rest_of_arguments(arguments)) return std::nullopt;
      out = node(Kind::Call, name.offset, std::move(arguments));
      out->text = name.text;
    }
    return out;
  }

  /// After `(`: arguments and `)`.
  bool rest_of_arguments(std::vector<Syntax>& arguments) {
    if (take(")")) return true;
    for (;;) {
      auto argument = expr();
      if (!argument) return false;
      arguments.push_back(std::move(*argument));
      if (take(")")) return true;
      if (!take(",")) {
        fail(now().offset, fmt::format("expected , or ) in the arguments, found {}", shown(now())));
        return false;
      }
    }
  }

  Parsed value() {
    const Token& token = now();
    if (take("(")) {
      auto inner = expr();
      if (inner && !take(")")) {
        return fail(now().offset, fmt::format("expected ), found {}", shown(now())));
      }
      return inner;
    }
    if (token.sign("[")) return list();
    if (token.sign("{")) return map();
    if (token.sign("$")) return variable();
    if (is_literal(token)) return literal();
    if (token.kind == Token::Kind::Name && next().sign("(") && !reserved(token.text)) {
      at_ += 2;
      std::vector<Syntax> arguments;
      if (!rest_of_arguments(arguments)) return std::nullopt;
      auto out = node(Kind::Call, token.offset, std::move(arguments));
      out.text = token.text;
      return out;
    }
    return path();
  }

  static bool is_literal(const Token& token) {
    return token.kind == Token::Kind::Text || token.kind == Token::Kind::Number ||
           token.word("true") || token.word("false") || token.word("null");
  }

  Parsed literal() {
    const Token& token = now();
    if (!is_literal(token)) {
      return fail(token.offset,
                  fmt::format("only literals may stand here, found {}", shown(token)));
    }
    ++at_;
    Syntax out = node(Kind::Null, token.offset);
    if (token.kind == Token::Kind::Text) {
      out.kind = Kind::Text;
      out.text = token.text;
    } else if (token.kind == Token::Kind::Number) {
      out.kind = Kind::Number;
      out.number = token.number;
    } else if (token.text != "null") {
      out.kind = token.text == "true" ? Kind::True : Kind::False;
    }
    return out;
  }

  Parsed list() {
    const std::size_t offset = now().offset;
    ++at_;
    std::vector<Syntax> items;
    while (!take("]")) {
      if (!items.empty() && !take(",")) {
        return fail(now().offset,
                    fmt::format("expected , or ] in the list, found {}", shown(now())));
      }
      auto item = literal();
      if (!item) return std::nullopt;
      items.push_back(std::move(*item));
    }
    return node(Kind::List, offset, std::move(items));
  }

  Parsed map() {
    const std::size_t offset = now().offset;
    ++at_;
    std::vector<Syntax> pairs;
    while (!take("}")) {
      if (!pairs.empty() && !take(",")) {
        return fail(now().offset,
                    fmt::format("expected , or }} in the map, found {}", shown(now())));
      }
      if (now().kind != Token::Kind::Text) {
        return fail(now().offset, fmt::format("a map's key is a string, found {}", shown(now())));
      }
      const std::size_t key_offset = now().offset;
      auto key = literal();
      for (std::size_t i = 0; i < pairs.size(); i += 2) {
        if (pairs[i].text == key->text) return fail(key_offset, "the map has this key twice");
      }
      pairs.push_back(std::move(*key));
      if (!take(":")) {
        return fail(now().offset, fmt::format("expected : after the key, found {}", shown(now())));
      }
      auto item = literal();
      if (!item) return std::nullopt;
      pairs.push_back(std::move(*item));
    }
    return node(Kind::Map, offset, std::move(pairs));
  }

  Parsed variable() {
    const std::size_t offset = now().offset;
    ++at_;
    std::array<std::string, 2> words;
    for (std::size_t i = 0; i < 2; ++i) {
      if (i == 1 && !take(".")) return fail(offset, "a variable reads $org.name or $meta.name");
      if (now().kind != Token::Kind::Name) {
        return fail(offset, "a variable reads $org.name or $meta.name");
      }
      words[i] = now().text;
      ++at_;
    }
    const auto found = find_variable(words[0], words[1]);
    if (!found) {
      return fail(offset,
                  fmt::format("no variable ${}.{}: there are $org.name, $org.bu, $org.region, "
                              "$org.currency, $meta.commit_ts and $meta.touched_at",
                              words[0],
                              words[1]));
    }
    Syntax out = node(Kind::Variable, offset);
    out.variable = *found;
    return out;
  }

  Parsed path() {
    Syntax out = node(Kind::Path, now().offset);
    for (;;) {
      const Token& field = now();
      const bool name = field.kind == Token::Kind::Name && !reserved(field.text);
      if (!name && field.kind != Token::Kind::Quoted) return no_value(field);
      if (field.text.ends_with("__r")) {
        return fail(
            field.offset,
            fmt::format("{} leads to another record: an expression sees one record", field.text));
      }
      out.text += field.text;
      ++at_;
      if (!take(".")) break;
      out.text.push_back('.');
    }
    if (out.text == "RecordType") {  // of no event: the org's facts name it
      out.kind = Kind::Variable;
      out.variable = Variable::RecordType;
    }
    return out;
  }

  Parsed no_value(const Token& token) {
    if (token.kind == Token::Kind::Name) {
      return fail(token.offset,
                  fmt::format("{0} is reserved: write `{0}` for a field of that name", token.text));
    }
    return fail(token.offset, fmt::format("expected a value, found {}", shown(token)));
  }

  const std::vector<Token>& tokens_;
  std::vector<ExpressionProblem>& problems_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

/// Names, numbers of arguments, and values where they fit; resolves calls.
class Checker {
 public:
  Checker(std::vector<ExpressionProblem>& problems, std::vector<std::string>& paths)
      : problems_(problems), paths_(paths) {}

  void check(Syntax& node, bool list_fits = false, bool map_fits = false) {
    if (node.kind == Kind::List && !list_fits) {
      fail(node, "a list fits only after in and as a function's list argument");
    }
    if (node.kind == Kind::Map && !map_fits) fail(node, "a map fits only as map's second argument");
    if (node.kind == Kind::Path) paths_.push_back(node.text);
    if (node.kind == Kind::Variable && node.variable == Variable::RecordType) {
      paths_.emplace_back(kRecordTypeId);
    }
    if (node.kind == Kind::Call) check_call(node);
    const bool maps = node.kind == Kind::Call && node.text == "map";
    const bool lists = node.kind == Kind::Call && takes_lists(node.text);
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      check(node.children[i], lists || (node.kind == Kind::In && i == 1), maps && i == 1);
    }
  }

 private:
  static bool takes_lists(std::string_view function) {
    static constexpr std::array<std::string_view, 7> kOfLists{
        "join", "at", "sort", "uniq", "first", "last", "len"};
    return std::find(kOfLists.begin(), kOfLists.end(), function) != kOfLists.end();
  }
  void fail(const Syntax& node, std::string what) {
    problems_.push_back({node.offset, std::move(what)});
  }
  void check_call(Syntax& node) {
    const FunctionInfo* info = find_function(node.text);
    if (info == nullptr) {
      const auto near = nearest_function(node.text);
      fail(node,
           near.empty() ? fmt::format("no function {}", node.text)
                        : fmt::format("no function {}, did you mean {}?", node.text, near));
      return;
    }
    const std::size_t count = node.children.size();
    if (count < info->least || count > info->most) {
      fail(node, fmt::format("{} takes {}, got {}", node.text, bounds(*info), count));
    }
    if (!info->function) {
      fail(node, fmt::format("function {} is not available yet", node.text));
      return;
    }
    node.function = *info->function;
    if (node.function == Function::PersonName && count == 1 &&
        node.children[0].kind != Kind::Path) {
      fail(node, "person_name takes a path, as in person_name(Name)");
    }
  }
  static std::string bounds(const FunctionInfo& info) {
    const auto noun = [](std::size_t n) { return n == 1 ? "argument" : "arguments"; };
    if (info.most == kAnyNumber) return fmt::format("at least {} {}", info.least, noun(info.least));
    if (info.least == info.most) return fmt::format("{} {}", info.least, noun(info.least));
    return fmt::format("{} to {} arguments", info.least, info.most);
  }

  std::vector<ExpressionProblem>& problems_;
  std::vector<std::string>& paths_;
};

}  // namespace

Expression Expression::parse(std::string_view text, std::vector<ExpressionProblem>& problems) {
  Expression out;
  if (text.size() > kExpressionBytesMax) {
    problems.push_back({0,
                        fmt::format("the expression has {} bytes, at most {} are allowed",
                                    text.size(),
                                    kExpressionBytesMax)});
    return out;
  }
  std::vector<Token> tokens;
  if (!lex(text, tokens, problems)) return out;
  auto root = Parser(tokens, problems).run();
  if (!root) return out;
  if (root->levels > kExpressionLevelsMax) {
    problems.push_back({0, fmt::format("more than {} levels deep", kExpressionLevelsMax)});
    return out;
  }
  Checker(problems, out.paths_).check(*root);
  out.root_ = std::move(*root);
  std::sort(out.paths_.begin(), out.paths_.end());
  out.paths_.erase(std::unique(out.paths_.begin(), out.paths_.end()), out.paths_.end());
  return out;
}

}  // namespace headwater::crm
