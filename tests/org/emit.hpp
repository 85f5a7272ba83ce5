#pragma once

#include <string>

#include "schemas/core/result.hpp"

namespace boost::json {
class object;
}

namespace headwater::org {

class Org;

/// Carries out the body of POST /emit: one statement, a list of them as one transaction, or a raw
/// event. Gives the answer as JSON text. Rejected: it cannot be done; nothing happened.
Result<std::string> emit(Org& org, const boost::json::object& body);

}  // namespace headwater::org
