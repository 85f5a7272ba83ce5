#include "tests/org/soql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "tests/org/text.hpp"

namespace headwater::org {
namespace {

struct Token {
  enum class Kind : std::uint8_t { Word, Text, Sign, End };
  Kind kind = Kind::End;
  std::string text;
};

Error malformed(std::string message) { return rejected(std::move(message), "MALFORMED_QUERY"); }

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_.:+-").find(c) != std::string_view::npos;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  return out;
}

Result<std::vector<Token>> tokenize(std::string_view soql) {
  std::vector<Token> out;
  for (std::size_t at = 0; at < soql.size();) {
    const char c = soql[at];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at;
    } else if (c == '\'') {
      Token token{Token::Kind::Text, {}};
      for (++at; at < soql.size() && soql[at] != '\''; ++at) {
        if (soql[at] == '\\' && at + 1 < soql.size()) ++at;
        token.text += soql[at];
      }
      if (at == soql.size()) return malformed("a string has no end");
      ++at;
      out.push_back(std::move(token));
    } else if (word_char(c)) {
      const auto from = at;
      while (at < soql.size() && word_char(soql[at])) ++at;
      out.push_back({Token::Kind::Word, std::string(soql.substr(from, at - from))});
    } else {
      const auto size =
          (c == '<' || c == '>' || c == '!') && soql.substr(at + 1, 1) == "=" ? 2U : 1U;
      out.push_back({Token::Kind::Sign, std::string(soql.substr(at, size))});
      at += size;
    }
  }
  out.push_back({});
  return out;
}

/// Recursive descent over the tokens; the first problem is kept and ends it.
class Parser {
 public:
  Parser(const Catalog& catalog, std::vector<Token> tokens)
      : catalog_(catalog), tokens_(std::move(tokens)) {}

  Result<Query> run() {
    std::vector<std::string> names;
    expect("SELECT");
    do names.push_back(word());
    while (sign(","));
    if (names.size() == 1 && upper(names.front()) == "COUNT" && sign("(")) {
      query_.count = true;
      if (!sign(")")) fail("expected ) after count(");
    }
    expect("FROM");
    const auto object = word();
    query_.object = catalog_.find(object);
    if (!problem_ && query_.object == nullptr) {
      problem_ = no_such_object(object);
    }
    if (problem_) return *problem_;
    if (!query_.count) {
      for (const auto& name : names) query_.fields.push_back(field(name));
    }
    if (keyword("WHERE")) {
      do condition();
      while (keyword("AND"));
    }
    if (keyword("ORDER")) order();
    if (keyword("LIMIT")) limit();
    if (peek().kind != Token::Kind::End) fail(fmt::format("unexpected token: '{}'", peek().text));
    if (problem_) return *problem_;
    return std::move(query_);
  }

 private:
  const Token& peek() const { return tokens_[at_]; }
  void fail(std::string message) {
    if (!problem_) problem_ = malformed(std::move(message));
    at_ = tokens_.size() - 1;
  }
  bool keyword(std::string_view wanted) {
    if (peek().kind != Token::Kind::Word || upper(peek().text) != wanted) return false;
    ++at_;
    return true;
  }
  bool sign(std::string_view wanted) {
    if (peek().kind != Token::Kind::Sign || peek().text != wanted) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view wanted) {
    if (!keyword(wanted)) fail(fmt::format("expecting {}, found '{}'", wanted, peek().text));
  }
  std::string word() {
    if (peek().kind != Token::Kind::Word) {
      fail(fmt::format("unexpected token: '{}'", peek().text));
      return {};
    }
    return tokens_[at_++].text;
  }
  RestField field(const std::string& name) {
    auto found = find_rest_field(*query_.object, name);
    if (found) return *found;
    if (!problem_) {
      problem_ =
          rejected(fmt::format("No such column '{}' on entity '{}'.", name, query_.object->name),
                   "INVALID_FIELD");
    }
    at_ = tokens_.size() - 1;
    return {};
  }
  void literal(Query::Condition& condition) {
    if (peek().kind != Token::Kind::Word && peek().kind != Token::Kind::Text) {
      return fail(fmt::format("unexpected token: '{}'", peek().text));
    }
    auto value = parse_literal(condition.field.type, tokens_[at_++].text);
    if (!value) return fail(value.error().message);
    condition.values.push_back(std::move(*value));
  }
  void condition() {
    if (sign("(")) {
      do condition();
      while (keyword("AND"));
      if (!sign(")")) fail("expected ) behind the conditions");
      return;
    }
    Query::Condition next;
    next.field = field(word());
    if (next.field.kind == RestField::Kind::Compound)
      return fail("a compound field cannot be filtered");
    if (keyword("NOT")) next.op = "NOT ";
    if (keyword("IN")) {
      next.op += "IN";
      if (!sign("(")) return fail("expected ( after IN");
      do literal(next);
      while (sign(","));
      if (!sign(")")) return fail("expected ) after the list");
    } else if (peek().kind == Token::Kind::Sign && next.op.empty()) {
      next.op = tokens_[at_++].text;
      static constexpr std::string_view kOps = " = != < <= > >= ";
      if (kOps.find(" " + next.op + " ") == std::string_view::npos)
        return fail("unknown operator " + next.op);
      literal(next);
    } else {
      return fail(fmt::format("unexpected token: '{}'", peek().text));
    }
    query_.where.push_back(std::move(next));
  }
  void order() {
    expect("BY");
    do {
      Query::Order next{field(word())};
      next.descending = keyword("DESC");
      if (!next.descending) keyword("ASC");
      query_.order_by.push_back(std::move(next));
    } while (sign(","));
  }
  void limit() {
    const auto text = word();
    std::size_t count = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), count).ec != std::errc()) {
      return fail("LIMIT needs a number");
    }
    query_.limit = count;
  }

  const Catalog& catalog_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Query query_;
  std::optional<Error> problem_;
};

bool holds(const Query::Condition& condition, const Value& value) {
  const auto& wanted = condition.values.front();
  if (condition.op == "=") return value == wanted;
  if (condition.op == "!=") return value != wanted;
  const bool among =
      std::find(condition.values.begin(), condition.values.end(), value) != condition.values.end();
  if (condition.op == "IN") return among;
  if (condition.op == "NOT IN") return !among;
  if (is_null(value) || is_null(wanted)) return false;
  if (condition.op == "<") return value < wanted;
  if (condition.op == "<=") return value <= wanted;
  if (condition.op == ">") return value > wanted;
  return value >= wanted;
}

}  // namespace

std::optional<RestField> find_rest_field(const ObjectDef& object, std::string_view name) {
  RestField field;
  field.name = name;
  if (name == "Id") {
    field.kind = RestField::Kind::Id;
    field.type = FieldType::Reference;
    return field;
  }
  if (const auto leaf = object.find_leaf(name); leaf && object.leaves[*leaf].rest_name == name) {
    if (object.fields[object.leaves[*leaf].field].hidden) return std::nullopt;
    field.leaf = *leaf;
    field.type = object.leaves[*leaf].type;
    return field;
  }
  for (std::size_t i = 0; i < object.fields.size(); ++i) {
    const auto type = object.fields[i].type;
    if (object.fields[i].name != name || object.fields[i].gone || object.fields[i].hidden) continue;
    field.kind =
        type == FieldType::PersonName ? RestField::Kind::JoinedName : RestField::Kind::Compound;
    field.field = i;
    field.type = type;
    return field;
  }
  return std::nullopt;
}

const Value& rest_field_value(const ObjectDef& object,
                              const Record& record,
                              const RestField& field,
                              Value& made) {
  if (field.kind == RestField::Kind::Id) return made = record.id;
  if (field.kind == RestField::Kind::JoinedName) return made = joined_name(object, record);
  const auto& leaf = object.leaves[field.leaf];
  if (leaf.top >= 0 && leaf.type != FieldType::SwitchableName) return record.values[field.leaf];
  return made = visible_value(object, record, field.leaf);
}

Error no_such_object(std::string_view object) {
  return rejected(fmt::format("sObject type '{}' is not supported.", object), "INVALID_TYPE");
}

Result<Query> parse_query(const Catalog& catalog, std::string_view soql) {
  auto tokens = tokenize(soql);
  if (!tokens) return tokens.error();
  return Parser(catalog, std::move(*tokens)).run();
}

namespace {

/// Records that one hold of the store's lock gives: commits wait for no more.
constexpr std::size_t kSliceMax = 1'000;

using Visit = std::function<void(const Record&)>;

bool selects(const Query& query, const Record& record) {
  Value made;
  return std::ranges::all_of(query.where, [&](const Query::Condition& condition) {
    return holds(condition, rest_field_value(*query.object, record, condition.field, made));
  });
}

/// The ids that a condition names, sorted; nothing: none does.
std::optional<std::vector<std::string>> named_ids(const Query& query) {
  for (const auto& condition : query.where) {
    if (condition.field.kind != RestField::Kind::Id) continue;
    if (condition.op != "=" && condition.op != "IN") continue;
    std::vector<std::string> ids;
    for (const auto& value : condition.values) {
      if (const auto* id = std::get_if<std::string>(&value)) ids.push_back(*id);
    }
    std::ranges::sort(ids);
    ids.erase(std::ranges::unique(ids).begin(), ids.end());
    return ids;
  }
  return std::nullopt;
}

/// No selected id lies before it.
std::string least_id(const Query& query) {
  std::string least;
  for (const auto& condition : query.where) {
    const bool bounds = condition.op == ">" || condition.op == ">=";
    if (condition.field.kind != RestField::Kind::Id || !bounds) continue;
    if (const auto* id = std::get_if<std::string>(&condition.values.front()))
      least = std::max(least, *id);
  }
  return least;
}

/// By id, ascending.
void select_by_id(const Store& store, const Query& query, bool with_deleted, const Visit& visit) {
  std::size_t left = query.limit.value_or(static_cast<std::size_t>(-1));
  const auto take = [&](const Record& record) {
    if (left == 0 || !selects(query, record)) return;
    visit(record);
    --left;
  };
  if (const auto ids = named_ids(query)) {
    for (const auto& id : *ids) {
      store.with(*query.object, id, [&](const Record& record) {
        if (with_deleted || !record.deleted) take(record);
      });
    }
    return;
  }
  for (auto from = least_id(query); left > 0;) {
    std::size_t seen = 0;
    std::string last;
    store.walk(*query.object, with_deleted, from, [&](const Record& record) {
      take(record);
      last = record.id;
      return ++seen < kSliceMax && left > 0;
    });
    if (seen < kSliceMax) return;
    from = last + '\0';  // the first id behind it
  }
}

}  // namespace

void select(const Store& store, const Query& query, bool with_deleted, const Visit& visit) {
  const auto& order = query.order_by;
  if (order.empty() || (order.size() == 1 && order.front().field.kind == RestField::Kind::Id &&
                        !order.front().descending))
    return select_by_id(store, query, with_deleted, visit);
  std::vector<Record> out;
  Query unordered = query;
  unordered.limit.reset();
  select_by_id(
      store, unordered, with_deleted, [&](const Record& record) { out.push_back(record); });
  std::ranges::stable_sort(out, [&query](const Record& a, const Record& b) {
    Value of_a, of_b;
    for (const auto& by : query.order_by) {
      const auto& left = rest_field_value(*query.object, a, by.field, of_a);
      const auto& right = rest_field_value(*query.object, b, by.field, of_b);
      if (left == right) continue;
      return by.descending ? right < left : left < right;
    }
    return false;
  });
  if (query.limit && out.size() > *query.limit) out.resize(*query.limit);
  std::ranges::for_each(out, visit);
}

}  // namespace headwater::org
