#include "schemas/crm/lexer.hpp"

#include <algorithm>
#include <array>

namespace headwater::crm {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

class Lexer {
 public:
  Lexer(std::string_view text, std::vector<Token>& tokens, std::vector<ExpressionProblem>& problems)
      : text_(text), tokens_(tokens), problems_(problems) {}

  bool run() {
    for (;;) {
      while (at_ < text_.size() && is_space(text_[at_])) ++at_;
      Token token;
      token.offset = at_;
      if (at_ == text_.size()) {
        tokens_.push_back(std::move(token));
        return true;
      }
      if (!take(token)) return false;
      tokens_.push_back(std::move(token));
    }
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool fail(std::size_t offset, std::string what) {
    problems_.push_back({offset, std::move(what)});
    return false;
  }

  bool take(Token& token) {
    const char c = peek();
    if (is_letter(c)) {
      token.kind = Token::Kind::Name;
      while (at_ < text_.size() && is_name_part(text_[at_])) token.text.push_back(text_[at_++]);
      return true;
    }
    if (is_digit(c) || (c == '-' && is_digit(peek(1)))) return take_number(token);
    if (c == '"') return take_string(token);
    if (c == '`') return take_quoted(token);
    return take_sign(token);
  }

  bool take_sign(Token& token) {
    static constexpr std::array<std::string_view, 18> kSigns{"==",
                                                             "!=",
                                                             "<=",
                                                             ">=",
                                                             "<",
                                                             ">",
                                                             "|",
                                                             "(",
                                                             ")",
                                                             "[",
                                                             "]",
                                                             "{",
                                                             "}",
                                                             ",",
                                                             ":",
                                                             ".",
                                                             "$",
                                                             "="};
    token.kind = Token::Kind::Sign;
    for (const auto sign : kSigns) {
      if (!text_.substr(at_).starts_with(sign)) continue;
      if (sign == "=") return fail(at_, "= alone means nothing here: equality is ==");
      token.text = sign;
      at_ += sign.size();
      return true;
    }
    const char c = peek();
    if (c == '\'') return fail(at_, "strings stand in double quotes");
    if (c == '+' || c == '-' || c == '*' || c == '/') {
      return fail(at_, "there is no infix arithmetic: use add, sub, mul or div");
    }
    return fail(at_, "unexpected character");
  }

  bool take_number(Token& token) {
    const std::size_t from = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0' && is_digit(peek(1))) return fail(from, "a number has no leading zeros");
    while (is_digit(peek())) ++at_;
    if (peek() == '.') {
      ++at_;
      if (!is_digit(peek())) return fail(from, "a number needs digits after its point");
      while (is_digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return fail(from, "a number needs digits in its exponent");
      while (is_digit(peek())) ++at_;
    }
    if (is_name_part(peek())) return fail(from, "a name starts with a letter");
    const auto number = Decimal::parse(text_.substr(from, at_ - from));
    if (!number) return fail(from, "the number is too large or too small");
    token.kind = Token::Kind::Number;
    token.number = *number;
    return true;
  }

  bool take_quoted(Token& token) {
    const std::size_t from = at_++;
    const auto end = text_.find('`', at_);
    if (end == std::string_view::npos) return fail(from, "the quoted field has no closing `");
    if (end == at_) return fail(from, "a quoted field must have a name");
    token.kind = Token::Kind::Quoted;
    token.text = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }

  bool take_string(Token& token) {
    const std::size_t from = at_++;
    token.kind = Token::Kind::Text;
    for (;;) {
      if (at_ == text_.size()) return fail(from, "the string has no closing quote");
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c == '\\') {
        if (!take_escape(token.text)) return false;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        return fail(at_ - 1, "control characters in a string are written as escapes");
      } else {
        token.text.push_back(c);
      }
    }
  }

  bool take_escape(std::string& out) {
    static constexpr std::string_view kFrom = "\"\\/bfnrt";
    static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    const std::size_t from = at_ - 1;
    const char c = peek();
    ++at_;
    if (const auto i = kFrom.find(c); c != '\0' && i != std::string_view::npos) {
      out.push_back(kTo[i]);
      return true;
    }
    std::uint32_t code = 0;
    if (c != 'u' || !take_hex(code)) return fail(from, "not an escape of JSON strings");
    if (code >= 0xd800 && code < 0xe000) {
      std::uint32_t low = 0;
      if (code >= 0xdc00 || peek() != '\\' || peek(1) != 'u') return fail(from, "half a character");
      at_ += 2;
      if (!take_hex(low) || low < 0xdc00 || low > 0xdfff) return fail(from, "half a character");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, code);
    return true;
  }

  bool take_hex(std::uint32_t& code) {
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      std::uint32_t digit = 0;
      if (is_digit(c)) {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<std::uint32_t>(c - 'a' + 10);
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<std::uint32_t>(c - 'A' + 10);
      } else {
        return false;
      }
      code = code << 4 | digit;
      ++at_;
    }
    return true;
  }

  std::string_view text_;
  std::vector<Token>& tokens_;
  std::vector<ExpressionProblem>& problems_;
  std::size_t at_ = 0;
};

}  // namespace

bool lex(std::string_view text,
         std::vector<Token>& tokens,
         std::vector<ExpressionProblem>& problems) {
  return Lexer(text, tokens, problems).run();
}

}  // namespace headwater::crm
