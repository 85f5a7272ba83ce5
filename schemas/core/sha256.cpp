#include "schemas/core/sha256.hpp"

#include <openssl/sha.h>

#include "schemas/core/ids.hpp"

namespace headwater {

Sha256 sha256(std::string_view bytes) {
  Sha256 out;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  const Sha256 digest = sha256(bytes);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::uint64_t sha256_head(std::string_view bytes) {
  const Sha256 digest = sha256(bytes);
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < 8; ++i) head = head << 8 | digest[i];
  return head;
}

}  // namespace headwater
