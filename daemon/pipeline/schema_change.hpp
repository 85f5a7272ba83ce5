#pragma once

#include <string>
#include <vector>

#include "schemas/avro/plan.hpp"

namespace headwater {

/// What became of an object's fields from one schema to another: for the line that tells it. Custom
/// fields are known by their field id (`00N…`), so that a renamed one is no new one. Names and
/// types only, never values. Pure.
struct SchemaChange {
  std::vector<std::string> added, removed;
  std::vector<std::string> renamed;  ///< `Old__c to New__c`
  std::vector<std::string> retyped;  ///< `Size__c from Text to Double`

  bool empty() const {
    return added.empty() && removed.empty() && renamed.empty() && retyped.empty();
  }
};
SchemaChange schema_change(const avro::Plan& before, const avro::Plan& after);

/// At most a few names of each kind: `added: A__c, B__c and 12 more; removed: C__c`.
std::string in_words(const SchemaChange& change);

}  // namespace headwater
