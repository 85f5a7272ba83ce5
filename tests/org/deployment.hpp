#pragma once

#include "schemas/core/result.hpp"

namespace boost::json {
class object;
}

namespace headwater::org {

class Org;

/// Carries out the body of POST /schema: what an administrator changes while the org lives. New
/// schema ids follow by themselves, describe shows it at once, no event tells of it, and values
/// stay or become what the new type makes of them. Rejected: it cannot be done; nothing happened.
///
///   {"create": "Project__c", "prefix": "a0P", "fields": [{"name", "type", "refers_to": []}]}
///   {"object", "add": {"name", "type", "refers_to", "formula": bool}}   a formula is in no event
///   {"object", "recalculate": {"name", "value"}}    all records' value of a formula
///   {"object", "remove": name} {"object", "rename": {"from", "to"}}
///   {"object", "retype": {"name", "type"}}          fields that were added so, alone
///   {"object", "deploying": bool}                   half of the commits by the schema before
///   {"object", "captured": bool}                    selected in Change Data Capture
Result<void> deploy(Org& org, const boost::json::object& body);

}  // namespace headwater::org
