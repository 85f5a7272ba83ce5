#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headwater {

/// What came of a text diff.
enum class Patched : std::uint8_t {
  Applied,   ///< the new text, proven by the hash that the diff carries
  Already,   ///< the base is that text
  Mismatch,  ///< not made from this base, or not readable as a diff: the value must be read again
};

/// The text that a unified diff makes of `base`, into `out` (salesforce.md section 6.4): a line
/// `---`, a line `+++ <SHA-256 of the new text, hex>`, hunks `@@ -l,c +l,c @@`.
///
/// What the hash proves needs no other proof, so all that Salesforce leaves open is tried: lines of
/// the diff end in LF or CRLF, blank lines stand where nothing is said of them, counts may be
/// missing or wrong, a hunk that only inserts names the line before it or the one after, new lines
/// end as those of the base or in CRLF, LF or CR. Nothing but a removed or context line that the
/// base does not have at its place refuses a hunk.
///
/// Pure. Base and diff of more than a mebibyte are a Mismatch: no event holds as much. Memory: some
/// 50 bytes for each line of both, and the new text. At most eight texts are made and hashed.
Patched patch_text(std::string_view base, std::string_view diff, std::string& out);

}  // namespace headwater
