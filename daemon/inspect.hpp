#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/ledger/ledger.hpp"

namespace headwater {

/// What `headwater verify` asks over the control socket, each answer bounded:
///
///   records [RKEY]        states behind that key, in key order, a page
///   heads RKEY…           rev and deletion of each, null for what the ledger never saw
///   facts RKEY            versions of a record and its fields
///   journal RKEY [REV]    its entries in a stretch of the journal after REV, and how far it looked
///   events [REV]          platform events in a stretch of the journal after REV, as above
///   objects ORG           which the org's channels carry, and since when what is saved of each
///   must
///                         be here though nothing was ever heard of it
///
/// Nothing if the verb is none of these.
std::optional<std::string> inspect(const std::string& verb,
                                   const std::string& rest,
                                   ledger::Ledger& ledger);

}  // namespace headwater
