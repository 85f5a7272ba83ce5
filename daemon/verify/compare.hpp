#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "connectors/target_reader.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/result.hpp"

namespace headwater::verify {

// Whether two places say the same of a record. Pure. A difference is a sentence's end that names
// members, and values only if asked to: they are somebody's personal data.

/// A record as the ledger has it.
struct LedgerRecord {
  std::string rkey, entity;
  Rev rev;
  bool deleted = false, complete = false;
  std::string document;  ///< canonical JSON
};

/// Nothing: the text is no canonical record.
std::optional<LedgerRecord> read_record(std::string document);

/// `"fields":{…},"extra":{…},"raw":{…},"refs":{…}` of a canonical record's text, and behind them
/// its `"violations":[…]` and `"retired":[…]` if it has some: equal records have equal bytes. Empty
/// if there is none.
/// `document` may go on behind the record.
std::string sections_of(std::string_view document);

/// A member's name and, if `values`, what both sides say.
struct Wording {
  bool values = false;
};

/// Members of a canonical record that are made of a source field which the org has no longer, or
/// hides from our user: `fields.tier`, `raw.Tier__c`, `refs.parent`. The org cannot tell them, and
/// what was known of them last stays here.
using Retired = std::set<std::string, std::less<>>;

/// Empty: the same. `by_org`: `want` was read from the org, whose LastModifiedDate may be earlier
/// than `updated_at`: some changes (geocoding, lead conversion) come without one, and then the
/// commit time counts; and a field that the org does not show any more keeps its last value here,
/// mapped (`retired`, may be null) or not. Whether the record lists it is not compared then: the
/// org may have been asked for its fields since.
std::string document_difference(std::string_view want,
                                std::string_view have,
                                bool by_org,
                                Wording wording,
                                const Retired* retired = nullptr);

/// Compares the ledger's sections with what a target holds, by its shape. Empty: the same.
std::string held_difference(const LedgerRecord& record, const Held& held, Wording wording);

}  // namespace headwater::verify
