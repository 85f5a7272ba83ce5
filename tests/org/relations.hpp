#pragma once

#include <string>
#include <vector>

#include "tests/org/store.hpp"

namespace headwater::org {

/// The statements of a lead's conversion (salesforce.md 7.10): account, contact, perhaps an
/// opportunity, the lead itself without LastModifiedDate, and its tasks and events, which move to
/// the contact. Empty: no such lead.
std::vector<Dml> convert_lead(Store& store, const std::string& lead, bool with_opportunity);

/// A person account: the account with these fields and its contact with what they share.
std::vector<Dml> create_person(Store& store, std::vector<FieldValue> fields);
std::vector<Dml> update_person(Store& store, const std::string& id, std::vector<FieldValue> fields);

}  // namespace headwater::org
