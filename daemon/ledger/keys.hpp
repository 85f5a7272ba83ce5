#pragma once

#include <string>
#include <string_view>

#include "schemas/core/bytes.hpp"
#include "schemas/core/ids.hpp"

namespace headwater::ledger {

// Keys of the ledger's families (unified-model.md section 13). `:` occurs in no part, so that
// `emea:` and `emea:Account:` are prefixes to scan.

inline constexpr std::string_view kLedgerKey = "ledger";
inline constexpr std::string_view kTailKey = "rev";
inline constexpr std::string_view kTallyKey = "tally";
inline constexpr std::string_view kMappingKey = "mapping";
inline constexpr std::string_view kBackRefsKey = "back_refs";
inline constexpr std::string_view kJobKey = "reprojection";
inline constexpr std::string_view kStampKey = "stamping";
/// By sink and org: the birth, by its ledger id, that has claimed the target.
inline constexpr std::string_view kClaimPrefix = "claim:";
inline constexpr std::string_view kOrgPrefix = "org:";
inline constexpr std::string_view kFactsPrefix = "facts:";
inline constexpr std::string_view kStreamPrefix = "stream:";
inline constexpr std::string_view kSchemaPrefix = "schema:";
inline constexpr std::string_view kNamesPrefix = "names:";
inline constexpr std::string_view kCountPrefix = "count:";
inline constexpr std::string_view kStartPrefix = "starts:";
inline constexpr std::string_view kSegmentPrefix = "segment:";
inline constexpr std::string_view kQuarantineTallyKey = "tally:quarantine";
inline constexpr std::string_view kReadJobPrefix = "job:";
inline constexpr std::string_view kSnappedPrefix = "snapped:";
inline constexpr std::string_view kClosedHolePrefix = "closed:h:";
inline constexpr std::string_view kClosedRecordPrefix = "closed:r:";
inline constexpr std::string_view kClosedRoutinePrefix = "closed:i:";
inline constexpr std::string_view kClosedRowPrefix = "closed:q:";

/// Appends the parts joined by `:`.
template <typename... Parts>
void append_key(std::string& out, std::string_view first, const Parts&... parts) {
  out.append(first);
  ((out.append(1, ':').append(std::string_view(parts))), ...);
}
template <typename... Parts>
std::string make_key(std::string_view first, const Parts&... parts) {
  std::string out;
  append_key(out, first, parts...);
  return out;
}

inline std::string rev_key(Rev rev) {
  std::string out;
  put_be64(out, rev.value);
  return out;
}
/// A prefix with a rev behind it, in rev order.
inline std::string rev_key(std::string_view prefix, Rev rev) {
  std::string out(prefix);
  put_be64(out, rev.value);
  return out;
}
inline Rev rev_of_key(std::string_view key) {
  if (key.size() < 8) return {};
  return Rev{ByteReader(key.substr(key.size() - 8)).be64()};
}

}  // namespace headwater::ledger
