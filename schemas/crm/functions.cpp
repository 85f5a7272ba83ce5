#include "schemas/crm/functions.hpp"

#include <algorithm>
#include <array>

#include "schemas/core/edit_distance.hpp"

namespace headwater::crm {
namespace {

constexpr FunctionInfo kFunctions[] = {
    // text
    {"lower"},
    {"upper"},
    {"title"},
    {"nfc"},
    {"trim"},
    {"squeeze", 1, 1, Function::Squeeze},
    {"concat", 1, kAnyNumber, Function::Concat},
    {"join", 2, kAnyNumber},
    {"split", 2, 2},
    {"at", 2, 2},
    {"substr", 2, 3},
    {"replace", 3, 3},
    {"regex_match", 2, 2},
    {"regex_extract", 2, 3},
    {"len"},
    // choice
    {"if", 3, 3, Function::If},
    {"coalesce", 1, kAnyNumber, Function::Coalesce},
    {"default", 2, 2, Function::Default},
    {"is_null", 1, 1, Function::IsNull},
    {"map", 2, 3},
    // numbers
    {"int"},
    {"decimal"},
    {"round", 1, 2},
    {"money", 2, 2, Function::Money},
    {"add", 2, 2},
    {"sub", 2, 2},
    {"mul", 2, 2, Function::Mul},
    {"div", 2, 2},
    {"min", 1, kAnyNumber},
    {"max", 1, kAnyNumber},
    // others
    {"bool"},
    {"date"},
    {"timestamp", 1, 1, Function::Timestamp},
    {"date_add_min", 2, 2, Function::DateAddMin},
    {"sort"},
    {"uniq"},
    {"first"},
    {"last"},
    // CRM
    {"e164", 2, 2},
    {"email"},
    {"domain", 1, 1, Function::Domain},
    {"url_host"},
    {"country_code"},
    {"person_name", 1, 1, Function::PersonName},
    {"id18"},
    {"hmac"},
    {"sha256"},
};

struct VariableInfo {
  std::string_view scope, name;
  Variable variable;
};
constexpr VariableInfo kVariables[] = {
    {"org", "name", Variable::OrgName},
    {"org", "bu", Variable::OrgBu},
    {"org", "region", Variable::OrgRegion},
    {"org", "currency", Variable::OrgCurrency},
    {"meta", "commit_ts", Variable::MetaCommitTs},
    {"meta", "touched_at", Variable::MetaTouchedAt},
};

}  // namespace

const FunctionInfo* find_function(std::string_view name) {
  const auto at = std::find_if(
      std::begin(kFunctions), std::end(kFunctions), [&](const auto& f) { return f.name == name; });
  return at == std::end(kFunctions) ? nullptr : at;
}

std::optional<Variable> find_variable(std::string_view scope, std::string_view name) {
  for (const auto& info : kVariables) {
    if (info.scope == scope && info.name == name) return info.variable;
  }
  return std::nullopt;
}

std::string_view nearest_function(std::string_view name) {
  std::string_view best;
  std::size_t best_distance = 3;  // a typing error or two
  for (const auto& info : kFunctions) {
    const std::size_t distance = edit_distance(name, info.name);
    if (distance < best_distance) {
      best = info.name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace headwater::crm
