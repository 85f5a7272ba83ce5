#pragma once

#include <random>
#include <string>

#include "schemas/core/time.hpp"

namespace headwater::ledger {

/// 26 characters, Crockford base 32: 48 bits of milliseconds, 80 random bits.
std::string make_ulid(EpochMs now, std::mt19937_64& random);

}  // namespace headwater::ledger
