#pragma once

#include <functional>
#include <map>
#include <string>

#include "config/mapping_places.hpp"
#include "config/node.hpp"
#include "schemas/crm/mapping.hpp"

namespace headwater::config {

// The sections of a mapping file besides its entities. Shapes are checked as the format has them;
// what this build cannot do yet is then a problem of its own, so that nothing is ignored.

using OrgBlocks = std::map<std::string, crm::OrgBlock, std::less<>>;

void read_orgs(Node& root, OrgBlocks& orgs);
void check_bu_rules(Node& root, Places& places);
/// `validate:` of one entity.
void check_validation(Node& entity, Places& places);
void check_pii(Node& root);
void check_identity(Node& root);

/// Parses the expression under `key`, its problems placed. An unusable one reads as null.
crm::Expression read_expression(Node& node, std::string_view key, Places& places);

}  // namespace headwater::config
