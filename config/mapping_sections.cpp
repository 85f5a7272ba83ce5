#include "config/mapping_sections.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "schemas/core/ids.hpp"
#include "schemas/crm/expression.hpp"

namespace headwater::config {
namespace {

const std::vector<std::string> kClasses{"public", "internal", "confidential", "restricted"};
const std::vector<std::string> kPiiTags{
    "email", "phone", "name", "address", "birthdate", "gov_id", "free_text", "none"};
const std::vector<std::string> kActions{"keep", "drop", "null", "mask", "hmac", "encrypt"};

void not_available(const Node& node, std::string_view key, std::string_view what) {
  node.problem(key, fmt::format("{} not available yet: remove this", what));
}

/// An action on personal data. Only `keep` is done so far.
void check_action(Node& node, const std::string& key) {
  if (node.one_of(key, "keep", kActions) != "keep") {
    node.problem(key, "this action is not available yet: keep is the only one");
  }
}

void check_sink(Node sink) {
  for (const auto& key : sink.keys()) {
    if (key == "overrides") {
      Node overrides = sink.child(key);
      for (const auto& topic : overrides.keys()) {
        Node tags = overrides.child(topic);
        for (const auto& tag : tags.keys()) check_action(tags, tag);
      }
    } else if (key == "key_values" ||
               std::find(kClasses.begin(), kClasses.end(), key) != kClasses.end()) {
      check_action(sink, key);
    } else {
      sink.problem(key,
                   fmt::format("unknown key: a class ({}), key_values or overrides",
                               fmt::join(kClasses, ", ")));
    }
  }
}

}  // namespace

crm::Expression read_expression(Node& node, std::string_view key, Places& places) {
  const std::string text = node.text(key);
  if (text.empty()) return {};  // told already: the key is required
  std::vector<crm::ExpressionProblem> problems;
  auto expression = crm::Expression::parse(text, problems);
  for (auto& problem : problems) places.add(node, key, problem.offset, std::move(problem.what));
  return expression;
}

void read_orgs(Node& root, OrgBlocks& orgs) {
  Node blocks = root.child("orgs");
  for (const auto& name : blocks.keys()) {
    if (!OrgName::parse(name)) {
      blocks.problem(name,
                     "an org's name has 1 to 24 of a-z, 0-9 and -, and does not start with -");
    }
    Node block = blocks.child(name);
    crm::OrgBlock read{block.text("bu", ""), block.text("region", ""), block.text("currency", "")};
    if (!read.bu.empty() && !OrgName::parse(read.bu)) {
      block.problem("bu",
                    "a business unit has 1 to 24 of a-z, 0-9 and -, and does not start with -");
    }
    orgs[name] = std::move(read);
  }
}

void check_bu_rules(Node& root, Places& places) {
  for (Node& rule : root.items("bu_rules")) {
    rule.text("org", "");
    rule.texts("object");
    if (rule.has("inherit")) {
      rule.text("inherit");
    } else {
      if (rule.has("when")) read_expression(rule, "when", places);
      rule.text("set");
    }
  }
  if (root.has("bu_rules")) not_available(root, "bu_rules", "business unit rules are");
}

void check_validation(Node& entity, Places& places) {
  static const std::vector<std::string> kRules{"required",
                                               "type",
                                               "regex",
                                               "range",
                                               "length",
                                               "enum",
                                               "date_range",
                                               "ref_exists",
                                               "unique_in_org",
                                               "expr"};
  for (Node& rule : entity.items("validate")) {
    const std::string kind = rule.one_of("rule", "", kRules);
    if (kind.empty()) rule.problem("rule", "is required");
    rule.one_of("on", "warn", {"warn", "quarantine_field", "withhold"});
    if (kind != "expr") rule.text("field");
    if (kind == "regex") rule.text("pattern");
    if (kind == "enum") rule.texts("values");
    if (kind == "range" || kind == "length" || kind == "date_range") {
      rule.text("min", "");
      rule.text("max", "");
    }
    if (kind == "expr") read_expression(rule, "expr", places);
  }
  if (entity.has("validate")) not_available(entity, "validate", "validation is");
}

void check_pii(Node& root) {
  Node pii = root.child("pii");
  pii.one_of("default_unmapped", "confidential", kClasses);
  Node classes = pii.child("classes");
  for (const auto& tag : classes.keys()) {
    if (std::find(kPiiTags.begin(), kPiiTags.end(), tag) == kPiiTags.end()) {
      classes.problem(tag, fmt::format("unknown tag: one of {}", fmt::join(kPiiTags, ", ")));
    }
    classes.one_of(tag, "confidential", kClasses);
  }
  Node sinks = pii.child("sinks");
  for (const auto& sink : sinks.keys()) check_sink(sinks.child(sink));
}

void check_identity(Node& root) {
  if (!root.has("identity")) return;
  Node identity = root.child("identity");
  identity.text("file", "");
  not_available(root, "identity", "identity resolution is");
}

}  // namespace headwater::config
