#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace headwater::org {

/// The diff that an UPDATE carries instead of a long text's new value, or nothing where the whole
/// value goes out (salesforce.md 6.4): short text, much changed, a diff longer than the value. One
/// hunk, no context lines. Texts whose line breaks are not all CRLF or all LF go out whole: a
/// reader could not join the lines again.
std::optional<std::string> unified_diff(std::string_view before, std::string_view after);

}  // namespace headwater::org
