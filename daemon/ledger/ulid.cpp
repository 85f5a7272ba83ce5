#include "daemon/ledger/ulid.hpp"

#include <cstdint>

namespace headwater::ledger {

std::string make_ulid(EpochMs now, std::mt19937_64& random) {
  constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string out;
  const auto time = static_cast<std::uint64_t>(now);
  for (int shift = 45; shift >= 0; shift -= 5) out.push_back(kDigits[(time >> shift) & 31]);
  for (int i = 0; i < 16; ++i) out.push_back(kDigits[random() & 31]);
  return out;
}

}  // namespace headwater::ledger
