#pragma once

#include <optional>

#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

// The row of a stream's position.

/// Nothing: none was ever stored, or a newer build did.
std::optional<StreamPosition> read_position(Store& store, const StreamKey& stream);
void put_position(StoreBatch& batch, const StreamKey& stream, const StreamPosition& position);

}  // namespace headwater::ledger
