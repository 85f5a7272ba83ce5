#pragma once

#include "connectors/salesforce/org_api.hpp"
#include "schemas/core/result.hpp"
#include "schemas/crm/projector.hpp"

namespace headwater::salesforce {

// What images of an org's records depend on and only the org can tell. Learning adds to the facts:
// what is not told any more stays, for records may still refer to it. Errors as OrgApi's.

/// Which object an id belongs to, by its key prefix.
Result<void> learn_objects(OrgApi& api, crm::OrgFacts& facts);

/// Developer names of record types. False: the org does not show them to the user; its records are
/// whole without.
Result<bool> learn_record_types(OrgApi& api, crm::OrgFacts& facts);

}  // namespace headwater::salesforce
