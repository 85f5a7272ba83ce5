#pragma once

#include <string>
#include <string_view>

namespace headwater::postgres {

/// Longest name that Postgres keeps; longer ones are cut in silence.
/// Source: PostgreSQL manual 4.1.1, NAMEDATALEN - 1.
inline constexpr std::size_t kIdentifierBytesMax = 63;

/// `[A-Za-z_][A-Za-z0-9_]*` of at most 63 bytes: what we take for a schema's name.
bool is_schema_name(std::string_view text);

/// `"name"`, quotes doubled: safe for any name.
std::string quoted(std::string_view name);
/// `'text'`, quotes doubled. REQUIRES: standard_conforming_strings, which every session of ours
/// sets.
std::string literal(std::string_view text);

/// Table of an entity: `contact`; `custom:Invoice__c` -> `custom_invoice__c`. Over 58 bytes: cut to
/// 49 + `_`
/// + 8 hex digits of the name's SHA-256, so that `_live` still fits.
std::string table_of(std::string_view entity);
/// Name of the index on one column of a table, cut in the same way.
std::string index_of(std::string_view table, std::string_view column);

}  // namespace headwater::postgres
