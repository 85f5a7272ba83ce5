#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/node.hpp"
#include "schemas/crm/mapping.hpp"

namespace headwater::config {

/// A mapping file's name, as problems show it, and its bytes.
struct MappingText {
  std::string name;
  std::string text;
};

/// Reads mapping files (unified-model.md section 9) on top of the built-in one. Every problem of
/// every file goes to `problems`, an expression's with the place in its text; nullptr if there was
/// one.
///
/// What the format has and this build has not (business unit rules, validation, PII actions,
/// identity, some functions) is a problem, never ignored.
std::shared_ptr<const crm::Mapping> parse_mapping(const std::vector<MappingText>& files,
                                                  Problems& problems);
std::shared_ptr<const crm::Mapping> load_mapping(const std::vector<std::string>& paths,
                                                 Problems& problems);

/// Reads back what Mapping::source() gave, with the same digest: the mapping that a ledger's images
/// were made by. Rejected if this build cannot read it any more.
Result<std::shared_ptr<const crm::Mapping>> read_mapping(const std::string& source);

}  // namespace headwater::config
