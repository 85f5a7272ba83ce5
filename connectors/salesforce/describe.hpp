#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "schemas/core/result.hpp"

namespace headwater::salesforce {

// What describe says, turned into our words. Pure.

/// The body of `sobjects`. Transient: not what it should be.
Result<std::vector<ObjectInfo>> read_describe_global(std::string_view body);

/// The body of `sobjects/<Object>/describe`. Compounds (an address, a location, a person's name)
/// are left out: their parts are listed, under the path that change events use for them.
Result<ObjectDescription> read_describe(std::string_view body);

/// The path that change events give a part of a compound (salesforce.md section 5.4):
/// (`BillingCity`, `BillingAddress`) -> `BillingAddress.City`, (`Street`, `Address`) ->
/// `Address.Street`, (`FirstName`, `Name`) -> `Name.FirstName`, (`Loc__Latitude__s`, `Loc__c`) ->
/// `Loc__c.Latitude`.
std::string compound_path(std::string_view name, std::string_view compound);

/// Fields that REST has and change events never carry: ids and stamps kept elsewhere, and what is
/// derived from other records (salesforce.md section 5.5). Also whole files, which are not fields
/// to us.
bool never_in_events(const FieldInfo& field);

/// Names to ask for, to get a record as complete as an event of its creation would.
std::vector<std::string> fetch_fields(const ObjectDescription& object);

}  // namespace headwater::salesforce
