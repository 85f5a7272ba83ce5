#pragma once

#include <string_view>

#include "schemas/core/result.hpp"

namespace headwater::postgres {

/// Raised by crm.require_fence() when another holder has claimed the cursor.
inline constexpr std::string_view kFenced = "HW001";

/// What a failure means. `sqlstate` is empty when the server said nothing: connection refused, lost
/// or too slow. Pure. Source: PostgreSQL manual, appendix A.
ErrorKind classify(std::string_view sqlstate);

/// What a person can do about a Blocked failure, or one that only should pass by itself; empty
/// where there is nothing to do.
std::string_view remedy(std::string_view sqlstate);

/// The sentence for what was being done: it, what came back, its code, what to do.
Error in_words(std::string_view doing, const Error& error);

/// A data exception in words without data: the server's own sentence may quote the value. Empty for
/// codes whose sentence quotes none.
std::string_view data_exception(std::string_view sqlstate);

}  // namespace headwater::postgres
